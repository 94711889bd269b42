//! The link against a real mosquitto that goes away and comes back.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mqtt_link::{ClientIdentity, Event, Events, Handle, LastWill, LinkSettings, MqttLink, PublishError, Qos};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where mosquitto is: on the path, or where Debian puts it. None when the test is to be skipped.
fn mosquitto() -> Option<PathBuf> {
    let names = ["mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
    let runs = |name: &&str| {
        Command::new(name).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    let found = names.iter().find(|name| runs(name));
    if found.is_none() && std::env::var_os("TWINSPAN_SKIP_PEERS").is_some_and(|v| v == "1") {
        eprintln!("skipped: mosquitto is not installed");
        return None;
    }
    Some(PathBuf::from(
        found.unwrap_or_else(|| panic!("this test needs mosquitto: apt-get install mosquitto")),
    ))
}

/// A mosquitto of our own: free port, own folder, ended at the end.
struct Broker {
    program: PathBuf,
    child: Option<Child>,
    folder: TempDir,
    port: u16,
}

impl Broker {
    fn start(program: PathBuf, more: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let config = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n{more}");
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let mut broker = Self { program, child: None, folder, port };
        broker.up();
        broker
    }

    fn up(&mut self) {
        let config = self.folder.path().join("mosquitto.conf");
        let child = Command::new(&self.program)
            .arg("-c")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("mosquitto does not listen on {}", self.port);
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn settings(&self, client_id: &str, filters: &[&str]) -> LinkSettings {
        let mut settings = LinkSettings::new(&format!("mqtt://127.0.0.1:{}", self.port), client_id);
        settings.subscriptions = filters.iter().map(|f| (*f).to_owned()).collect();
        settings
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Running {
    handle: Handle,
    events: Events,
    stop: CancellationToken,
    task: JoinHandle<Result<(), mqtt_link::Error>>,
}

impl Running {
    fn start(settings: LinkSettings) -> Self {
        let (link, handle, events) = MqttLink::connect(settings).unwrap();
        let stop = CancellationToken::new();
        Self { handle, events, task: tokio::spawn(link.run(stop.clone())), stop }
    }

    async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(Duration::from_secs(15), self.events.next()).await;
        next.expect("nothing in 15 s").expect("the link ended")
    }

    async fn connected(&mut self) {
        while self.next().await != Event::Connected {}
    }

    async fn message(&mut self) -> (String, String, bool) {
        loop {
            if let Event::Message { topic, payload, retain } = self.next().await {
                return (topic, String::from_utf8(payload.to_vec()).unwrap(), retain);
            }
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn got(topic: &str, body: &str, retain: bool) -> (String, String, bool) {
    (topic.to_owned(), body.to_owned(), retain)
}

#[tokio::test]
async fn subscriptions_are_renewed_after_the_broker_was_killed() {
    let Some(program) = mosquitto() else { return };
    let mut broker = Broker::start(program, "");
    let filters = ["$hw/events/device/+/+/twin/update/delta", "plant/#"];
    let mut link = Running::start(broker.settings("mapper", &filters));
    for round in 0..3 {
        link.connected().await;
        let body = format!("round {round}");
        link.handle.publish_acked("plant/a", body.clone(), false).await.unwrap();
        assert_eq!(link.message().await, got("plant/a", &body, false));
        broker.kill();
        assert!(matches!(link.next().await, Event::Disconnected { .. }));
        assert_eq!(
            link.handle.publish("plant/a", "lost", Qos::AtLeastOnce, false),
            Err(PublishError::NotConnected)
        );
        assert_eq!(
            link.handle.publish_acked("plant/a", "lost", false).await,
            Err(PublishError::NotConnected)
        );
        broker.up();
    }
    link.end().await;
}

#[tokio::test]
async fn filters_that_are_added_and_removed_while_the_link_is_up_hold_after_a_reconnect() {
    let Some(program) = mosquitto() else { return };
    let mut broker = Broker::start(program, "");
    let mut link = Running::start(broker.settings("mapper", &[]));
    link.handle.subscribe(&["early/#".to_owned()]).unwrap();
    link.connected().await;
    let say = async |link: &Running, topic: &str, retain| {
        link.handle.publish_acked(topic, topic.to_owned(), retain).await.unwrap();
    };
    say(&link, "kept/a", true).await;
    link.handle.subscribe(&["kept/#".to_owned(), "gone/#".to_owned()]).unwrap();
    assert_eq!(link.message().await, got("kept/a", "kept/a", true));
    // Heard already, and asked for again: what is retained comes again.
    link.handle.subscribe(&["kept/#".to_owned()]).unwrap();
    assert_eq!(link.message().await, got("kept/a", "kept/a", true));
    link.handle.unsubscribe(&["gone/#".to_owned()]);
    for again in [true, false] {
        say(&link, "gone/x", false).await;
        say(&link, "early/x", false).await;
        assert_eq!(link.message().await, got("early/x", "early/x", false));
        if again {
            broker.kill();
            assert!(matches!(link.next().await, Event::Disconnected { .. }));
            broker.up();
            link.connected().await;
        }
    }
    link.end().await;
}

#[tokio::test]
async fn what_was_refused_while_down_is_not_sent_afterwards() {
    let Some(program) = mosquitto() else { return };
    let mut broker = Broker::start(program, "");
    let mut link = Running::start(broker.settings("mapper", &["plant/#"]));
    link.connected().await;
    broker.kill();
    // Some of these are taken before the break is noticed; none of them may come back with the connection.
    while link.handle.publish("plant/old", "old", Qos::AtLeastOnce, false).is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(link.next().await, Event::Disconnected { .. }));
    broker.up();
    link.connected().await;
    link.handle.publish_acked("plant/new", "new", false).await.unwrap();
    assert_eq!(link.message().await, got("plant/new", "new", false));
    link.end().await;
}

#[tokio::test]
async fn a_thousand_acknowledgements_find_whoever_waits_for_them() {
    let Some(program) = mosquitto() else { return };
    let broker = Broker::start(program, "max_queued_messages 0\nmax_inflight_messages 0\n");
    let mut link = Running::start(broker.settings("mapper", &["plant/#"]));
    link.connected().await;
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..3000 {
        let handle = link.handle.clone();
        waiting.spawn(async move { handle.publish_acked("plant/a", n.to_string(), false).await });
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 3000 {
        seen.insert(link.message().await.1);
    }
    while let Some(acked) = waiting.join_next().await {
        acked.unwrap().unwrap();
    }
    link.end().await;
}

#[tokio::test]
async fn retained_messages_come_again_with_every_connection_and_the_last_will_only_when_it_breaks() {
    let Some(program) = mosquitto() else { return };
    let broker = Broker::start(program, "");
    let mut watcher = Running::start(broker.settings("watcher", &["plant/#"]));
    watcher.connected().await;
    watcher.handle.publish_acked("plant/delta", "wanted", true).await.unwrap();
    assert_eq!(watcher.message().await, got("plant/delta", "wanted", false));

    let mut settings = broker.settings("mapper", &["plant/delta"]);
    settings.last_will =
        Some(LastWill { topic: "plant/gone".into(), payload: b"gone".to_vec(), retain: false });
    let mut polite = Running::start(settings.clone());
    assert_eq!(polite.message().await, got("plant/delta", "wanted", true));
    polite.end().await;
    let mut rude = Running::start(settings);
    assert_eq!(rude.message().await, got("plant/delta", "wanted", true));
    rude.task.abort();
    assert_eq!(watcher.message().await, got("plant/gone", "gone", false), "and only once");
    watcher.handle.publish_acked("plant/end", "end", false).await.unwrap();
    assert_eq!(watcher.message().await, got("plant/end", "end", false));
    watcher.end().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_or_has_no_topic_is_refused_here() {
    let Some(program) = mosquitto() else { return };
    let broker = Broker::start(program, "");
    let mut link = Running::start(broker.settings("mapper", &[]));
    link.connected().await;
    let large = vec![0u8; 3 * 1024 * 1024];
    assert!(matches!(
        link.handle.publish("a", large, Qos::AtLeastOnce, false),
        Err(PublishError::TooLarge { .. })
    ));
    assert_eq!(link.handle.publish("a/#", "x", Qos::AtMostOnce, false), Err(PublishError::BadTopic));
    link.handle.publish_acked("a", vec![0u8; 1024 * 1024], false).await.unwrap();
    link.end().await;
}

#[tokio::test]
async fn tls_takes_the_ca_that_is_given_and_shows_the_clients_certificate() {
    let Some(program) = mosquitto() else { return };
    let pki = tempfile::tempdir().unwrap();
    let (ca, identity) = make_pki(pki.path());
    let at = |name: &str| pki.path().join(name).display().to_string();
    let tls = format!(
        "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
        at("ca.pem"),
        at("server.pem"),
        at("server.key")
    );
    let broker = Broker::start(program, &tls);
    let mut settings = broker.settings("mapper", &["plant/#"]);
    settings.url = format!("mqtts://127.0.0.1:{}", broker.port);
    settings.ca_pem = Some(ca);
    settings.identity = Some(identity);
    let mut link = Running::start(settings);
    link.connected().await;
    link.handle.publish_acked("plant/a", "secret", false).await.unwrap();
    assert_eq!(link.message().await, got("plant/a", "secret", false));
    link.end().await;
}

/// A CA, a server certificate for loopback in files, and a client certificate.
fn make_pki(folder: &Path) -> (String, ClientIdentity) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // OpenSSL takes a certificate for self-signed when its name is its issuer's.
    params.distinguished_name.push(DnType::CommonName, "test CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        ClientIdentity { cert_pem: cert.pem(), key_pem: key.serialize_pem() }
    };
    let server = issue("127.0.0.1");
    std::fs::write(folder.join("ca.pem"), ca.pem()).unwrap();
    std::fs::write(folder.join("server.pem"), &server.cert_pem).unwrap();
    std::fs::write(folder.join("server.key"), &server.key_pem).unwrap();
    (ca.pem(), issue("mapper"))
}
