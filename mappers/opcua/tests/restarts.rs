//! The whole mapper while a server that others wrote goes and comes back, twenty times.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[expect(dead_code, reason = "every test uses a part of it")]
mod common;
#[expect(dead_code, reason = "every test uses a part of it")]
mod stack;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{PATIENCE, command, data_dir, free_port, python};
use opcua::OpcUa;
use stack::{Stack, devices};
use twin_core::Value;

/// A server that has made its variables and listens when it is told to: making them takes it seconds.
struct Standby(Child);

impl Standby {
    fn prepare(python: &Path, port: u16, folder: &Path, run: i64) -> Self {
        // Its namespaces move every other time.
        let mut words: Vec<String> = vec!["plain".into(), "wait".into(), format!("run={run}")];
        words.extend((run % 2 == 0).then(|| "moved".into()));
        let mut command = command(python, port, folder, &words);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until it could listen.
    async fn ready(&mut self) {
        let stdout = self.0.stdout.take().unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).map(|_| line)
        });
        let line = tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap().unwrap();
        assert_eq!(line.trim(), "ready");
    }

    /// Lets it listen, and waits until it does.
    async fn go(&mut self, port: u16) {
        self.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the server does not come up");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it at once, or lets it end by itself.
    fn end(&mut self, cleanly: bool) {
        if cleanly {
            let asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
            assert!(asked.unwrap().success());
        } else {
            self.0.kill().unwrap();
        }
        self.0.wait().unwrap();
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn after_each_of_twenty_restarts_values_flow_again_within_five_seconds() {
    let Some(python) = python() else { return };
    let (port, folder, data) = (free_port(), tempfile::tempdir().unwrap(), data_dir());
    let node = |name: &str| format!("opcua: {{node: \"nsu=http://example.org/plant;s={name}\"}}");
    let devices = devices(&format!(
        "devices:\n  one:\n    opcua: {{url: \"opc.tcp://127.0.0.1:{port}\", security: none, timeout: 1s}}\n    properties:\n      run: {{type: int, every: 500ms, {}}}\n      flow: {{type: int, every: 500ms, {}}}\n",
        node("Boiler.Run"),
        node("Clock.Ahead")
    ));
    let Some(mut stack) = Stack::start(OpcUa::new(data.path()), &devices).await else { return };
    let mut server: Option<Standby> = None;
    let mut next = Standby::prepare(&python, port, folder.path(), 0);
    let rounds = std::env::var("TWINSPAN_RESTARTS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let mut longest = Duration::ZERO;
    for run in 0..=rounds {
        next.ready().await;
        // The one before ends when the next could listen: it is away for a moment, or for a while.
        if let Some(mut before) = server.take() {
            before.end(run % 3 == 0);
            tokio::time::sleep(Duration::from_millis(if run % 5 == 0 { 2_000 } else { 100 })).await;
        }
        next.go(port).await;
        let back = Instant::now();
        let following = Standby::prepare(&python, port, folder.path(), run + 1);
        server = Some(std::mem::replace(&mut next, following));
        // At the first start the server may still be making its variables.
        let most = if run == 0 { PATIENCE } else { Duration::from_secs(5) };
        assert!(stack.shows("run", &Value::Int(run), most).await, "no value after restart {run}");
        if run > 0 {
            longest = longest.max(back.elapsed());
        }
    }
    println!("{rounds} restarts, the longest time to a fresh value {} ms", longest.as_millis());
    stack.end().await;
}
