//! The driver against the API of BlueZ with virtual adapters and a peripheral that somebody else's library serves.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::time::Duration;

use ble::point::{DataType, LinkWord};
use ble::radio::bluez::BlueZAdapter;
use ble::{Address, Ble, BleSession, BlueZ, Link, Point};
use common::{Bus, read_one, until, written};
use config::{NoSecrets, Source, load};
use mapper_sdk::{Driver as _, Fault, Session as _, Verdict, Watch};
use twin_core::Value;

type Session = BleSession<BlueZAdapter>;

fn float(number: f64) -> Value {
    Value::float(number).unwrap()
}

fn temperature() -> Point {
    Point::characteristic("temperature")
}

fn own(last: &str, data_type: DataType) -> Point {
    let uuid = format!("12345678-1234-5678-1234-56789abcde{last}");
    Point { data_type: Some(data_type), ..Point::characteristic(&uuid) }
}

fn watch(point: &Point) -> Watch<Point> {
    Watch { point: point.clone(), every: Duration::from_secs(1) }
}

async fn value(session: &mut Session, point: &Point) -> Result<Value, Fault> {
    session.read(std::slice::from_ref(point)).await?.remove(0).value
}

/// Waits for a change that the device tells of by itself.
async fn told(session: &mut Session) -> Result<Value, Fault> {
    let told = tokio::time::timeout(Duration::from_secs(20), session.changed()).await;
    told.unwrap_or(Err(Fault::TimedOut(Duration::from_secs(20))))?.value
}

#[tokio::test]
async fn a_thermometer_is_found_and_read() {
    let Some(bus) = Bus::start().await else { return };
    let _peer = bus.thermometer(1, 21.5, &["--still"]);
    let mut session = bus.driver().connect(&bus.link(1)).await.unwrap();
    let points = ["temperature", "humidity", "battery_level", "manufacturer_name"].map(Point::characteristic);
    let samples = session.read(&points).await.unwrap();
    let values: Vec<_> = samples.into_iter().map(|sample| sample.value.unwrap()).collect();
    assert_eq!(values, [float(21.5), float(45.0), Value::Int(87), Value::String("Acme".into())]);
    let missing = value(&mut session, &Point::characteristic("pressure")).await.unwrap_err();
    assert!(matches!(&missing, Fault::Refused(text) if text.contains("2A6E")), "{missing}");
    let connected = Point { link: Some(LinkWord::Connected), ..Point::default() };
    assert_eq!(value(&mut session, &connected).await, Ok(Value::Bool(true)));
    session.close().await;
}

#[tokio::test]
async fn what_is_written_arrives_and_reads_back_and_its_neighbours_are_left_alone() {
    let Some(bus) = Bus::start().await else { return };
    let peer = bus.thermometer(1, 21.5, &["--still"]);
    let mut session = bus.driver().connect(&bus.link(1)).await.unwrap();
    let setting = Point { at: Some(2), ..own("f1", DataType::Uint16) };
    session.write(&setting, &Value::Int(0x1234)).await.unwrap();
    peer.wait_for("setting 010f3412");
    assert_eq!(value(&mut session, &setting).await, Ok(Value::Int(0x1234)));
    let command = own("f2", DataType::Uint16);
    session.write(&command, &Value::Int(7)).await.unwrap();
    peer.wait_for("command 0700");
    let refused = session.write(&Point::characteristic("battery_level"), &Value::Int(1)).await.unwrap_err();
    assert_eq!(refused.verdict(), Verdict::GiveUpOnPoint, "{refused}");
    session.close().await;
}

