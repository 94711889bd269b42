//! Real peers for tests: a D-Bus of their own, the API of BlueZ on it, and peripherals.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ble::{Address, Ble, BlueZ, Link, Point};
use config::{NoSecrets, Source, load};
use mapper_sdk::{Driver as _, Fault, Session as _};
use tempfile::TempDir;
use twin_core::Value;

/// The addresses of the virtual adapters: hci0 is ours, the others carry peripherals.
const VIRTUAL: [&str; 3] = ["00:11:22:33:44:55", "C4:7C:8D:6A:12:34", "C4:7C:8D:6A:12:35"];

/// Names the bus of a real BlueZ with three adapters that hear each other, to be used in place of the virtual ones.
const REAL_BUS: &str = "TWINSPAN_TEST_BLUEZ";

/// Whether a test whose peer is missing may be skipped; it fails otherwise.
fn skipped(missing: &str, mend: &str) {
    let may = std::env::var_os("TWINSPAN_SKIP_PEERS").is_some_and(|v| v == "1");
    assert!(may, "this test needs {missing}: {mend}, or set TWINSPAN_SKIP_PEERS=1");
    println!("skipped: there is no {missing}");
}

/// The Python of the virtual environment, with bluezoo; none when the test is to be skipped.
fn python() -> Option<PathBuf> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.venv");
    let venv = std::env::var_os("TWINSPAN_VENV").map_or_else(own, PathBuf::from);
    let python = venv.join("bin/python");
    let has =
        Command::new(&python).args(["-c", "import bluezoo, bluez_peripheral"]).stderr(Stdio::null()).status();
    if has.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    let pip = venv.join("bin/pip");
    skipped("bluezoo", &format!("{} install bluezoo==1.0.2 bluez-peripheral==0.1.7", pip.display()));
    None
}

