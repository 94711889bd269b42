//! The driver against a Modbus device that others wrote: libmodbus.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::process::Command;
use std::time::Duration;

use common::{Peer, free_port, holding, libmodbus_server, session, values};
use mapper_sdk::{Fault, Session as _};
use modbus::{Byte, DataType, Link, Modbus, ModbusSession, Point};
use tempfile::TempDir;
use twin_core::Value;

/// A libmodbus device over TCP; its program lives in the folder.
async fn over_tcp() -> Option<(ModbusSession, Peer, TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let program = libmodbus_server(folder.path())?;
    let port = free_port();
    let peer = Peer::spawn(Command::new(program).args(["tcp", &port.to_string()]));
    let link = Link::tcp(&format!("127.0.0.1:{port}"), 1).with_timeout(Duration::from_secs(2));
    Some((session(&Modbus::default(), &link).await, peer, folder))
}

#[tokio::test]
async fn all_areas_of_a_libmodbus_device_are_read_and_what_is_not_there_is_refused() {
    let Some((mut session, _peer, _folder)) = over_tcp().await else { return };
    let points = [
        Point { coil: Some(3), ..Point::default() },
        Point { discrete: Some(6), ..Point::default() },
        Point { input: Some(42), ..Point::default() },
        Point { address: Some(40_011), ..Point::default() },
        Point { data_type: Some(DataType::Uint32), ..holding(0) },
        holding(299),
        holding(300),
    ];
    let refused = Err(Fault::Refused("illegal data address (exception 2)".into()));
    let good = [Value::Bool(true), Value::Bool(true), Value::Int(42), Value::Int(11), Value::Int(0x1_0002)];
    let expected: Vec<_> = good.into_iter().chain([Value::Int(300)]).map(Ok).chain([refused]).collect();
    for _ in 0..2 {
        assert_eq!(values(&mut session, &points).await, expected);
    }
}

#[tokio::test]
async fn what_is_written_to_a_libmodbus_device_reads_back_and_leaves_its_neighbours_alone() {
    let Some((mut session, _peer, _folder)) = over_tcp().await else { return };
    let byte = |byte| Point { byte: Some(byte), data_type: Some(DataType::Uint8), ..holding(20) };
    let writes = [
        (Point { coil: Some(8), ..Point::default() }, Value::Bool(true)),
        (Point { data_type: Some(DataType::Float64), ..holding(30) }, Value::float(-0.125).unwrap()),
        (Point { data_type: Some(DataType::Bcd32), ..holding(40) }, Value::Int(12_345_678)),
        (byte(Byte::High), Value::Int(0xAB)),
        (Point { bit: Some(7), ..holding(20) }, Value::Bool(true)),
    ];
    for (point, value) in &writes {
        session.write(point, value).await.unwrap_or_else(|fault| panic!("{point:?}: {fault}"));
        assert_eq!(values(&mut session, std::slice::from_ref(point)).await, [Ok(value.clone())]);
    }
    // Register 20 held 21; its high byte and its bit 7 were written.
    assert_eq!(
        values(&mut session, &[holding(20), holding(21)]).await,
        [0xAB95, 22].map(|n| Ok(Value::Int(n)))
    );
}