#[tokio::test]
async fn notifications_come_and_come_again_after_the_device_was_out_of_reach() {
    let Some(bus) = Bus::start().await else { return };
    let _peer = bus.thermometer(1, 10.0, &[]);
    let driver = bus.driver();
    let ticks = own("f3", DataType::Uint32);
    for _ in 0..3 {
        let mut session = until(async || driver.connect(&bus.link(1)).await).await;
        session.watch(&[watch(&temperature()), watch(&ticks)]).await.unwrap();
        let mut before = 0.0;
        for _ in 0..6 {
            let now = told(&mut session).await.unwrap().as_number().unwrap();
            before = f64::max(before, now);
        }
        assert!(before > 10.0, "{before}");
        assert!(value(&mut session, &temperature()).await.is_ok());
        assert!(value(&mut session, &ticks).await.is_ok(), "what cannot be read is told");
        bus.cut(1).await;
        let lost = loop {
            match told(&mut session).await {
                Ok(_) => {}
                Err(fault) => break fault,
            }
        };
        assert!(lost.to_string().contains("lost"), "{lost}");
    }
}

#[tokio::test]
async fn an_adapter_that_was_unplugged_serves_again() {
    let Some(bus) = Bus::start_virtual() else { return };
    let _peer = bus.thermometer(1, 21.5, &["--still"]);
    let driver = bus.driver();
    let mut session = driver.connect(&bus.link(1)).await.unwrap();
    bus.call("/org/bluezoo", "org.bluezoo.Manager1", "RemoveAdapter", &0u8).await.unwrap();
    let fault = told(&mut session).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
    drop(session);
    let again = driver.connect(&bus.link(1)).await.unwrap_err();
    assert!(again.to_string().contains("no Bluetooth adapter hci0: there is hci1"), "{again}");
    bus.call("/org/bluezoo", "org.bluezoo.Manager1", "AddAdapter", &(0u8, bus.device(0).to_string()))
        .await
        .unwrap();
    let read = until(async || read_one(&driver, &bus.link(1), &temperature()).await).await;
    assert_eq!(read, float(21.5));
}

#[tokio::test]
async fn a_bluez_that_was_started_again_serves_again() {
    let Some(mut bus) = Bus::start_virtual() else { return };
    let driver = bus.driver();
    let mut peer = bus.thermometer(1, 21.5, &["--still"]);
    for _ in 0..3 {
        let mut session = until(async || driver.connect(&bus.link(1)).await).await;
        assert_eq!(value(&mut session, &temperature()).await, Ok(float(21.5)));
        bus.stop_bluez();
        let fault = told(&mut session).await.unwrap_err();
        assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
        drop(session);
        let gone = driver.connect(&bus.link(1)).await.unwrap_err();
        assert!(matches!(&gone, Fault::Link(text) if text.contains("systemctl start bluetooth")), "{gone:?}");
        bus.start_bluez();
        peer = bus.thermometer(1, 21.5, &["--still"]);
        assert_eq!(until(async || read_one(&driver, &bus.link(1), &temperature()).await).await, float(21.5));
    }
    drop(peer);
}

#[tokio::test]
async fn a_sensor_that_only_advertises_is_read_and_never_connected_to() {
    let Some(bus) = Bus::start().await else { return };
    let peer = bus.thermometer(1, 21.5, &["--still", "--advertise-every", "1"]);
    let link = written(
        "{match: {name: \"Thermo*\", manufacturer: 0x0499}, mode: advertisement, max_age: 6s, adapter: hci0}",
    );
    let mut session = bus.driver().connect(&link).await.unwrap();
    let at = |at, data_type| {
        let order = ble::point::Order::Big;
        Point {
            manufacturer: Some(0x0499),
            data_type: Some(data_type),
            at: Some(at),
            byte_order: order,
            ..Point::default()
        }
    };
    let scale = Some(ble::point::Number(0.01));
    let (warm, number) = (Point { scale, ..at(1, DataType::Int16) }, at(3, DataType::Uint16));
    assert_eq!(value(&mut session, &warm).await, Ok(float(21.5)));
    session.watch(&[watch(&number)]).await.unwrap();
    let first = told(&mut session).await.unwrap().as_number().unwrap();
    let second = told(&mut session).await.unwrap().as_number().unwrap();
    assert!(second > first, "{first} {second}");
    let connected = Point { link: Some(LinkWord::Connected), ..Point::default() };
    assert_eq!(value(&mut session, &connected).await, Ok(Value::Bool(false)));
    drop(peer);
    let silence = tokio::time::timeout(Duration::from_secs(15), async {
        loop {
            match value(&mut session, &warm).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(fault) => break fault,
            }
        }
    });
    let fault = silence.await.unwrap();
    assert!(matches!(&fault, Fault::Link(text) if text.contains("no advertisement")), "{fault}");
}

