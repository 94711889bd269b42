//! The driver against a Modbus device that others wrote: pymodbus, from a virtual environment.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mapper_sdk::{Driver as _, Fault, Session as _, Verdict};
use modbus::{DataType, Link, Modbus, ModbusSession, Number, Order, Point};
use twin_core::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Python of the virtual environment; none when the test is to be skipped.
fn python() -> Option<PathBuf> {
    let venv = std::env::var_os("TWINSPAN_VENV").map_or_else(|| root().join(".venv"), PathBuf::from);
    let python = venv.join("bin/python");
    if python.exists() {
        return Some(python);
    }
    if std::env::var_os("TWINSPAN_SKIP_PEERS").is_some_and(|v| v == "1") {
        println!("skipped: there is no {}", python.display());
        return None;
    }
    let venv = venv.display();
    panic!(
        "there is no {venv}: python3 -m venv {venv} && {venv}/bin/pip install 'pymodbus==3.*', or set TWINSPAN_SKIP_PEERS=1"
    );
}

struct Server {
    python: PathBuf,
    port: u16,
    child: Child,
}

impl Server {
    fn spawn(python: &PathBuf, port: u16) -> Child {
        Command::new(python)
            .arg(root().join("integration-tests/peers/pymodbus_server.py"))
            .arg(port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    async fn start(python: PathBuf) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Self::spawn(&python, port);
        let server = Self { python, port, child };
        server.session().await;
        server
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(&self.python, self.port);
    }

    fn link(&self, unit: u8) -> Link {
        Link::tcp(&format!("127.0.0.1:{}", self.port), unit).with_timeout(Duration::from_secs(2))
    }

    /// A session, once the server has come up.
    async fn session(&self) -> ModbusSession {
        let begun = Instant::now();
        loop {
            match Modbus::default().connect(&self.link(1)).await {
                Ok(session) => return session,
                Err(fault) => assert!(begun.elapsed() < Duration::from_secs(30), "{fault}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What an independent client reads.
    fn independent(&self, area: &str, start: u16, count: u16) -> String {
        let output = Command::new(&self.python)
            .arg(root().join("integration-tests/peers/pymodbus_client.py"))
            .args([&self.port.to_string(), "1", area, &start.to_string(), &count.to_string()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn holding(n: u16) -> Point {
    Point { holding: Some(n), ..Point::default() }
}

fn typed(n: u16, data_type: DataType) -> Point {
    Point { data_type: Some(data_type), ..holding(n) }
}

fn float(number: f64) -> Value {
    Value::float(number).unwrap()
}

async fn values(session: &mut ModbusSession, points: &[Point]) -> Vec<Result<Value, Fault>> {
    session.read(points).await.unwrap().into_iter().map(|sample| sample.value).collect()
}

#[tokio::test]
async fn all_areas_and_types_of_a_pymodbus_device_are_read() {
    let Some(python) = python() else { return };
    let server = Server::start(python).await;
    let mut session = server.session().await;
    let points = [
        Point { coil: Some(3), ..Point::default() },
        Point { discrete: Some(6), ..Point::default() },
        Point { input: Some(42), ..Point::default() },
        Point { address: Some(40_011), ..Point::default() },
        typed(0, DataType::Uint32),
        Point { word_order: Order::Little, ..typed(0, DataType::Uint32) },
        Point { byte_order: Order::Little, ..typed(0, DataType::Int16) },
        typed(0, DataType::Uint64),
        Point { bit: Some(1), ..holding(1) },
        Point { scale: Some(Number(0.1)), offset: Some(Number(-5.0)), ..holding(99) },
        Point { data_type: Some(DataType::Bytes), length: Some(2), ..holding(0) },
        holding(250),
    ];
    let expected = [
        Value::Bool(true),
        Value::Bool(true),
        Value::Int(42),
        Value::Int(11),
        Value::Int(0x0001_0002),
        Value::Int(0x0002_0001),
        Value::Int(0x0100),
        Value::Int(0x0001_0002_0003_0004),
        Value::Bool(true),
        float(5.0),
        Value::Bytes(vec![0, 1, 0, 2]),
        Value::Int(251),
    ];
    assert_eq!(values(&mut session, &points).await, expected.map(Ok));
}

#[tokio::test]
async fn a_missing_register_of_a_pymodbus_device_does_not_hurt_its_neighbours() {
    let Some(python) = python() else { return };
    let server = Server::start(python).await;
    let mut session = server.session().await;
    let points: Vec<Point> = (295..303).map(holding).collect();
    for _ in 0..2 {
        let found = values(&mut session, &points).await;
        assert_eq!(found[..5], (296..301).map(|n| Ok(Value::Int(n))).collect::<Vec<_>>());
        let refused = Err(Fault::Refused("illegal data address (exception 2)".into()));
        assert_eq!(found[5..], vec![refused; 3]);
    }
}

#[tokio::test]
async fn what_is_written_is_in_the_device_as_an_independent_client_sees_it() {
    let Some(python) = python() else { return };
    let server = Server::start(python).await;
    let mut session = server.session().await;
    let text = Point { length: Some(3), ..typed(70, DataType::String) };
    let little = Point { word_order: Order::Little, ..typed(60, DataType::Float32) };
    let writes = [
        (holding(50), Value::Int(4711)),
        (typed(52, DataType::Int32), Value::Int(-2)),
        (little, float(21.5)),
        (text, Value::String("pump".into())),
        (Point { coil: Some(8), ..Point::default() }, Value::Bool(true)),
        (Point { bit: Some(0), ..holding(79) }, Value::Bool(true)),
    ];
    for (point, value) in &writes {
        session.write(point, value).await.unwrap_or_else(|fault| panic!("{point:?}: {fault}"));
        assert_eq!(values(&mut session, std::slice::from_ref(point)).await, [Ok(value.clone())]);
    }
    assert_eq!(server.independent("holding", 50, 4), "4711 52 65535 65534");
    assert_eq!(server.independent("holding", 60, 2), "0 16812");
    assert_eq!(server.independent("holding", 70, 3), "28789 28016 0");
    assert_eq!(server.independent("holding", 79, 1), "81");
    assert_eq!(server.independent("coil", 7, 3), "1 1 1");
}

#[tokio::test]
async fn a_killed_device_is_a_fault_and_its_values_come_back_with_it() {
    let Some(python) = python() else { return };
    let mut server = Server::start(python).await;
    let mut session = server.session().await;
    let points = [holding(10)];
    assert_eq!(values(&mut session, &points).await, [Ok(Value::Int(11))]);
    server.kill();
    let fault = session.read(&points).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::Reconnect, "{fault}");
    assert!(Modbus::default().connect(&server.link(1)).await.is_err());
    server.restart();
    let mut session = server.session().await;
    assert_eq!(values(&mut session, &points).await, [Ok(Value::Int(11))]);
}
