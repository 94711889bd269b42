//! The disk of the gateway is full or read-only: it says so, keeps reading, loses nothing that was answered, and goes on
//! by itself.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;
use std::time::Duration;

use integration_tests::harness::{
    Disk, Edge, Meters, Mqtt, Process, SKIP_PEERS, binary, eventually, eventually_within, raw, request,
};
use integration_tests::powercut::strace;
use serde_json::{Value, json};

const DEVICE: &str = "default/dev-0";
const TOPIC: &str = "$hw/events/device/default/dev-0/twin/update";
const OVERRIDE: &str = "/api/v1/devices/default/dev-0/override";
/// A refusal may take so long, and no longer.
const BOUND: Duration = Duration::from_secs(8);
const DISK_KIB: usize = 2048;

fn devices(meters: &Meters) -> String {
    let port = meters.all()[0].port();
    format!(
        "models:\n  meter:\n    properties:\n      level: {{ type: int, modbus: {{ holding: 7 }}, every: 100ms }}\n\
         devices:\n  meter-0: {{ model: meter, modbus: {{ tcp: \"127.0.0.1:{port}\", unit: 1 }} }}\n\
         \x20 dev-0:\n    properties:\n      count: {{ type: int }}\n      text: {{ type: string }}\n      \
         setpoint: {{ type: int, access: read_write }}\n"
    )
}

async fn get(edge: &Edge, path: &str) -> (u16, Value) {
    let answer = request(&edge.api(), "GET", path, None).await.unwrap();
    (answer.status, answer.body)
}

async fn ready(edge: &Edge) -> Result<(), String> {
    let answer = request(&edge.api(), "GET", "/readyz", None).await.map_err(|e| e.to_string())?;
    if answer.status == 200 { Ok(()) } else { Err(answer.body.to_string()) }
}

async fn not_ready(edge: &Edge) -> Result<String, String> {
    let answer = request(&edge.api(), "GET", "/readyz", None).await.map_err(|e| e.to_string())?;
    let text = answer.body.to_string();
    if answer.status == 503 && text.contains("\"store\"") { Ok(text) } else { Err(text) }
}

async fn reported(edge: &Edge, property: &str) -> Option<i64> {
    edge.twin(DEVICE).await.unwrap()["properties"][property]["reported"]["value"].as_i64()
}

/// Reports a value, with some ballast, and gives the answer.
async fn report(mqtt: &mut Mqtt, count: i64) -> Value {
    let ballast = format!("{count}-").repeat(2000);
    let body =
        json!({"twin": {"count": {"actual": {"value": count}}, "text": {"actual": {"value": ballast}}}});
    mqtt.ask(TOPIC, body, BOUND).await.expect("an answer comes in time, whatever the disk does")
}

/// Reports growing values and fills the disk, until one is refused; gives the last that was taken, and the refusal.
async fn until_refused(mqtt: &mut Mqtt, disk: &mut Disk, mut count: i64) -> (i64, Value) {
    for _ in 0..200 {
        disk.fill();
        let answer = report(mqtt, count + 1).await;
        if answer.get("code").is_some() {
            return (count, answer);
        }
        count += 1;
    }
    panic!("the disk never got full");
}

async fn client(edge: &Edge) -> Mqtt {
    let mut mqtt = Mqtt::connect(edge.mqtt(), &format!("writer-{}", fastrand::u32(..)));
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    mqtt
}

fn says_once(edge: &mut Edge, what: &str) {
    let log = edge.process().log();
    assert_eq!(log.lines().filter(|line| line.contains(what)).count(), 1, "{what}: {log}");
}

