//! Real peers: pymodbus as the PLC and as a client of its own, mosquitto as the broker.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::ports::Port;
use super::process::Process;
use super::wait::eventually;

/// Set to 1, tests against real peers that are not installed say so and pass.
pub const SKIP_PEERS: &str = "TWINSPAN_SKIP_PEERS";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Panics unless what is missing may be skipped.
fn missing(what: &str) {
    let skip = std::env::var_os(SKIP_PEERS).is_some_and(|value| value == "1");
    assert!(skip, "{what} is missing: scripts/test installs it, or set {SKIP_PEERS}=1 to skip this test");
    eprintln!("skipped: {what} is missing");
}

/// The Python that has the test peers; none when it is missing and the test is to be skipped.
///
/// # Panics
/// When it is missing and may not be skipped.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let venv = std::env::var_os("TWINSPAN_VENV").map_or_else(|| root().join(".venv"), PathBuf::from);
    let python = venv.join("bin/python");
    if python.exists() {
        return Some(python);
    }
    missing(&format!("the Python of the test peers, {}", python.display()));
    None
}

/// pymodbus as a Modbus TCP device with units 1 and 2; holding register n begins with n + 1.
#[derive(Debug)]
pub struct ModbusPlc {
    // Before the folder: its log is in there.
    process: Option<Process>,
    folder: TempDir,
    python: PathBuf,
    port: Port,
}

impl ModbusPlc {
    /// A device that answers; none when it is to be skipped.
    ///
    /// # Panics
    /// When pymodbus is missing and may not be skipped, or does not start.
    pub async fn start() -> Option<Self> {
        let python = python()?;
        let folder = TempDir::new().expect("a folder for the device");
        let mut plc = Self { folder, python, port: Port::free(), process: None };
        plc.start_again().await;
        Some(plc)
    }

    /// Starts it again on the same port, with the registers as in the beginning.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&mut self) {
        let mut command = Command::new(&self.python);
        command.arg(script("pymodbus_server.py")).arg(self.port.number().to_string()).env("TRACE_READS", "1");
        self.process = Some(Process::start("pymodbus", &mut command, &self.folder.path().join("log")));
        eventually("pymodbus answers", async || self.run(&["1", "holding", "0", "1"])).await;
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        self.port.address()
    }

    /// What an independent client reads from a holding register of unit 1.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn holding(&self, register: u16) -> u16 {
        let text = self.run(&["1", "holding", &register.to_string(), "1"]).expect("pymodbus reads");
        text.trim().parse().expect("a register is a number")
    }

    /// Lets an independent client write a holding register of unit 1.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn set_holding(&self, register: u16, value: u16) {
        self.run(&["1", "holding", &register.to_string(), "1", &value.to_string()]).expect("pymodbus writes");
    }

    /// What was written to it, by anybody, since the first start: `write REGISTER VALUE...`.
    #[must_use]
    pub fn writes(&self) -> Vec<String> {
        let log = self.process.as_ref().map(Process::log).unwrap_or_default();
        log.lines().filter(|line| line.starts_with("write ")).map(str::to_owned).collect()
    }

    /// How often anything was read from it, by anybody, since it was last started.
    #[must_use]
    pub fn reads(&self) -> usize {
        let log = self.process.as_ref().map(Process::log).unwrap_or_default();
        log.lines().filter(|line| line.starts_with("read ")).count()
    }

    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.python);
        command.arg(script("pymodbus_client.py")).arg(self.port.number().to_string()).args(arguments);
        let output = command.output().map_err(|e| e.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

fn script(name: &str) -> PathBuf {
    root().join("integration-tests/peers").join(name)
}

/// mosquitto, with a configuration of its own.
#[derive(Debug)]
pub struct Mosquitto {
    // Before the folder: its log is in there.
    process: Option<Process>,
    folder: TempDir,
    port: Port,
}

impl Mosquitto {
    /// A broker that listens; none when it is to be skipped.
    ///
    /// # Panics
    /// When mosquitto is missing and may not be skipped, or does not start.
    pub async fn start() -> Option<Self> {
        let found = search("mosquitto");
        if found.is_none() || search("mosquitto_pub").is_none() {
            missing("mosquitto with its clients");
            return None;
        }
        let folder = TempDir::new().expect("a folder for mosquitto");
        let port = Port::free();
        let text = format!("listener {} 127.0.0.1\nallow_anonymous true\npersistence false\n", port.number());
        std::fs::write(folder.path().join("mosquitto.conf"), text).expect("a configuration for mosquitto");
        let mut broker = Self { folder, port, process: None };
        broker.start_again().await;
        Some(broker)
    }

    /// Starts it again on the same port; it has forgotten everything.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&mut self) {
        let mut command = Command::new(search("mosquitto").expect("it was there before"));
        command.arg("-c").arg(self.folder.path().join("mosquitto.conf"));
        self.process = Some(Process::start("mosquitto", &mut command, &self.folder.path().join("log")));
        eventually("mosquitto listens", async || {
            let connected = tokio::net::TcpStream::connect(self.port.address()).await;
            connected.map(|_| ()).map_err(|e| e.to_string())
        })
        .await;
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.port.address())
    }

    /// Publishes with mosquitto's own client.
    ///
    /// # Panics
    /// When that fails.
    pub fn publish(&self, topic: &str, body: &str) {
        publish(self.port(), topic, body);
    }
}

fn publish(port: u16, topic: &str, body: &str) {
    let mut command = Command::new(search("mosquitto_pub").expect("mosquitto_pub is there"));
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", topic, "-m", body]);
    let output = command.output().expect("mosquitto_pub can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Where a program of the system is, if it is there.
#[must_use]
pub fn found(name: &str) -> Option<PathBuf> {
    search(name)
}

fn search(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/bin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.exists())
}
