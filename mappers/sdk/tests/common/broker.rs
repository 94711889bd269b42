//! A mosquitto for tests.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// Where mosquitto is; none when the test is to be skipped.
fn mosquitto() -> Option<PathBuf> {
    let names = ["mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
    let runs = |name: &&str| {
        Command::new(name).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    let found = names.into_iter().find(runs);
    if found.is_none() && std::env::var_os("TWINSPAN_SKIP_PEERS").is_some_and(|v| v == "1") {
        println!("skipped: mosquitto is not installed");
        return None;
    }
    Some(found.unwrap_or_else(|| panic!("this test needs mosquitto: apt-get install mosquitto")).into())
}

/// A mosquitto of our own: free port, own folder, ended at the end.
pub(crate) struct Broker {
    program: PathBuf,
    child: Option<Child>,
    folder: TempDir,
    pub(crate) port: u16,
}

impl Broker {
    pub(crate) fn start() -> Option<Self> {
        let program = mosquitto()?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let config = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n");
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let mut broker = Self { program, child: None, folder, port };
        broker.up();
        Some(broker)
    }

    pub(crate) fn up(&mut self) {
        let config = self.folder.path().join("mosquitto.conf");
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("mosquitto does not listen on {}", self.port);
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}
