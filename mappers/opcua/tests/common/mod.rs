//! The asyncua server for tests: started on a free port and in a temporary folder, ended at the end.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use mapper_sdk::{Driver as _, Fault, Session as _};
use opcua::pki::Standing;
use opcua::{Link, OpcUa, OpcUaSession, Point, Security};
use tempfile::TempDir;
use twin_core::Value;

/// How long the server may take to come up on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One certificate for the drivers of all tests: making one takes seconds.
static OWN: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    opcua::pki::Own::keep(&folder.path().join("own"), 0).unwrap();
    folder
});

/// A data folder of a driver, with a certificate.
pub(crate) fn data_dir() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("own")).unwrap();
    for file in ["cert.der", "key.pem"] {
        std::fs::copy(OWN.path().join("own").join(file), folder.path().join("own").join(file)).unwrap();
    }
    folder
}

/// The Python of the virtual environment; none when the test is to be skipped.
pub(crate) fn python() -> Option<PathBuf> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.venv");
    let venv = std::env::var_os("TWINSPAN_VENV").map_or_else(own, PathBuf::from);
    let python = venv.join("bin/python");
    let runs = |python: &Path| {
        let found = Command::new(python).args(["-c", "import asyncua"]).stderr(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    };
    if python.exists() && runs(&python) {
        return Some(python);
    }
    let may = std::env::var_os("TWINSPAN_SKIP_PEERS").is_some_and(|v| v == "1");
    let path = venv.display();
    assert!(
        may,
        "this test needs asyncua: python3 -m venv {path} && {path}/bin/pip install 'asyncua==2.*', or set TWINSPAN_SKIP_PEERS=1"
    );
    println!("skipped: there is no asyncua");
    None
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The command that starts the server.
pub(crate) fn command(python: &Path, port: u16, folder: &Path, arguments: &[String]) -> Command {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peers/asyncua_server.py");
    let mut command = Command::new(python);
    command.arg(script).arg(port.to_string()).arg(folder).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The server, ended at the end.
pub(crate) struct Server {
    python: PathBuf,
    port: u16,
    folder: TempDir,
    child: Child,
    pub(crate) arguments: Vec<String>,
    pub(crate) driver: OpcUa,
    pub(crate) data: TempDir,
}

impl Server {
    fn spawn(python: &Path, port: u16, folder: &Path, arguments: &[String]) -> Child {
        command(python, port, folder, arguments).spawn().unwrap()
    }

    /// A server that answers; none when the test is to be skipped.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// The same with words for the server.
    pub(crate) async fn start_with(words: &[&str]) -> Option<Self> {
        let python = python()?;
        let arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let child = Self::spawn(&python, port, folder.path(), &arguments);
        let data = data_dir();
        let driver = OpcUa::new(data.path());
        let server = Self { python, port, folder, child, arguments, driver, data };
        server.session(&server.link()).await.close().await;
        Some(server)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.child = Self::spawn(&self.python, self.port, self.folder.path(), &self.arguments);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("opc.tcp://127.0.0.1:{}", self.port)
    }

    pub(crate) fn link(&self) -> Link {
        Link::to(&self.url()).with_security(Security::None)
    }

    /// Trusts the server's certificate.
    pub(crate) fn trust(&self) {
        let list = OpcUa::trust_list(self.data.path()).unwrap();
        let bytes = std::fs::read(self.folder.path().join("cert.der")).unwrap();
        let certificate = opcua::pki::Certificate::parse(&bytes).unwrap();
        list.note(&certificate, &self.url()).unwrap();
        list.decide(&certificate.thumbprint, Standing::Trusted).unwrap();
    }

    /// A session, once the server is up and has its variables.
    pub(crate) async fn session(&self, link: &Link) -> OpcUaSession {
        let begun = Instant::now();
        loop {
            let fault = match self.driver.connect(link).await {
                Ok(mut session) => match session.read(&[variable("Boiler.Serial")]).await {
                    Ok(samples) if samples[0].value.is_ok() => return session,
                    Ok(samples) => format!("{:?}", samples[0].value),
                    Err(fault) => fault.to_string(),
                },
                Err(fault) => fault.to_string(),
            };
            assert!(begun.elapsed() < PATIENCE, "{fault}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A variable of the server, by the URI of its namespace.
pub(crate) fn variable(name: &str) -> Point {
    Point::node(&format!("nsu=http://example.org/plant;s={name}"))
}

pub(crate) fn float(number: f64) -> Value {
    Value::float(number).unwrap()
}

pub(crate) async fn values(session: &mut OpcUaSession, points: &[Point]) -> Vec<Result<Value, Fault>> {
    session.read(points).await.unwrap().into_iter().map(|sample| sample.value).collect()
}
