use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::ask;

fn program(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinspan-cloud"));
    command.args(arguments).env("TWINSPAN_CLOUD_DATA", data).env_remove("TWINSPAN_LOG").kill_on_drop(true);
    command
}

async fn output(arguments: &[&str], data: &Path) -> Output {
    program(arguments, data).output().await.unwrap()
}

struct Server {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    address: SocketAddr,
}

impl Server {
    async fn start(data: &Path) -> Self {
        let mut command = program(&["--listen", "127.0.0.1:0", "--hub", "127.0.0.1:0"], data);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        loop {
            let line = log.next_line().await.unwrap().expect("the server says where its page is");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if let Some(page) = line["page"].as_str() {
                let address = page.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
                return Self { child, log, address };
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }
}

#[tokio::test]
async fn a_terminated_server_ends_cleanly() {
    for name in ["-TERM", "-INT"] {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Server::start(dir.path()).await;
        server.signal(name);
        assert_eq!(server.child.wait().await.unwrap().code(), Some(0));
        while let Some(line) = server.log.next_line().await.unwrap() {
            assert!(!line.contains("ERROR") && !line.contains("WARN"), "{line}");
        }
        assert!(!dir.path().join("cloud.sqlite-wal").exists(), "the log is in the database file");
    }
}

#[tokio::test]
async fn a_token_is_made_while_the_server_runs_and_a_killed_server_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(dir.path()).await;
    let made = output(&["token", "create", "--node", "edge-1", "--ttl", "10m"], dir.path()).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(String::from_utf8(made.stdout).unwrap().lines().count(), 1);
    assert!(ask(server.address, "GET /readyz").await.unwrap().starts_with("HTTP/1.1 200"));
    server.child.kill().await.unwrap();
    let server = Server::start(dir.path()).await;
    assert!(ask(server.address, "GET /readyz").await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn bad_settings_end_with_64_and_other_failures_with_1() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, code, words) in [
        (&["--listen", "nowhere"][..], 64, "invalid"),
        (&["--colour"], 64, "unexpected argument"),
        (&["--listen", "0.0.0.0:0"], 64, "--insecure-rest"),
        (&["token", "create", "--node", "Edge 1"], 64, "use 1 to 63"),
        (&["token", "create", "--node", "edge-1", "--ttl", "soon"], 64, "for example 1h"),
        (&["--data", "/proc/none", "--listen", "127.0.0.1:0"], 1, "give another --data"),
    ] {
        let output = output(arguments, dir.path()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    for arguments in [&["--help"][..], &["--version"], &["openapi"]] {
        assert!(output(arguments, dir.path()).await.status.success(), "{arguments:?}");
    }
}
