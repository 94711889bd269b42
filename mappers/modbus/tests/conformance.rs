//! The driver against the suite that all drivers pass, and against every fault of the simulated unit.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;
use std::time::Duration;

use mapper_sdk::conformance::{Rig, run_all};
use mapper_sdk::{Driver as _, Fault, Session as _, Verdict};
use modbus::sim::{Plant, SimFault, SimUnit};
use modbus::{Area, DataType, Link, Modbus, ModbusSession, Point};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twin_core::Value;

const TIME_OUT: Duration = Duration::from_millis(150);

/// What the requests go over.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Over {
    Tcp,
    Rtu,
    Ascii,
}

/// A plant that runs as long as this lives.
struct Running {
    units: Vec<SimUnit>,
    link: Link,
    endpoint: String,
    stop: CancellationToken,
    _task: JoinSet<()>,
}

impl Running {
    async fn start(units: usize) -> Self {
        Self::start_over(units, Over::Tcp).await
    }

    async fn start_over(units: usize, over: Over) -> Self {
        let units: Vec<SimUnit> = (0..units).map(|_| SimUnit::new(200)).collect();
        let by_id: BTreeMap<u8, SimUnit> = (1..).zip(units.iter().cloned()).collect();
        let plant = Plant::start("127.0.0.1:0".parse().unwrap(), by_id).await.unwrap();
        let endpoint = plant.address().to_string();
        let (plant, link) = match over {
            Over::Tcp => (plant, Link::tcp(&endpoint, 1)),
            Over::Rtu => (plant.over_rtu(), Link::rtu_over_tcp(&endpoint, 1)),
            Over::Ascii => (plant.over_ascii(), Link::ascii_over_tcp(&endpoint, 1)),
        };
        let link = link.with_timeout(TIME_OUT);
        let (stop, mut task) = (CancellationToken::new(), JoinSet::new());
        let token = stop.clone();
        task.spawn(async move { plant.run(token).await.unwrap() });
        Self { units, link, endpoint, stop, _task: task }
    }

