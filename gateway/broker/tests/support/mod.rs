//! Mosquitto's clients, and a tap that remembers.

use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mqtt_broker::{Access, Broker, BrokerSettings, Bytes, Principal, Qos, Tap, User, UserRights};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{Notify, Semaphore};

pub(crate) const UPDATE: &str = "$hw/events/device/default/pump-1/twin/update";
pub(crate) const DELTA: &str = "$hw/events/device/default/pump-1/twin/update/delta";

/// Whether the tests may go on: mosquitto's clients are there, or the test says what to install. With
/// `TWINSPAN_SKIP_PEERS=1` it is skipped instead, and says so.
pub(crate) fn peers_are_there() -> bool {
    let there = ["mosquitto_pub", "mosquitto_sub"].iter().all(|name| {
        std::process::Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    });
    if !there && std::env::var_os("TWINSPAN_SKIP_PEERS").is_some_and(|v| v == "1") {
        eprintln!("skipped: mosquitto_pub and mosquitto_sub are not installed");
        return false;
    }
    assert!(there, "this test needs mosquitto's clients: apt-get install mosquitto-clients mosquitto");
    true
}

/// Who, where, what and how surely.
pub(crate) type Heard = (Principal, String, Vec<u8>, Qos);

#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) published: Mutex<Vec<Heard>>,
    pub(crate) refused: Mutex<Vec<(Principal, String)>>,
    pub(crate) arrived: Notify,
    /// When there is one, a message is stored only once a permit is there.
    pub(crate) gate: Option<Semaphore>,
    pub(crate) stored: AtomicBool,
}

#[async_trait]
impl Tap for Recorder {
    async fn published(&self, principal: &Principal, topic: &str, payload: Bytes, qos: Qos) {
        self.published.lock().unwrap().push((principal.clone(), topic.to_owned(), payload.to_vec(), qos));
        self.arrived.notify_one();
        if let Some(gate) = &self.gate {
            let _permit = gate.acquire().await.unwrap();
            self.stored.store(true, Ordering::SeqCst);
        }
    }
    async fn refused(&self, principal: &Principal, topic: &str, _payload: Bytes) {
        self.refused.lock().unwrap().push((principal.clone(), topic.to_owned()));
        self.arrived.notify_one();
    }
}

pub(crate) fn settings() -> BrokerSettings {
    BrokerSettings { listen: ([127, 0, 0, 1], 0).into(), ..BrokerSettings::default() }
}

pub(crate) async fn start() -> (Broker, Arc<Access>, Arc<Recorder>) {
    let access =
        Arc::new(Access::new([("alice".to_owned(), User::new(Some("secret"), UserRights::Everything))]));
    let tap = Arc::new(Recorder::default());
    let broker = Broker::start(settings(), access.clone(), tap.clone()).await.unwrap();
    (broker, access, tap)
}

/// A subscriber whose subscription is in force.
pub(crate) struct Sub {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Sub {
    pub(crate) async fn to(broker: &Broker, filter: &str, more: &[&str]) -> Self {
        let port = broker.local_addr().port().to_string();
        let mut child = Command::new("stdbuf")
            .args(["-oL", "mosquitto_sub", "-d", "-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", filter])
            .args(["-F", "GOT %r %t %p"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut sub = Self { _child: child, lines };
        sub.line("Subscribed").await;
        sub
    }

    async fn line(&mut self, with: &str) -> String {
        let next = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line.contains(with) {
                    return line;
                }
            }
            panic!("mosquitto_sub ended without `{with}`");
        };
        tokio::time::timeout(Duration::from_secs(15), next)
            .await
            .unwrap_or_else(|_| panic!("no `{with}` in 15 s"))
    }

    /// The next message: `RETAINED TOPIC BODY`.
    pub(crate) async fn next(&mut self) -> String {
        self.line("GOT ").await.split_once("GOT ").unwrap().1.to_owned()
    }
}

/// Publishes at QoS 1 unless `args` say otherwise; gives how it ended and what it said.
pub(crate) async fn publish(broker: &Broker, args: &[&str]) -> (ExitStatus, String) {
    let port = broker.local_addr().port().to_string();
    let run = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port, "-q", "1"])
        .args(args)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(20), run).await.unwrap().unwrap();
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}