#[tokio::test]
async fn two_devices_share_one_connection() {
    let Some(bus) = Bus::start().await else { return };
    let _peers = [bus.thermometer(1, 11.0, &["--still"]), bus.thermometer(2, 22.0, &["--still"])];
    let driver = bus.driver();
    let shared =
        |n| written(&format!("{{address: \"{}\", adapter: hci0, max_links: 1, hold: 300ms}}", bus.device(n)));
    let serve = |n: usize| {
        let (driver, link) = (&driver, shared(n));
        async move {
            let mut session = driver.connect(&link).await.unwrap();
            for _ in 0..4 {
                assert_eq!(value(&mut session, &temperature()).await, Ok(float(11.0 * n as f64)));
                let _ = tokio::time::timeout(Duration::from_millis(400), session.changed()).await;
            }
            session.close().await;
        }
    };
    let both = async { tokio::join!(serve(1), serve(2)) };
    tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
}

#[tokio::test]
async fn a_bond_is_made_where_it_is_wanted() {
    let Some(bus) = Bus::start().await else { return };
    let _peer = bus.thermometer(1, 21.5, &["--still", "--agent"]);
    let link = written(&format!("{{address: \"{}\", adapter: hci0, bond: true}}", bus.device(1)));
    let mut session = bus.driver().connect(&link).await.unwrap();
    assert_eq!(value(&mut session, &temperature()).await, Ok(float(21.5)));
    let bonded = Point { link: Some(LinkWord::Bonded), ..Point::default() };
    assert_eq!(value(&mut session, &bonded).await, Ok(Value::Bool(true)));
    session.close().await;
}

#[tokio::test]
async fn what_is_in_reach_is_listed_and_a_device_is_shown_as_a_configuration() {
    let Some(bus) = Bus::start().await else { return };
    let _peer = bus.thermometer(1, 21.5, &["--still"]);
    let driver = bus.driver();
    let found = driver.scan(Some("hci0"), None, Duration::from_secs(3)).await.unwrap();
    assert!(found.iter().any(|found| found.address == bus.device(1)), "{found:?}");
    let inspected = driver.inspect(bus.device(1), Some("hci0")).await.unwrap();
    assert!(inspected.text().contains("21.5 °C (6608)"), "{}", inspected.text());
    let text = format!("gateway: {{node: n}}\n{}", inspected.yaml());
    let loaded = load(&[Source::new("found.yaml", text)], &[ble::protocol()], &NoSecrets);
    let properties = &loaded.unwrap().config.devices.into_values().next().unwrap().properties;
    assert!(properties.len() >= 6, "{properties:?}");
}

#[tokio::test]
async fn without_a_bus_it_is_said_what_is_missing() {
    let driver = Ble::over(BlueZ::on_bus("unix:path=/nonexistent/bus"));
    let link = Link::to(Address::new([1; 6]));
    let fault = driver.connect(&link).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Denied(text) if text.contains("no D-Bus system bus at unix:path=/nonexistent/bus")),
        "{fault:?}"
    );
}

#[tokio::test]
async fn without_bluez_it_is_said_what_is_missing() {
    let Some(mut bus) = Bus::start_virtual() else { return };
    bus.stop_bluez();
    let fault = until_denied(&bus).await;
    assert!(fault.contains("BlueZ is not running"), "{fault}");
}

/// What is said of the missing BlueZ; it may take a moment until the bus has noticed.
async fn until_denied(bus: &Bus) -> String {
    for _ in 0..100 {
        if let Err(Fault::Denied(text)) = bus.driver().connect(&bus.link(1)).await {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it was never said that BlueZ is missing");
}
