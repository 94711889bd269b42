//! The driver against the suite that all drivers pass, and against every fault of the simulated devices.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::time::{Duration, Instant};

use ble::link::Mode;
use ble::radio::Flags;
use ble::sim::{SimAdapter, SimAir, SimCharacteristic, SimDevice, SimFault};
use ble::{Address, Ble, BleSession, Link, Point, Uuid};
use config::{NoSecrets, Source, load};
use mapper_sdk::conformance::{Rig, run_all};
use mapper_sdk::{Driver as _, Fault, Session as _, Verdict, Watch};
use twin_core::Value;

const TIME_OUT: Duration = Duration::from_millis(150);
const CONNECT: Duration = Duration::from_millis(600);
const TEMPERATURE: Uuid = Uuid::assigned(0x2A6E);
const SETTING: Uuid = Uuid::assigned(0xFFF1);
const TOLD_ONLY: Uuid = Uuid::assigned(0xFFF3);

/// The link of a device that is written like this.
fn written(ble: &str) -> Link {
    let property = "{p: {type: int, ble: {link: rssi}}}";
    let text = format!("gateway: {{node: n}}\ndevices: {{d: {{ble: {ble}, properties: {property}}}}}\n");
    let loaded = load(&[Source::new("t.yaml", text)], &[ble::protocol()], &NoSecrets).unwrap();
    let device = loaded.config.devices.into_values().next().unwrap();
    device.link.as_ref().unwrap().get::<Link>().unwrap().clone()
}

fn address(n: u8) -> Address {
    Address::new([0xC0, 0, 0, 0, 0, n])
}

fn link(n: u8) -> Link {
    Link::to(address(n)).with_timeouts(TIME_OUT, CONNECT)
}

fn device() -> SimDevice {
    let own = Uuid::assigned(0xFFF0);
    let told = Flags { tells: true, ..Flags::default() };
    let command = Flags { command: true, ..Flags::default() };
    let setting = SimCharacteristic::setting(own, SETTING, &[0, 0x0F, 3, 4]);
    let mut device = SimDevice::new(
        "Sensor",
        vec![
            SimCharacteristic::measured(0x181A, 0x2A6E, &2150i16.to_le_bytes()),
            SimCharacteristic::fixed(0x181A, 0x2A6F, &4500u16.to_le_bytes()),
            SimCharacteristic::fixed(0x180F, 0x2A19, &[87]),
            setting.clone(),
            SimCharacteristic { uuid: Uuid::assigned(0xFFF2), flags: command, ..setting.clone() },
            SimCharacteristic { uuid: TOLD_ONLY, flags: told, ..setting },
        ],
    );
    device.manufacturer.insert(0x0499, vec![5, 0, 10]);
    device
}

fn setting(at: u16) -> Point {
    Point { at: Some(at), data_type: Some(ble::point::DataType::Uint8), ..Point::characteristic("FFF1") }
}

fn manufacturer(at: u16) -> Point {
    let data_type = Some(ble::point::DataType::Uint8);
    Point { manufacturer: Some(0x0499), data_type, at: Some(at), ..Point::default() }
}

/// Devices in reach and a driver.
struct Bench {
    air: SimAir,
    driver: Ble<SimAir>,
}

impl Bench {
    fn new(devices: u8) -> Self {
        let air = SimAir::new();
        for n in 1..=devices {
            air.add(address(n), device());
        }
        Self { driver: Ble::over(air.clone()), air }
    }

    async fn session(&self) -> BleSession<SimAdapter> {
        self.driver.connect(&link(1)).await.unwrap()
    }

    fn fault(&self, fault: SimFault) {
        self.air.with(address(1), |device| device.fault = fault);
    }
}

async fn value(session: &mut BleSession<SimAdapter>, point: &Point) -> Result<Value, Fault> {
    session.read(std::slice::from_ref(point)).await?.remove(0).value
}

fn watch(point: Point) -> Watch<Point> {
    Watch { point, every: Duration::from_secs(10) }
}

struct BleRig {
    bench: Bench,
    step: i16,
}

impl Rig for BleRig {
    type Driver = Ble<SimAir>;

