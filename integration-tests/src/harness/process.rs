//! A process that ends with its owner, and whose log is shown when its test fails.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How many of the last lines of its log are shown when a test fails.
const SHOWN_LINES: usize = 40;

/// One of the workspace's own programs.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.parent().and_then(Path::parent).expect("the folder of the programs");
    let path = folder.join(name);
    assert!(
        path.exists(),
        "there is no {}: build it first with `cargo build --workspace --bins`, or run scripts/test, which does that",
        path.display()
    );
    path
}

/// A process of a test.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it says is appended to the file `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("a log can be written");
        let second = file.try_clone().expect("a log can be written twice");
        let started = command.stdin(Stdio::null()).stdout(file).stderr(second).spawn();
        let child = started.unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// Ends it as a power cut would.
    ///
    /// # Panics
    /// When the system does not let us.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process of our own can be killed");
        self.child.wait().expect("a process of our own can be waited for");
    }

    /// Asks it to end, as a service manager does.
    ///
    /// # Panics
    /// When `kill` cannot be run.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Asks it to read its configuration again, as a service manager does.
    ///
    /// # Panics
    /// When `kill` cannot be run.
    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(
            status.expect("kill can be run").success(),
            "{} was not there to be sent {signal}",
            self.name
        );
    }

    /// How it ended; none while it runs.
    ///
    /// # Panics
    /// When the system does not know it.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a process of our own can be asked for")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it has not ended `within` that time.
    pub async fn end(&mut self, within: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(
                begun.elapsed() < within,
                "{} still runs after {} ms: {}",
                self.name,
                within.as_millis(),
                self.tail()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// All that it has said, and its forerunners in the same log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- the end of the log of {}\n{}\n----", self.name, self.tail());
        }
    }
}