    async fn session(&self) -> ModbusSession {
        Modbus::default().connect(&self.link).await.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct ModbusRig {
    driver: Modbus,
    plant: Running,
    step: u16,
    late: Duration,
}

fn holding(n: u16) -> Point {
    Point { holding: Some(n), ..Point::default() }
}

impl ModbusRig {
    async fn new(over: Over) -> Self {
        let plant = Running::start_over(1, over).await;
        plant.units[0].tables().holes.insert((Area::Holding, 3));
        let mut rig = Self {
            driver: Modbus::default(),
            plant,
            step: 0,
            late: if over == Over::Tcp { TIME_OUT * 2 } else { TIME_OUT * 3 / 2 },
        };
        rig.change();
        rig
    }
}

impl Rig for ModbusRig {
    type Driver = Modbus;

    fn driver(&self) -> &Modbus {
        &self.driver
    }
    fn link(&self) -> Link {
        self.plant.link.clone()
    }
    fn readable(&self) -> Vec<(Point, Value)> {
        let step = i64::from(self.step);
        let input = |n| Point { input: Some(n), ..Point::default() };
        vec![
            (holding(1), Value::Int(step)),
            (holding(5), Value::Int(step + 5)),
            (input(1), Value::Int(step + 100)),
            (Point { coil: Some(9), ..Point::default() }, Value::Bool(step % 2 == 1)),
            (Point { discrete: Some(2), ..Point::default() }, Value::Bool(step % 2 == 0)),
        ]
    }
    fn missing(&self) -> Point {
        holding(3)
    }
    fn writable(&self) -> (Point, Value, Value) {
        let point = Point { data_type: Some(DataType::Float32), ..holding(20) };
        (point, Value::float(1.5).unwrap(), Value::float(-2.25).unwrap())
    }
    fn read_only(&self) -> Point {
        Point { input: Some(1), ..Point::default() }
    }
    fn held(&self) -> Value {
        let tables = self.plant.units[0].tables();
        let bits = u32::from(tables.holding[20]) << 16 | u32::from(tables.holding[21]);
        Value::float(f32::from_bits(bits).into()).unwrap()
    }
    fn die(&mut self) {
        self.plant.units[0].set_fault(SimFault::Silent);
    }
    fn revive(&mut self) {
        self.plant.units[0].set_fault(SimFault::None);
    }
    fn answer_late(&mut self) {
        self.plant.units[0].set_fault(SimFault::Slow(self.late));
    }
    fn change(&mut self) {
        self.step += 1;
        let mut tables = self.plant.units[0].tables();
        tables.holding[1] = self.step;
        tables.holding[5] = self.step + 5;
        tables.input[1] = self.step + 100;
        tables.coils[9] = self.step % 2 == 1;
        tables.discrete[2] = self.step.is_multiple_of(2);
    }
}

#[tokio::test]
async fn the_modbus_driver_does_what_every_driver_must() {
    run_all(&mut ModbusRig::new(Over::Tcp).await).await;
}

#[tokio::test]
async fn over_rtu_it_does_what_every_driver_must() {
    run_all(&mut ModbusRig::new(Over::Rtu).await).await;
}

#[tokio::test]
async fn over_ascii_it_does_what_every_driver_must() {
    run_all(&mut ModbusRig::new(Over::Ascii).await).await;
}

#[tokio::test]
async fn on_a_line_no_wrong_answer_is_taken_for_a_value() {
    for over in [Over::Rtu, Over::Ascii] {
        no_wrong_answer_on_a_line(over).await;
    }
}

async fn no_wrong_answer_on_a_line(over: Over) {
    let plant = Running::start_over(1, over).await;
    let driver = Modbus::default();
    let mut session = driver.connect(&plant.link).await.unwrap();
    for fault in [
        SimFault::WrongUnit,
        SimFault::WrongChecksum,
        SimFault::Short,
        SimFault::Long,
        SimFault::Truncated,
        SimFault::Reset,
        SimFault::Silent,
    ] {
        plant.units[0].set_fault(fault);
        let answer = session.read(&[holding(1), holding(2)]).await.map(|samples| samples.len());
        assert!(
            answer.as_ref().is_err_and(|f| f.verdict() == Verdict::Reconnect),
            "{over:?}, {fault:?}: {answer:?}"
        );
        plant.units[0].set_fault(SimFault::None);
        let found = session.read(&[holding(1)]).await.map(|samples| samples[0].value.clone());
        assert_eq!(found, Ok(Ok(Value::Int(0))), "{over:?}, after {fault:?}");
    }
}

#[tokio::test]
async fn on_a_line_answers_that_are_always_late_are_never_taken_for_those_to_later_requests() {
    for over in [Over::Rtu, Over::Ascii] {
        late_answers_on_a_line(over).await;
    }
}

async fn late_answers_on_a_line(over: Over) {
    let plant = Running::start_over(1, over).await;
    let driver = Modbus::default();
    let mut session = driver.connect(&plant.link).await.unwrap();
    {
        let mut tables = plant.units[0].tables();
        for (n, register) in (0..).zip(&mut tables.holding) {
            *register = n;
        }
    }
    let mut good = 0;
    for n in 0..12u16 {
        // Half of the answers come after their time-out, among those to the following requests.
        let late = if n % 3 < 2 { SimFault::Slow(TIME_OUT * 3 / 2) } else { SimFault::None };
        plant.units[0].set_fault(late);
        if let Ok(samples) = session.read(&[holding(10 + n)]).await {
            assert_eq!(samples[0].value, Ok(Value::Int(i64::from(10 + n))));
            good += 1;
        }
    }
    plant.units[0].set_fault(SimFault::None);
    assert!(good > 0, "with time the line finds its way back");
}

#[tokio::test]
async fn no_wrong_answer_is_taken_for_a_value() {
    let plant = Running::start(1).await;
    let points = [holding(1), holding(2)];
    for fault in [
        SimFault::WrongTransaction,
        SimFault::WrongUnit,
        SimFault::Short,
        SimFault::Long,
        SimFault::Truncated,
        SimFault::Reset,
        SimFault::Silent,
        SimFault::Slow(TIME_OUT * 2),
    ] {
        let mut session = plant.session().await;
        session.read(&points).await.unwrap();
        plant.units[0].set_fault(fault);
        let answer = session.read(&points).await;
        assert!(answer.as_ref().is_err_and(|f| f.verdict() == Verdict::Reconnect), "{fault:?}: {answer:?}");
        plant.units[0].set_fault(SimFault::None);
        session.read(&points).await.unwrap_or_else(|f| panic!("after {fault:?}: {f}"));
    }
}

#[tokio::test]
async fn an_exception_is_named_in_words_and_leaves_the_connection_alone() {
    let plant = Running::start(1).await;
    let mut session = plant.session().await;
    let points = [holding(1)];
    plant.units[0].set_fault(SimFault::Exception(6));
    let samples = session.read(&points).await.unwrap();
    assert_eq!(samples[0].value, Err(Fault::Busy("server device busy (exception 6)".into())));
    plant.units[0].set_fault(SimFault::Exception(11));
    let fault = session.read(&points).await.unwrap_err();
    assert_eq!(
        fault.to_string(),
        "the device does not answer: gateway target device failed to respond (exception 11)"
    );
    plant.units[0].set_fault(SimFault::None);
    let missing = [holding(500)];
    let samples = session.read(&missing).await.unwrap();
    assert_eq!(samples[0].value, Err(Fault::Refused("illegal data address (exception 2)".into())));
}

#[tokio::test]
async fn adjacent_points_are_one_request_and_a_bad_one_is_gone_around_once_it_is_known() {
    let plant = Running::start(1).await;
    let mut session = plant.session().await;
    let points: Vec<Point> = (0..100).map(holding).collect();
    let requests = || plant.units[0].tables().requests;
    session.read(&points).await.unwrap();
    assert_eq!(requests(), 1);
    plant.units[0].tables().holes.insert((Area::Holding, 40));
    let refused =
        |samples: &[mapper_sdk::Sample<'_, Point>]| samples.iter().filter(|s| s.value.is_err()).count();
    assert_eq!(refused(&session.read(&points).await.unwrap()), 1);
    let before = requests();
    assert_eq!(refused(&session.read(&points).await.unwrap()), 1);
    assert_eq!(requests() - before, 2);
}

#[tokio::test]
async fn writing_one_bit_leaves_its_neighbours_alone_with_and_without_mask_write() {
    let plant = Running::start(1).await;
    for mask_write in [true, false] {
        let mut session = plant.session().await;
        plant.units[0].tables().mask_write = mask_write;
        plant.units[0].tables().holding[7] = 0xF0F0;
        let bit = |n| Point { bit: Some(n), ..holding(7) };
        session.write(&bit(0), &Value::Bool(true)).await.unwrap();
        session.write(&bit(15), &Value::Bool(false)).await.unwrap();
        assert_eq!(plant.units[0].tables().holding[7], 0x70F1);
    }
}

#[tokio::test]
async fn a_device_that_only_knows_how_to_write_several_registers_is_written_all_the_same() {
    let plant = Running::start(1).await;
    plant.units[0].tables().single_write = false;
    plant.units[0].tables().mask_write = false;
    let mut session = plant.session().await;
    session.write(&holding(7), &Value::Int(4711)).await.unwrap();
    session.write(&Point { bit: Some(15), ..holding(7) }, &Value::Bool(true)).await.unwrap();
    assert_eq!(plant.units[0].tables().holding[7], 4711 | 0x8000);
    let before = plant.units[0].tables().requests;
    session.write(&holding(7), &Value::Int(1)).await.unwrap();
    assert_eq!(
        plant.units[0].tables().requests - before,
        1,
        "it is not asked again for what it does not know"
    );
    let fault = session.write(&holding(500), &Value::Int(1)).await.unwrap_err();
    assert_eq!(fault, Fault::Refused("illegal data address (exception 2)".into()));
}

#[tokio::test]
async fn a_line_can_be_configured_otherwise_once_nobody_uses_it_as_it_was() {
    let plant = Running::start_over(1, Over::Rtu).await;
    let driver = Modbus::default();
    let rtu = driver.connect(&plant.link).await.unwrap();
    let ascii = Link::ascii_over_tcp(&plant.endpoint, 1);
    let fault = driver.connect(&ascii).await.unwrap_err().to_string();
    assert!(fault.contains("rtu_over_tcp") && fault.contains("ascii_over_tcp"), "{fault}");
    rtu.close().await;
    driver.connect(&ascii).await.unwrap();
}

#[tokio::test]
async fn a_text_of_123_registers_is_written_and_read_in_one_request_each() {
    let plant = Running::start(1).await;
    let mut session = plant.session().await;
    let text = Point { data_type: Some(DataType::String), length: Some(123), ..holding(0) };
    let value = Value::String("x".repeat(246));
    session.write(&text, &value).await.unwrap();
    let samples = session.read(std::slice::from_ref(&text)).await.unwrap();
    assert_eq!(samples[0].value, Ok(value));
    assert_eq!(plant.units[0].tables().requests, 2);
}

#[tokio::test]
async fn what_is_no_number_is_no_value_and_does_not_hurt_its_neighbours() {
    let plant = Running::start(1).await;
    let mut session = plant.session().await;
    let float = |n| Point { data_type: Some(DataType::Float32), ..holding(n) };
    {
        let mut tables = plant.units[0].tables();
        tables.holding[0] = 0x7FC0; // NaN
        tables.holding[2] = 0xFF80; // minus infinity
        tables.holding[4] = 0x41AC; // 21.5
    }
    let points = [float(0), float(2), float(4)];
    let samples = session.read(&points).await.unwrap();
    for sample in &samples[..2] {
        assert!(matches!(sample.value, Err(Fault::NotAValue(_))), "{:?}", sample.value);
    }
    assert_eq!(samples[2].value, Ok(Value::float(21.5).unwrap()));
}

#[tokio::test]
async fn a_value_that_does_not_fit_never_reaches_the_device() {
    let plant = Running::start(1).await;
    let mut session = plant.session().await;
    let fault = session.write(&holding(7), &Value::Int(70_000)).await.unwrap_err();
    assert_eq!(fault, Fault::Unsuitable("does not fit uint16: 70000".into()));
    assert_eq!(plant.units[0].tables().requests, 0);
}

#[tokio::test]
async fn units_behind_one_endpoint_share_a_connection_and_a_silent_one_harms_only_itself() {
    let plant = Running::start(2).await;
    plant.units[0].tables().holding[1] = 11;
    plant.units[1].tables().holding[1] = 22;
    let driver = Modbus::default();
    let second = Link::tcp(&plant.endpoint, 2).with_timeout(TIME_OUT);
    assert_eq!(driver.lane(&plant.link), driver.lane(&second));
    let mut one = driver.connect(&plant.link).await.unwrap();
    let mut two = driver.connect(&second).await.unwrap();
    let points = [holding(1)];
    assert_eq!(one.read(&points).await.unwrap()[0].value, Ok(Value::Int(11)));
    assert_eq!(two.read(&points).await.unwrap()[0].value, Ok(Value::Int(22)));
    plant.units[0].set_fault(SimFault::Silent);
    assert!(one.read(&points).await.is_err());
    assert_eq!(two.read(&points).await.unwrap()[0].value, Ok(Value::Int(22)));
}