    fn driver(&self) -> &Ble<SimAir> {
        &self.bench.driver
    }
    fn link(&self) -> Link {
        link(1)
    }
    fn readable(&self) -> Vec<(Point, Value)> {
        let float = |number: f64| Value::float(number).unwrap();
        vec![
            (Point::characteristic("temperature"), float(f64::from(self.step) / 100.0)),
            (Point::characteristic("humidity"), float(45.0)),
            (setting(1), Value::Int(0x0F)),
            (setting(2), Value::Int(3)),
            (Point { link: Some(ble::point::LinkWord::Connected), ..Point::default() }, Value::Bool(true)),
        ]
    }
    fn missing(&self) -> Point {
        Point::characteristic("pressure")
    }
    fn writable(&self) -> (Point, Value, Value) {
        (setting(0), Value::Int(17), Value::Int(250))
    }
    fn read_only(&self) -> Point {
        Point::characteristic("battery_level")
    }
    fn held(&self) -> Value {
        let bytes = self.bench.air.with(address(1), |device| device.bytes(SETTING));
        assert_eq!(bytes[1..], [0x0F, 3, 4], "its neighbours are left alone");
        Value::Int(bytes[0].into())
    }
    fn die(&mut self) {
        self.bench.fault(SimFault::Silent);
    }
    fn revive(&mut self) {
        self.bench.fault(SimFault::None);
    }
    fn answer_late(&mut self) {
        self.bench.fault(SimFault::Slow(TIME_OUT * 2));
    }
    fn change(&mut self) {
        self.step += 1;
        self.bench.air.set(address(1), TEMPERATURE, &self.step.to_le_bytes());
    }
}

#[tokio::test]
async fn the_ble_driver_does_what_every_driver_must() {
    let mut rig = BleRig { bench: Bench::new(1), step: 0 };
    rig.change();
    run_all(&mut rig).await;
}

#[tokio::test]
async fn no_wrong_answer_is_taken_for_a_value() {
    let bench = Bench::new(1);
    for (fault, verdict) in [
        (SimFault::Silent, Some(Verdict::Reconnect)),
        (SimFault::Slow(TIME_OUT * 2), Some(Verdict::Reconnect)),
        (SimFault::DropsMidRead, Some(Verdict::Reconnect)),
        (SimFault::WrongLength, Some(Verdict::RetryLater)),
        (SimFault::Refuses, Some(Verdict::GiveUpOnPoint)),
        (SimFault::None, None),
    ] {
        let mut session = bench.session().await;
        bench.fault(fault);
        let begun = Instant::now();
        let found = value(&mut session, &Point::characteristic("temperature")).await;
        assert_eq!(found.as_ref().err().map(Fault::verdict), verdict, "{fault:?}: {found:?}");
        assert!(begun.elapsed() < TIME_OUT * 4, "{fault:?}");
        let at_once = fault == SimFault::DropsMidRead;
        assert_eq!(
            matches!(found, Err(Fault::Link(_))),
            at_once,
            "only a loss is noticed before the time-out"
        );
        bench.fault(SimFault::None);
        session.close().await;
    }
}

#[tokio::test]
async fn what_a_device_tells_comes_at_once_and_once_the_newest_of_a_flood() {
    let bench = Bench::new(1);
    let mut session = bench.session().await;
    let points = [Point::characteristic("temperature"), manufacturer(1)];
    session.watch(&points.clone().map(watch)).await.unwrap();
    bench.air.set(address(1), TEMPERATURE, &100i16.to_le_bytes());
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let sample = session.changed().await.unwrap();
        seen.push((sample.point.clone(), sample.value.unwrap()));
    }
    assert!(seen.contains(&(points[0].clone(), Value::float(1.0).unwrap())), "{seen:?}");
    assert!(seen.contains(&(points[1].clone(), Value::Int(0))), "{seen:?}");
    bench.air.flood(address(1), TEMPERATURE, 100_000);
    bench.air.set(address(1), TEMPERATURE, &700i16.to_le_bytes());
    let begun = Instant::now();
    // A read of what the flood has made stale asks the device.
    loop {
        let sample = session.changed().await.unwrap();
        if sample.value.is_ok() {
            break;
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(2));
    session.close().await;
}

