//! Real peers for tests: found or built, started on free ports and in temporary folders, ended at the end.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]
#![expect(dead_code, reason = "every test uses a part of it")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mapper_sdk::{Driver as _, Fault, Session as _};
use modbus::{Link, Modbus, ModbusSession, Point};
use tempfile::TempDir;
use twin_core::Value;

pub(crate) fn peers() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../integration-tests/peers")
}

/// Whether a test whose peer is missing may be skipped; it fails otherwise.
fn skipped(missing: &str, mend: &str) {
    let may = std::env::var_os("TWINSPAN_SKIP_PEERS").is_some_and(|v| v == "1");
    assert!(may, "this test needs {missing}: {mend}, or set TWINSPAN_SKIP_PEERS=1");
    println!("skipped: there is no {missing}");
}

/// The Python of the virtual environment; none when the test is to be skipped.
pub(crate) fn python() -> Option<PathBuf> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.venv");
    let venv = std::env::var_os("TWINSPAN_VENV").map_or_else(own, PathBuf::from);
    let python = venv.join("bin/python");
    if python.exists() {
        return Some(python);
    }
    let path = venv.display();
    skipped("pymodbus", &format!("python3 -m venv {path} && {path}/bin/pip install 'pymodbus==3.*'"));
    None
}

/// The libmodbus server, built into `folder`; none when the test is to be skipped.
pub(crate) fn libmodbus_server(folder: &Path) -> Option<PathBuf> {
    let flags = Command::new("pkg-config").args(["--cflags", "--libs", "libmodbus"]).output();
    let Ok(flags) = flags.map(|output| (output.status.success(), output.stdout)) else {
        skipped("pkg-config", "apt-get install pkg-config libmodbus-dev gcc");
        return None;
    };
    if !flags.0 {
        skipped("libmodbus", "apt-get install libmodbus-dev gcc");
        return None;
    }
    let program = folder.join("libmodbus_server");
    let built = Command::new("gcc")
        .args(["-std=gnu11", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&program)
        .arg(peers().join("libmodbus_server.c"))
        .args(String::from_utf8(flags.1).unwrap().split_whitespace())
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(program)
}

/// A program of somebody else, ended at the end.
pub(crate) struct Peer {
    child: Child,
}

impl Peer {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self { child: command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap() }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Units on a serial line by pymodbus, without parity; all others are silent.
pub(crate) fn pymodbus_line<'u>(
    python: &Path,
    wire: &Wire,
    framer: &str,
    units: impl IntoIterator<Item = &'u str>,
) -> Peer {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peers/pymodbus_line.py");
    let line = [framer, &wire.theirs(), "19200", "N"].map(str::to_owned);
    Peer::spawn(Command::new(python).arg(script).args(line).args(units))
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Two serial ports that are joined by a wire.
pub(crate) struct Wire {
    folder: TempDir,
    _socat: Peer,
}

impl Wire {
    /// None when the test is to be skipped.
    pub(crate) fn start() -> Option<Self> {
        let runs = Command::new("socat").arg("-V").stdout(Stdio::null()).status().is_ok();
        if !runs {
            skipped("socat", "apt-get install socat");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let end = |name: &str| format!("pty,rawer,link={}", folder.path().join(name).display());
        let socat = Peer::spawn(Command::new("socat").args([end("ours"), end("theirs")]));
        let wire = Self { folder, _socat: socat };
        let begun = Instant::now();
        while !(Path::new(&wire.ours()).exists() && Path::new(&wire.theirs()).exists()) {
            assert!(begun.elapsed() < Duration::from_secs(10), "socat did not make its ports");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(wire)
    }

    pub(crate) fn ours(&self) -> String {
        self.folder.path().join("ours").display().to_string()
    }

    pub(crate) fn theirs(&self) -> String {
        self.folder.path().join("theirs").display().to_string()
    }
}

/// A session, once the device has come up: it must give this register.
pub(crate) async fn session(driver: &Modbus, link: &Link) -> ModbusSession {
    let begun = Instant::now();
    loop {
        let fault = match driver.connect(link).await {
            Ok(mut session) => match session.read(&[holding(10)]).await {
                Ok(samples) if samples[0].value == Ok(Value::Int(11)) => return session,
                Ok(samples) => format!("{:?}", samples[0].value),
                Err(fault) => fault.to_string(),
            },
            Err(fault) => fault.to_string(),
        };
        assert!(begun.elapsed() < Duration::from_secs(30), "{fault}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn values(session: &mut ModbusSession, points: &[Point]) -> Vec<Result<Value, Fault>> {
    session.read(points).await.unwrap().into_iter().map(|sample| sample.value).collect()
}

pub(crate) fn holding(n: u16) -> Point {
    Point { holding: Some(n), ..Point::default() }
}
