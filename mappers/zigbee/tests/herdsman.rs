//! The simulated network in the hands of a host that others wrote: zigbee-herdsman, unmodified, forms the network, lets all
//! kinds of devices join, interviews, reads, writes and commands them, and gets their reports.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zigbee::sim::{Kind, demo};

/// Where `npm install --prefix` has put the library; none when the test is to be skipped.
fn modules() -> Option<PathBuf> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.node");
    let prefix = std::env::var_os("TWINSPAN_NODE").map_or_else(own, PathBuf::from);
    let modules = prefix.join("node_modules");
    if modules.join("zigbee-herdsman").exists() {
        return Some(modules);
    }
    let may = std::env::var_os("TWINSPAN_SKIP_PEERS").is_some_and(|v| v == "1");
    let prefix = prefix.display();
    assert!(
        may,
        "this test needs zigbee-herdsman: npm install --prefix {prefix} zigbee-herdsman@10.9.5, or set TWINSPAN_SKIP_PEERS=1"
    );
    println!("skipped: there is no zigbee-herdsman");
    None
}

/// Runs the host until it ends, in time; gives what it saw.
fn drive(modules: &PathBuf, port: u16, folder: &std::path::Path) -> Vec<Json> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peers/herdsman.cjs");
    let mut child = Command::new("node")
        .arg(script)
        .args([port.to_string(), folder.display().to_string(), Kind::ALL.len().to_string()])
        .env("NODE_PATH", modules)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let begun = Instant::now();
    let seen = lines.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert!(begun.elapsed() < Duration::from_secs(180));
    let _ = child.wait();
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zigbee_herdsman_forms_a_network_and_works_with_every_kind_of_device() {
    let Some(modules) = modules() else { return };
    let sim = demo(11).sim;
    let (listener, address) = sim.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let (serving, token) = (sim.clone(), stop.clone());
    tasks.spawn(async move { serving.run(&listener, token).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let seen = tokio::task::spawn_blocking(move || drive(&modules, address.port(), &path)).await.unwrap();
    stop.cancel();
    while tasks.join_next().await.is_some() {}

    let all = |what: &'static str| seen.iter().filter(move |line| line["what"] == what);
    let shown = || serde_json::to_string_pretty(&seen).unwrap();
    assert_eq!(all("failed").count() + all("interview failed").count(), 0, "{}", shown());
    assert_eq!(all("started").next().unwrap()["result"], "reset", "it formed the network");
    let models: BTreeSet<_> = all("interviewed").map(|line| line["model"].as_str().unwrap()).collect();
    assert_eq!(models, Kind::ALL.iter().map(|kind| kind.model()).collect::<BTreeSet<_>>());
    for line in all("interviewed") {
        let kind = Kind::ALL.into_iter().find(|kind| kind.model() == line["model"]).unwrap();
        assert_eq!(line["type"], if kind.sleeps() { "EndDevice" } else { "Router" });
        assert_eq!(line["manufacturer"], "Twinspan");
    }
    assert_eq!(all("read").count(), 8, "{}", shown());
    let commanded: Vec<_> = all("command").map(|line| line["value"].clone()).collect();
    let expected = [
        serde_json::json!({"onOff": 0}),
        serde_json::json!({"currentLevel": 77}),
        serde_json::json!({"colorTemperature": 250}),
        serde_json::json!({"currentPositionLiftPercentage": 60}),
    ];
    assert_eq!(commanded, expected);
    let setpoint = all("read").next_back().unwrap();
    assert_eq!(setpoint["value"]["occupiedHeatingSetpoint"], 2250);
    assert!(
        all("refused").next().unwrap()["reason"].as_str().unwrap().contains("INVALID_VALUE"),
        "{}",
        shown()
    );
    assert_eq!(all("report").filter(|line| line["value"].is_object()).count(), 3, "{}", shown());
    assert_eq!(all("alarm").count(), 1);
    assert_eq!(all("done").count(), 1, "{}", shown());
    let blind = sim.with(|mesh| mesh.nodes().iter().find(|node| node.kind == Kind::Blind).unwrap().nwk);
    assert_eq!(blind, None, "the blind was made to leave");
}