#[tokio::test]
async fn a_read_of_what_is_told_does_not_ask_the_device_again_until_the_period_is_over() {
    let bench = Bench::new(1);
    let mut session = bench.session().await;
    let point = Point::characteristic("temperature");
    let every = Duration::from_millis(300);
    session.watch(&[Watch { point: point.clone(), every }]).await.unwrap();
    bench.air.set(address(1), TEMPERATURE, &100i16.to_le_bytes());
    session.changed().await.unwrap();
    let requests = || bench.air.with(address(1), |device| device.requests);
    let before = requests();
    assert_eq!(value(&mut session, &point).await, Ok(Value::float(1.0).unwrap()));
    assert_eq!(requests(), before, "what was told just now is not asked for");
    // The device changes without telling: after the period, the change is seen.
    bench.air.with(address(1), |device| device.characteristics[0].bytes = 200i16.to_le_bytes().into());
    tokio::time::sleep(every).await;
    assert_eq!(value(&mut session, &point).await, Ok(Value::float(2.0).unwrap()));
    session.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_has_a_value_only_once_and_as_long_as_it_is_told() {
    let bench = Bench::new(1);
    let point = Point { data_type: Some(ble::point::DataType::Uint8), ..Point::characteristic("FFF3") };
    let link = written("{address: \"C0:00:00:00:00:01\", max_age: 200ms}");
    assert_eq!(link.mode(), Mode::Connected);
    let mut session = bench.driver.connect(&link).await.unwrap();
    session.watch(&[watch(point.clone())]).await.unwrap();
    assert!(matches!(value(&mut session, &point).await, Err(Fault::NotTold(_))), "nothing was told yet");
    bench.air.set(address(1), TOLD_ONLY, &[9]);
    assert_eq!(session.changed().await.unwrap().value, Ok(Value::Int(9)));
    assert_eq!(value(&mut session, &point).await, Ok(Value::Int(9)));
    tokio::time::sleep(Duration::from_millis(250)).await;
    let stale = value(&mut session, &point).await.unwrap_err();
    assert!(matches!(&stale, Fault::Stale(text) if text.contains("ago")), "{stale}");
    session.close().await;
}

#[tokio::test]
async fn a_connection_that_is_lost_is_a_fault_at_once_and_all_is_subscribed_again() {
    let bench = Bench::new(1);
    let watched = [watch(Point::characteristic("temperature"))];
    for n in 1..4i16 {
        let mut session = bench.session().await;
        session.watch(&watched).await.unwrap();
        bench.air.set(address(1), TEMPERATURE, &(n * 100).to_le_bytes());
        assert_eq!(session.changed().await.unwrap().value, Ok(Value::float(f64::from(n)).unwrap()));
        bench.air.cut(address(1));
        let lost = tokio::time::timeout(Duration::from_secs(5), session.changed()).await;
        let fault = lost.unwrap().unwrap_err();
        assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
    }
}

#[tokio::test]
async fn an_adapter_that_is_unplugged_is_a_fault_and_serves_again_when_it_is_back() {
    let bench = Bench::new(1);
    let mut session = bench.session().await;
    bench.air.unplug();
    let fault = session.changed().await.unwrap_err();
    assert!(fault.to_string().contains("plug it in again"), "{fault}");
    let again = bench.driver.connect(&link(1)).await.unwrap_err();
    assert!(matches!(again, Fault::Link(_)), "it is likely back soon, so it is asked for often: {again:?}");
    bench.air.plug_in();
    drop(session);
    let mut session = bench.session().await;
    assert!(value(&mut session, &Point::characteristic("humidity")).await.is_ok());
    session.close().await;
    let never = Bench::new(0);
    never.air.unplug();
    let fault = never.driver.connect(&link(1)).await.unwrap_err();
    assert!(matches!(&fault, Fault::Denied(text) if text.contains("plug one in")), "{fault:?}");
}

#[tokio::test]
async fn a_device_that_only_advertises_is_heard_and_its_silence_is_a_fault() {
    let bench = Bench::new(1);
    let link = written(
        "{match: {manufacturer: 0x0499}, mode: advertisement, max_age: 300ms, connect_timeout: 500ms}",
    );
    let mut session = bench.driver.connect(&link).await.unwrap();
    let rssi = Point { link: Some(ble::point::LinkWord::Rssi), ..Point::default() };
    let points = [manufacturer(2), rssi, Point::characteristic("temperature")];
    let values: Vec<_> = session.read(&points).await.unwrap().into_iter().map(|s| s.value).collect();
    assert_eq!(values[..2], [Ok(Value::Int(10)), Ok(Value::Int(-55))]);
    assert!(
        values[2].as_ref().is_err_and(|fault| fault.to_string().contains("mode: connected")),
        "{values:?}"
    );
    assert_eq!(bench.air.connections(), 0, "it is never connected to");
    session.watch(&[watch(manufacturer(2))]).await.unwrap();
    assert_eq!(session.changed().await.unwrap().value, Ok(Value::Int(10)));
    bench.air.with(address(1), |device| device.manufacturer.insert(0x0499, vec![5, 0, 11]));
    bench.air.advertise(address(1));
    assert_eq!(session.changed().await.unwrap().value, Ok(Value::Int(11)));
    tokio::time::sleep(Duration::from_millis(350)).await;
    let fault = session.read(&points).await.map(drop).unwrap_err();
    assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
}

#[tokio::test]
async fn devices_that_cannot_be_told_apart_are_named_and_none_is_read() {
    let bench = Bench::new(2);
    let link = written("{match: {name: Sensor}, connect_timeout: 500ms}");
    let fault = bench.driver.connect(&link).await.unwrap_err();
    let Fault::Denied(text) = fault else { panic!("{fault:?}") };
    assert!(text.contains(&address(1).to_string()) && text.contains(&address(2).to_string()), "{text}");
}

#[tokio::test]
async fn a_bond_is_made_where_it_is_wanted() {
    let bench = Bench::new(1);
    bench.fault(SimFault::WantsBond);
    let with_bond = written("{address: \"C0:00:00:00:00:01\", bond: true}");
    let mut session = bench.session().await;
    let refused = value(&mut session, &Point::characteristic("humidity")).await;
    assert!(matches!(refused, Err(Fault::Refused(_))), "{refused:?}");
    session.close().await;
    let mut session = bench.driver.connect(&with_bond).await.unwrap();
    assert!(value(&mut session, &Point::characteristic("humidity")).await.is_ok());
    let bonded = Point { link: Some(ble::point::LinkWord::Bonded), ..Point::default() };
    assert_eq!(value(&mut session, &bonded).await, Ok(Value::Bool(true)));
    session.close().await;
}

#[tokio::test]
async fn three_devices_share_one_connection_and_each_gets_its_turn() {
    let bench = Bench::new(3);
    let links: Vec<Link> = (1..=3)
        .map(|n| written(&format!("{{address: \"{}\", max_links: 1, hold: 100ms}}", address(n))))
        .collect();
    let serve = |link: Link| {
        let bench = &bench;
        async move {
            let mut session = bench.driver.connect(&link).await.unwrap();
            session.watch(&[watch(Point::characteristic("temperature"))]).await.unwrap();
            for _ in 0..5 {
                let read = value(&mut session, &Point::characteristic("humidity")).await;
                assert_eq!(read, Ok(Value::float(45.0).unwrap()));
                assert_eq!(bench.air.connections(), 1);
                // As the runtime does between two reads.
                let _ = tokio::time::timeout(Duration::from_millis(150), session.changed()).await;
            }
            session.close().await;
        }
    };
    let all =
        async { tokio::join!(serve(links[0].clone()), serve(links[1].clone()), serve(links[2].clone())) };
    tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
    assert_eq!(bench.air.connections(), 0);
    let turns: Vec<u64> = (1..=3).map(|n| bench.air.with(address(n), |device| device.connected)).collect();
    assert!(turns.iter().all(|turns| *turns >= 2), "the connection went around: {turns:?}");
}

#[tokio::test]
async fn writes_go_as_the_characteristic_wants_them_and_never_cut_it() {
    let bench = Bench::new(1);
    let mut session = bench.session().await;
    let held = || bench.air.with(address(1), |device| device.bytes(SETTING));
    session.write(&setting(2), &Value::Int(99)).await.unwrap();
    assert_eq!(held(), [0, 0x0F, 99, 4]);
    session.write(&setting(0), &Value::Int(5)).await.unwrap();
    assert_eq!(held(), [5, 0x0F, 99, 4]);
    let bits = Point { bit: Some(4), bits: Some(4), ..setting(1) };
    session.write(&bits, &Value::Int(0xA)).await.unwrap();
    assert_eq!(held(), [5, 0xAF, 99, 4]);
    let command = Point { data_type: Some(ble::point::DataType::Uint8), ..Point::characteristic("FFF2") };
    session.write(&command, &Value::Int(7)).await.unwrap();
    let without_rest = Point { at: Some(1), ..command.clone() };
    let fault = session.write(&without_rest, &Value::Int(7)).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused(text) if text.contains("beside")), "{fault}");
    let fault = session.write(&setting(0), &Value::Int(256)).await.unwrap_err();
    assert!(matches!(fault, Fault::Unsuitable(_)), "{fault}");
    let fault = session.write(&setting(9), &Value::Int(1)).await.unwrap_err();
    assert!(matches!(fault, Fault::Unsuitable(_)), "{fault}");
    session.close().await;
}

#[tokio::test]
async fn a_thousand_connections_leave_nothing_behind() {
    let bench = Bench::new(1);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut session = bench.session().await;
    value(&mut session, &Point::characteristic("temperature")).await.unwrap();
    session.close().await;
    let before = tasks();
    for n in 0..1_000 {
        let mut session = bench.session().await;
        session.watch(&[watch(Point::characteristic("temperature"))]).await.unwrap();
        value(&mut session, &Point::characteristic("temperature")).await.unwrap();
        match n % 3 {
            0 => session.close().await,
            1 => drop(session),
            _ => {
                bench.air.cut(address(1));
                assert!(session.changed().await.is_err());
            }
        }
    }
    assert_eq!(tasks(), before);
    let connected = bench.air.with(address(1), |device| device.connected);
    assert_eq!(connected, 1_001);
    for _ in 0..50 {
        if bench.air.connections() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bench.air.connections(), 0);
}