#[tokio::test]
async fn a_full_disk_is_said_loses_nothing_that_was_answered_and_is_over_when_there_is_room() {
    let meters = Meters::start(1).await;
    let mut edge = Edge::prepare("plant-1", None, None, &devices(&meters));
    let Some(mut disk) = Disk::small(&edge.folder().join("data"), DISK_KIB) else { return };
    edge.start_again().await;
    let mut mqtt = client(&edge).await;
    let answer = request(&edge.api(), "PATCH", OVERRIDE, Some(&json!({"setpoint": 5}))).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);

    assert!(report(&mut mqtt, 1).await.get("code").is_none());
    let (taken, refusal) = until_refused(&mut mqtt, &mut disk, 1).await;
    assert_eq!(refusal["code"], 503, "{refusal}");
    let reason = refusal["reason"].as_str().unwrap();
    assert!(reason.contains("the disk is full") && reason.contains("make room"), "{reason}");

    // It says so, everywhere.
    let why = eventually("the gateway is not ready", async || not_ready(&edge).await).await;
    assert!(why.contains("the disk is full"), "{why}");
    let (status, body) = get(&edge, "/api/v1/status").await;
    assert_eq!((status, body["store"]["state"].as_str()), (200, Some("full")), "{body}");
    let ask = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", edge.api());
    let metrics = raw(&edge.api(), ask.as_bytes()).await.unwrap();
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(metrics.contains("twinspan_store_up 0"), "{metrics}");
    let shown = Command::new(binary("twinspan"))
        .args(["status", "--gateway", &format!("http://{}", edge.api())])
        .output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    assert!(shown.contains("CANNOT BE WRITTEN") && shown.contains("the disk is full"), "{shown}");

    // An operator is told at once, and nothing of it happens later.
    let refused = request(&edge.api(), "PATCH", OVERRIDE, Some(&json!({"setpoint": 9}))).await.unwrap();
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert_eq!(refused.body["type"], "urn:twinspan:problem:not-stored");
    assert!(refused.body["detail"].as_str().unwrap().contains("make room"), "{}", refused.body);

    // What was stored is shown, what was not is not; devices are read on.
    assert_eq!(reported(&edge, "count").await, Some(taken));
    let requests = meters.all()[0].requests();
    eventually("the meter is read", async || {
        if meters.all()[0].requests() > requests + 5 { Ok(()) } else { Err("no request".to_owned()) }
    })
    .await;
    // The newest state of what is said meanwhile is kept.
    for count in 1000..1040 {
        let answer = report(&mut mqtt, count).await;
        assert_eq!(answer["code"], 503, "{answer}");
    }
    assert_eq!(reported(&edge, "count").await, Some(taken));

    disk.make_room();
    eventually("the gateway is ready again", async || ready(&edge).await).await;
    assert_eq!(reported(&edge, "count").await, Some(1039), "what was kept is stored");
    let set = request(&edge.api(), "PATCH", OVERRIDE, Some(&json!({"setpoint": 6}))).await.unwrap();
    assert_eq!(set.status, 200, "{}", set.body);
    let answer = report(&mut mqtt, 2000).await;
    assert!(answer.get("code").is_none(), "{answer}");
    says_once(&mut edge, "nothing is stored until that ends");
    says_once(&mut edge, "stored again");

    // All of it is on the disk.
    edge.process().kill();
    edge.start_again().await;
    let twin = edge.twin(DEVICE).await.unwrap();
    assert_eq!(twin["properties"]["count"]["reported"]["value"], 2000);
    assert_eq!(twin["properties"]["setpoint"]["override"]["value"], 6, "{twin}");
    edge.assert_no_panic();
}