/// A program of somebody else, ended at the end.
pub(crate) struct Peer {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Peer {
    fn spawn(command: &mut Command) -> Self {
        let complaints = if std::env::var_os(REAL_BUS).is_some() { Stdio::inherit() } else { Stdio::null() };
        command.stdout(Stdio::piped()).stderr(complaints).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits until the program prints this line.
    pub(crate) fn wait_for(&self, line: &str) {
        let begun = Instant::now();
        loop {
            let left = Duration::from_secs(30).saturating_sub(begun.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(printed) if printed.contains(line) => return,
                Ok(_) => {}
                Err(_) => panic!("a peer never said `{line}`"),
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A bus with BlueZ's API and three virtual adapters.
pub(crate) struct Bus {
    address: String,
    adapters: Vec<String>,
    python: PathBuf,
    bluez: Option<Peer>,
    _daemon: Option<(Peer, TempDir)>,
}

impl Bus {
    /// None when the test is to be skipped.
    pub(crate) async fn start() -> Option<Self> {
        match std::env::var(REAL_BUS) {
            Ok(address) => Some(Self::real(address).await),
            Err(_) => Self::start_virtual(),
        }
    }

    /// None when the test is to be skipped: also where BlueZ is real, since nobody may unplug or stop that.
    pub(crate) fn start_virtual() -> Option<Self> {
        if std::env::var_os(REAL_BUS).is_some() {
            println!("skipped: this needs virtual adapters");
            return None;
        }
        let python = python()?;
        if Command::new("dbus-daemon").arg("--version").stdout(Stdio::null()).status().is_err() {
            skipped("dbus-daemon", "apt-get install dbus");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bus.conf");
        let address = format!("unix:path={}", folder.path().join("bus").display());
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>system</type><listen>{address}</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
             <allow eavesdrop=\"true\"/><allow own=\"*\"/><allow user=\"*\"/></policy></busconfig>\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args(["--nofork", "--print-address=1"]);
        let daemon = Peer::spawn(&mut command);
        daemon.wait_for("unix:path=");
        let adapters = VIRTUAL.map(str::to_owned).to_vec();
        let mut bus = Self { address, adapters, python, bluez: None, _daemon: Some((daemon, folder)) };
        bus.start_bluez();
        Some(bus)
    }

    /// A real BlueZ, which has forgotten what it knew of its neighbours.
    async fn real(address: String) -> Self {
        let mut bus =
            Self { address, adapters: Vec::new(), python: python().unwrap(), bluez: None, _daemon: None };
        for number in 0..3 {
            let adapter = format!("/org/bluez/hci{number}");
            let properties = "org.freedesktop.DBus.Properties";
            let reply =
                bus.call(&adapter, properties, "Get", &("org.bluez.Adapter1", "Address")).await.unwrap();
            let found: zbus::OwnedVariant = reply.body().deserialize().unwrap();
            bus.adapters.push(found.try_into().unwrap());
        }
        for one in 0..3 {
            for other in &bus.adapters {
                let adapter = format!("/org/bluez/hci{one}");
                let device = format!("{adapter}/dev_{}", other.replace(':', "_"));
                let device = zbus::ObjectPath::try_from(device).unwrap();
                // What it does not know it cannot forget.
                let _ = bus.call(&adapter, "org.bluez.Adapter1", "RemoveDevice", &device).await;
            }
        }
        bus
    }

    /// The address of the device on the adapter with this number.
    pub(crate) fn device(&self, adapter: usize) -> Address {
        self.adapters[adapter].parse().unwrap()
    }

    /// The device on the adapter with this number.
    pub(crate) fn link(&self, adapter: usize) -> Link {
        let (answer, connect) = (Duration::from_secs(5), Duration::from_secs(15));
        Link::to(self.device(adapter)).through(Some("hci0".into())).with_timeouts(answer, connect)
    }

    pub(crate) fn driver(&self) -> Ble {
        Ble::over(BlueZ::on_bus(&self.address))
    }

    fn script(&self, name: &str) -> Command {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name);
        let mut command = Command::new(&self.python);
        command.arg("-u").arg(path).env("DBUS_SYSTEM_BUS_ADDRESS", &self.address);
        command
    }

    pub(crate) fn start_bluez(&mut self) {
        let mut command = self.script("bluez_api.py");
        command.args(["--auto-enable", "--scan-interval", "1"]);
        for address in &self.adapters {
            command.args(["--adapter", address]);
        }
        self.bluez = Some(Peer::spawn(&mut command));
    }

    pub(crate) fn stop_bluez(&mut self) {
        self.bluez = None;
    }

    /// A thermometer on the adapter with this number.
    pub(crate) fn thermometer(&self, adapter: usize, temperature: f64, more: &[&str]) -> Peer {
        let begun = Instant::now();
        loop {
            let mut command = self.script("peripheral.py");
            let name = format!("Thermo {adapter}");
            command.arg(format!("hci{adapter}")).arg(name).arg(temperature.to_string()).args(more);
            let peer = Peer::spawn(&mut command);
            // BlueZ may not be up yet: then the script ends at once.
            match peer.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line.contains("up") => return peer,
                _ => assert!(begun.elapsed() < Duration::from_secs(90), "no peripheral came up"),
            }
        }
    }

    /// Calls a method of BlueZ, as somebody else would.
    pub(crate) async fn call<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Result<zbus::Message>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        let connection = zbus::connection::Builder::address(self.address.as_str()).build().await.unwrap();
        connection.call_method(Some("org.bluez"), path, Some(interface), method, body).await
    }

    /// Ends the connection to the device on this adapter, as if it had gone out of reach.
    pub(crate) async fn cut(&self, adapter: usize) {
        let path = format!("/org/bluez/hci0/dev_{}", self.adapters[adapter].replace(':', "_"));
        self.call(&path, "org.bluez.Device1", "Disconnect", &()).await.unwrap();
    }
}

/// The link of a device that is written like this.
pub(crate) fn written(ble: &str) -> Link {
    let property = "{p: {type: int, ble: {link: rssi}}}";
    let text = format!("gateway: {{node: n}}\ndevices: {{d: {{ble: {ble}, properties: {property}}}}}\n");
    let loaded = load(&[Source::new("t.yaml", text)], &[ble::protocol()], &NoSecrets).unwrap();
    let device = loaded.config.devices.into_values().next().unwrap();
    device.link.as_ref().unwrap().get::<Link>().unwrap().clone()
}

/// The value of a point, read over a connection of its own driver.
pub(crate) async fn read_one(driver: &Ble, link: &Link, point: &Point) -> Result<Value, Fault> {
    let mut session = driver.connect(link).await?;
    let value = session.read(std::slice::from_ref(point)).await?.remove(0).value;
    session.close().await;
    value
}

/// Tries again until it works; panics with the last fault after 30 s.
pub(crate) async fn until<T>(mut attempt: impl AsyncFnMut() -> Result<T, Fault>) -> T {
    let begun = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(fault) if begun.elapsed() > Duration::from_secs(30) => panic!("{fault}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
