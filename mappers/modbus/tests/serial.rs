//! The driver on a serial line, which is a pair of pseudo-terminals, against devices that others wrote.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::{Peer, Wire, holding, libmodbus_server, peers, pymodbus_line, python, session, values};
use mapper_sdk::{Driver, Fault, Session as _, Verdict};
use modbus::link::Parity;
use modbus::{DataType, Link, Modbus, Point};
use twin_core::Value;

const BAUD: &str = "19200";

fn libmodbus(wire: &Wire, delay: Duration) -> Option<(Peer, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let program = libmodbus_server(folder.path())?;
    let mut command = Command::new(program);
    command.args(["rtu", &wire.theirs(), BAUD, "1"]).env("DELAY_MS", delay.as_millis().to_string());
    Some((Peer::spawn(&mut command), folder))
}

#[tokio::test]
async fn a_libmodbus_device_on_a_serial_line_is_read_and_written() {
    let Some(wire) = Wire::start() else { return };
    let Some(_peer) = libmodbus(&wire, Duration::ZERO) else { return };
    let link = Link::rtu(&wire.ours(), 19_200, 1).with_timeout(Duration::from_secs(1));
    let driver = Modbus::default();
    let mut session = session(&driver, &link).await;
    let points = [
        Point { coil: Some(3), ..Point::default() },
        Point { discrete: Some(6), ..Point::default() },
        Point { input: Some(42), ..Point::default() },
        holding(299),
    ];
    let expected = [Value::Bool(true), Value::Bool(true), Value::Int(42), Value::Int(300)];
    assert_eq!(values(&mut session, &points).await, expected.map(Ok));
    assert!(values(&mut session, &[holding(300)]).await[0].is_err(), "a register that is not there");
    let float = Point { data_type: Some(DataType::Float32), ..holding(30) };
    for (point, value) in [
        (float, Value::float(21.5).unwrap()),
        (Point { bit: Some(7), ..holding(20) }, Value::Bool(true)),
        (Point { coil: Some(8), ..Point::default() }, Value::Bool(true)),
    ] {
        session.write(&point, &value).await.unwrap_or_else(|fault| panic!("{point:?}: {fault}"));
        assert_eq!(values(&mut session, std::slice::from_ref(&point)).await, [Ok(value)]);
    }
}

#[tokio::test]
async fn a_late_answer_of_a_libmodbus_device_is_never_taken_for_the_next_ones_value() {
    let Some(wire) = Wire::start() else { return };
    let time_out = Duration::from_millis(200);
    let Some(_peer) = libmodbus(&wire, 3 * time_out) else { return };
    let link = Link::rtu(&wire.ours(), 19_200, 1).with_timeout(time_out);
    let driver = Modbus::default();
    let mut session = session(&driver, &link).await;
    for round in 0..3 {
        // The answer to this comes while register 10 is asked for, and has the same shape.
        let fault = session.read(&[holding(99)]).await.unwrap_err();
        assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
        let begun = Instant::now();
        loop {
            match session.read(&[holding(10)]).await {
                Ok(samples) => {
                    assert_eq!(samples[0].value, Ok(Value::Int(11)), "in round {round}");
                    break;
                }
                Err(fault) => assert!(begun.elapsed() < Duration::from_secs(15), "{fault}"),
            }
        }
    }
}

#[tokio::test]
async fn two_pymodbus_units_on_one_serial_line_are_read_and_a_third_that_is_not_there_gives_no_value() {
    let (Some(wire), Some(python)) = (Wire::start(), python()) else { return };
    let server = peers().join("pymodbus_server.py");
    let _peer = Peer::spawn(Command::new(python).arg(server).args(["rtu", &wire.theirs(), BAUD]));
    let link = |unit| Link::rtu(&wire.ours(), 19_200, unit).with_timeout(Duration::from_secs(1));
    let driver = Modbus::default();
    let mut one = session(&driver, &link(1)).await;
    let mut two = session(&driver, &link(2)).await;
    let mut missing = Driver::connect(&driver, &link(3)).await.unwrap();
    for _ in 0..2 {
        // pymodbus answers for units that it does not have, with an exception.
        let points = [holding(10)];
        let nothing = missing.read(&points).await;
        assert!(nothing.is_ok_and(|samples| samples.iter().all(|sample| sample.value.is_err())));
        assert_eq!(
            values(&mut one, &[holding(10), holding(120)]).await,
            [11, 121].map(|n| Ok(Value::Int(n)))
        );
        assert_eq!(values(&mut two, &[holding(20)]).await, [Ok(Value::Int(21))]);
    }
    let text = Point { data_type: Some(DataType::String), length: Some(3), ..holding(70) };
    one.write(&text, &Value::String("pump".into())).await.unwrap();
    assert_eq!(values(&mut one, &[text]).await, [Ok(Value::String("pump".into()))]);
}

#[tokio::test]
async fn pymodbus_units_on_an_ascii_line_are_read_and_written_with_seven_and_eight_data_bits() {
    for data_bits in [7u8, 8] {
        let (Some(wire), Some(python)) = (Wire::start(), python()) else { return };
        let _peer = pymodbus_line(&python, &wire, "ascii", ["1", "2"]);
        let link = |unit| {
            let link = Link::ascii(&wire.ours(), 19_200, unit).with_timeout(Duration::from_millis(500));
            link.with_line(Some(Parity::None), Some(1), Some(data_bits))
        };
        let driver = Modbus::default();
        let mut one = session(&driver, &link(1)).await;
        let mut two = Driver::connect(&driver, &link(2)).await.unwrap();
        let points: Vec<Point> = (0..120).map(holding).collect();
        let expected =
            |unit: i64| (1..=120).map(move |n| Ok(Value::Int(n + if unit > 1 { 1000 * unit } else { 0 })));
        assert_eq!(values(&mut one, &points).await, expected(1).collect::<Vec<_>>());
        assert_eq!(values(&mut two, &points).await, expected(2).collect::<Vec<_>>());
        let bits =
            [Point { coil: Some(3), ..Point::default() }, Point { discrete: Some(4), ..Point::default() }];
        assert_eq!(values(&mut one, &bits).await, [true, false].map(|bit| Ok(Value::Bool(bit))));
        let missing = values(&mut one, &[holding(300)]).await;
        assert_eq!(missing, [Err(Fault::Refused("illegal data address (exception 2)".into()))]);
        for (point, value) in [
            (Point { data_type: Some(DataType::Float32), ..holding(30) }, Value::float(21.5).unwrap()),
            (Point { bit: Some(7), ..holding(20) }, Value::Bool(true)),
            (Point { coil: Some(8), ..Point::default() }, Value::Bool(true)),
        ] {
            one.write(&point, &value).await.unwrap_or_else(|fault| panic!("{point:?}: {fault}"));
            assert_eq!(values(&mut one, std::slice::from_ref(&point)).await, [Ok(value)]);
        }
        let mut nobody = Driver::connect(&driver, &link(3)).await.unwrap();
        assert_eq!(
            nobody.read(&[holding(10)]).await.unwrap_err(),
            Fault::TimedOut(Duration::from_millis(500))
        );
        assert_eq!(values(&mut two, &[holding(10)]).await, [Ok(Value::Int(2011))]);
    }
}