#[tokio::test]
async fn a_gateway_starts_on_a_full_disk_and_shows_what_it_last_knew() {
    let meters = Meters::start(1).await;
    let mut edge = Edge::prepare("plant-1", None, None, &devices(&meters));
    let Some(mut disk) = Disk::small(&edge.folder().join("data"), DISK_KIB) else { return };
    edge.start_again().await;
    let mut mqtt = client(&edge).await;
    assert!(report(&mut mqtt, 7).await.get("code").is_none());
    edge.process().terminate();
    assert!(edge.process().end(Duration::from_secs(15)).await.success());
    disk.fill();

    edge.launch();
    let why = eventually_within(Duration::from_secs(30), "it runs and says what is wrong", async || {
        not_ready(&edge).await
    })
    .await;
    assert!(why.contains("the disk is full"), "{why}");
    assert_eq!(reported(&edge, "count").await, Some(7));
    drop(mqtt);
    let mut mqtt = client(&edge).await;
    assert_eq!(report(&mut mqtt, 8).await["code"], 503);

    disk.make_room();
    eventually("the gateway is ready again", async || ready(&edge).await).await;
    eventually("what was kept is stored", async || match reported(&edge, "count").await {
        Some(8) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(report(&mut mqtt, 9).await.get("code").is_none());
    assert_eq!(reported(&edge, "count").await, Some(9));
    edge.process().terminate();
    assert!(edge.process().end(Duration::from_secs(15)).await.success());
    edge.assert_no_panic();
}

#[tokio::test]
async fn a_gateway_starts_on_a_read_only_disk_and_goes_on_when_it_can_be_written() {
    let meters = Meters::start(1).await;
    let mut edge = Edge::prepare("plant-1", None, None, &devices(&meters));
    let Some(disk) = Disk::small(&edge.folder().join("data"), DISK_KIB) else { return };
    for end in ["in order", "killed"] {
        edge.start_again().await;
        let mut mqtt = client(&edge).await;
        assert!(report(&mut mqtt, 7).await.get("code").is_none());
        match end {
            "killed" => edge.process().kill(),
            _ => {
                edge.process().terminate();
                assert!(edge.process().end(Duration::from_secs(15)).await.success());
            }
        }
        disk.remount("ro");

        edge.launch();
        let why = eventually_within(Duration::from_secs(30), "it runs and says what is wrong", async || {
            not_ready(&edge).await
        })
        .await;
        assert!(why.contains("the disk is read-only"), "{end}: {why}");
        assert_eq!(reported(&edge, "count").await, Some(7), "{end}");
        drop(mqtt);
        let mut mqtt = client(&edge).await;
        assert_eq!(report(&mut mqtt, 8).await["code"], 503);

        disk.remount("rw");
        eventually("the gateway is ready again", async || ready(&edge).await).await;
        assert!(report(&mut mqtt, 9).await.get("code").is_none());
        assert_eq!(reported(&edge, "count").await, Some(9));
        edge.process().terminate();
        assert!(edge.process().end(Duration::from_secs(15)).await.success());
    }
    edge.assert_no_panic();
}

/// A failed `fsync` is told once and then forgotten by the system: what was not written must not be taken for written.
#[tokio::test]
async fn a_disk_whose_fsync_fails_is_said_and_what_was_answered_is_there_after_a_kill() {
    let Some(strace) = strace() else {
        let skip = std::env::var_os(SKIP_PEERS).is_some_and(|value| value == "1");
        assert!(skip, "strace is missing: scripts/test installs it, or set {SKIP_PEERS}=1 to skip this test");
        return;
    };
    let meters = Meters::start(1).await;
    let mut edge = Edge::start("plant-1", None, &devices(&meters)).await;
    let mut mqtt = client(&edge).await;
    let mut taken = 0;
    for round in 0..3 {
        taken += 1;
        assert!(report(&mut mqtt, taken).await.get("code").is_none());
        let pid = edge.process().id().to_string();
        let mut command = Command::new(&strace);
        command.args([
            "-f",
            "-p",
            &pid,
            "-e",
            "trace=fsync,fdatasync",
            "-e",
            "inject=fsync,fdatasync:error=EIO",
        ]);
        let failing = Process::start("strace", &mut command, &edge.folder().join(format!("strace-{round}")));
        let refusal = eventually("a commit fails", async || {
            let answer = report(&mut mqtt, taken + 1).await;
            if answer.get("code").is_some() { Ok(answer) } else { Err("it was taken".to_owned()) }
        })
        .await;
        assert!(refusal["reason"].as_str().unwrap().contains("the disk fails"), "{refusal}");
        eventually("the gateway is not ready", async || not_ready(&edge).await).await;
        failing.terminate();
        eventually("the gateway is ready again", async || ready(&edge).await).await;
        taken += 1;
        assert_eq!(reported(&edge, "count").await, Some(taken), "what was kept is stored");
        drop(failing);
        edge.process().kill();
        edge.start_again().await;
        assert_eq!(reported(&edge, "count").await, Some(taken));
        drop(std::mem::replace(&mut mqtt, client(&edge).await));
    }
    edge.assert_no_panic();
}
