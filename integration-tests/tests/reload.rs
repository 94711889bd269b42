//! The configuration of a gateway that runs: changed, wrong, rolled back, gone.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::time::Duration;

use integration_tests::harness::{Edge, Meters, binary, eventually, eventually_within, raw, request};
use serde_json::{Value, json};

const MODEL: &str = "
models:
  meter:
    parameters: { port: { type: int }, register: { type: int } }
    modbus: { tcp: \"127.0.0.1:$(port)\", timeout: 5s }
    properties:
      power: { type: int, every: 500ms, modbus: { holding: $(register) } }
devices_from:
  - { file: meters.csv, model: meter }
";

fn table(edge: &Edge) -> PathBuf {
    edge.folder().join("meters.csv")
}

fn rows(ports: &[u16], register: impl Fn(usize) -> u16) -> String {
    let rows = ports.iter().enumerate().map(|(n, port)| format!("meter-{n},{port},{}\n", register(n)));
    "name,port,register\n".to_owned() + &rows.collect::<String>()
}

async fn ask(edge: &Edge, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let answer = request(&edge.api(), method, path, body).await.unwrap();
    (answer.status, answer.body)
}

async fn reload(edge: &Edge) -> (u16, Value) {
    ask(edge, "POST", "/api/v1/config/reload", None).await
}

/// Waits until a device shows a good value.
async fn shows(edge: &Edge, device: &str, wanted: i64) {
    eventually_within(Duration::from_secs(40), &format!("{device} shows {wanted}"), async || {
        let twin = edge.twin(&format!("default/{device}")).await?;
        let reported = &twin["properties"]["power"]["reported"];
        if reported["value"] == wanted && reported["quality"] == "good" {
            Ok(())
        } else {
            Err(twin.to_string())
        }
    })
    .await;
}

async fn states(edge: &Edge) -> Vec<(String, String, i64)> {
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let (_, page) = ask(edge, "GET", &format!("/api/v1/devices?limit=500{next}"), None).await;
        for item in page["items"].as_array().unwrap() {
            let text = |key: &str| item[key].as_str().unwrap().to_owned();
            all.push((text("name"), text("state"), item["state_since"].as_i64().unwrap_or(0)));
        }
        match page["next"].as_str() {
            Some(after) => next = format!("&after={after}"),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_one_device_of_500_changes_the_499_others_keep_their_connections_and_are_read_on() {
    let meters = Meters::start(501).await;
    let ports: Vec<u16> = meters.all()[..500].iter().map(|meter| meter.port()).collect();
    let mut edge = Edge::prepare("plant", None, None, MODEL);
    std::fs::write(table(&edge), rows(&ports, |_| 7)).unwrap();
    edge.start_again().await;
    eventually_within(Duration::from_secs(60), "all devices are online", async || {
        let online = states(&edge).await.iter().filter(|(_, state, _)| state == "online").count();
        if online == 500 { Ok(()) } else { Err(format!("{online}")) }
    })
    .await;
    let before = states(&edge).await;
    // One goes to another port, which is another meter.
    let mut moved = ports.clone();
    moved[13] = meters.all()[500].port();
    std::fs::write(table(&edge), rows(&moved, |_| 7)).unwrap();
    let (status, applied) = reload(&edge).await;
    assert_eq!((status, &applied["changed"]), (200, &json!(["default/meter-13"])), "{applied}");
    assert_eq!(applied["same_devices"], 499);
    let read_then: Vec<u64> = meters.all().iter().map(|meter| meter.requests()).collect();
    eventually("the moved one and every other are read on", async || {
        let read_on = |n: &usize| meters.all()[*n].requests() > read_then[*n] + 2;
        let waiting: Vec<usize> = (0..=500).filter(|n| *n != 13 && !read_on(n)).collect();
        if waiting.is_empty() { Ok(()) } else { Err(format!("{waiting:?}")) }
    })
    .await;
    shows(&edge, "meter-13", 7).await;
    let after = states(&edge).await;
    for (n, meter) in meters.all().iter().enumerate() {
        assert_eq!(meter.connections(), 1, "meter {n} was connected more than once");
    }
    for (before, after) in before.iter().zip(&after).filter(|(before, _)| before.0 != "meter-13") {
        assert_eq!(before, after, "the state of a device that did not change");
    }
    edge.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_leaves_the_old_one_running_and_is_told_with_its_places() {
    let meters = Meters::start(2).await;
    let ports: Vec<u16> = meters.all().iter().map(|meter| meter.port()).collect();
    let mut edge = Edge::prepare("plant", None, None, MODEL);
    std::fs::write(table(&edge), rows(&ports, |_| 7)).unwrap();
    edge.start_again().await;
    shows(&edge, "meter-1", 7).await;
    std::fs::write(table(&edge), "name,port,register\nmeter-0,zero,7\nmeter-1,1,\n").unwrap();
    let (status, problem) = reload(&edge).await;
    assert_eq!((status, problem["type"].as_str()), (422, Some("urn:twinspan:problem:wrong-configuration")));
    let faults = problem["faults"].to_string();
    assert!(faults.contains("meters.csv:2") && faults.contains("meters.csv:3"), "{faults}");
    let (_, config) = ask(&edge, "GET", "/api/v1/config", None).await;
    assert_eq!((&config["revision"], &config["file_state"]), (&json!(1), &json!("broken")));
    assert!(config["last_failure"]["reason"].as_str().unwrap().contains("meters.csv:2"), "{config}");
    let read = meters.all()[0].requests();
    eventually("the old one runs on", async || {
        if meters.all()[0].requests() > read + 2 { Ok(()) } else { Err("no request".to_owned()) }
    })
    .await;
    // By the signal as well; what was mended comes into force, and the failure is forgotten.
    std::fs::write(table(&edge), rows(&ports, |n| if n == 0 { 70 } else { 7 })).unwrap();
    edge.process().hang_up();
    shows(&edge, "meter-0", 70).await;
    let (_, config) = ask(&edge, "GET", "/api/v1/config", None).await;
    assert_eq!((&config["revision"], &config["file_state"]), (&json!(2), &json!("same")));
    assert_eq!(config["last_failure"], Value::Null);
    edge.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_outlives_a_restart_and_a_file_that_is_gone_is_replaced_by_what_is_kept() {
    let meters = Meters::start(1).await;
    let ports = [meters.all()[0].port()];
    let mut edge = Edge::prepare("plant", None, None, MODEL);
    for register in [5, 6] {
        std::fs::write(table(&edge), rows(&ports, |_| register)).unwrap();
        if register == 5 {
            edge.start_again().await;
        } else {
            assert_eq!(reload(&edge).await.0, 200);
        }
        shows(&edge, "meter-0", i64::from(register)).await;
    }
    let (status, missing) =
        ask(&edge, "POST", "/api/v1/config/rollback", Some(&json!({"revision": 9}))).await;
    assert_eq!((status, missing["type"].as_str()), (404, Some("urn:twinspan:problem:unknown-revision")));
    let (status, tried) =
        ask(&edge, "POST", "/api/v1/config/rollback", Some(&json!({"revision": 1, "dry_run": true}))).await;
    assert_eq!(
        (status, &tried["applied"], &tried["changed"]),
        (200, &json!(false), &json!(["default/meter-0"]))
    );
    let (status, back) = ask(&edge, "POST", "/api/v1/config/rollback", Some(&json!({"revision": 1}))).await;
    assert_eq!((status, &back["revision"]), (200, &json!(3)), "{back}");
    shows(&edge, "meter-0", 5).await;
    let restart = async |edge: &mut Edge| {
        edge.process().terminate();
        edge.process().end(Duration::from_secs(15)).await;
        edge.start_again().await;
    };
    restart(&mut edge).await;
    shows(&edge, "meter-0", 5).await;
    let (_, config) = ask(&edge, "GET", "/api/v1/config", None).await;
    assert_eq!((&config["revision"], &config["file_state"]), (&json!(3), &json!("differs")), "{config}");
    // The file is gone: what was in force is, and that is said.
    let file = std::fs::read(edge.config()).unwrap();
    std::fs::remove_file(edge.config()).unwrap();
    restart(&mut edge).await;
    shows(&edge, "meter-0", 5).await;
    let (_, config) = ask(&edge, "GET", "/api/v1/config", None).await;
    assert_eq!((&config["revision"], &config["file_state"]), (&json!(3), &json!("broken")), "{config}");
    assert!(edge.process().log().contains("the configuration file cannot be used"));
    // It is there again, with something new: that is meant.
    std::fs::write(edge.config(), file).unwrap();
    std::fs::write(table(&edge), rows(&ports, |_| 8)).unwrap();
    restart(&mut edge).await;
    shows(&edge, "meter-0", 8).await;
    let (_, history) = ask(&edge, "GET", "/api/v1/config/history", None).await;
    let origins: Vec<&str> =
        history["revisions"].as_array().unwrap().iter().map(|r| r["origin"].as_str().unwrap()).collect();
    assert_eq!(origins, ["file", "rollback", "file", "file"]);
    edge.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_written_come_into_force_by_themselves_when_that_is_asked_for() {
    let meters = Meters::start(2).await;
    let ports: Vec<u16> = meters.all().iter().map(|meter| meter.port()).collect();
    let mut edge = Edge::prepare("plant", None, None, MODEL);
    let text = std::fs::read_to_string(edge.config()).unwrap();
    std::fs::write(edge.config(), text.replace("gateway:\n", "gateway:\n  reload_on_change: true\n"))
        .unwrap();
    std::fs::write(table(&edge), rows(&ports[..1], |_| 7)).unwrap();
    edge.start_again().await;
    shows(&edge, "meter-0", 7).await;
    std::fs::write(table(&edge), rows(&ports, |_| 7)).unwrap();
    shows(&edge, "meter-1", 7).await;
    std::fs::write(table(&edge), rows(&ports[..1], |_| 7)).unwrap();
    eventually("the second device is gone", async || {
        let names: Vec<String> = states(&edge).await.into_iter().map(|(name, ..)| name).collect();
        if names == ["meter-0"] { Ok(()) } else { Err(format!("{names:?}")) }
    })
    .await;
    edge.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_tries_applies_shows_and_rolls_back() {
    let meters = Meters::start(1).await;
    let ports = [meters.all()[0].port()];
    let mut edge = Edge::prepare("plant", None, None, MODEL);
    std::fs::write(table(&edge), rows(&ports, |_| 7)).unwrap();
    edge.start_again().await;
    let gateway = format!("http://{}", edge.api());
    let config = edge.config().display().to_string();
    let twinspan = async |args: &[&str]| {
        let mut command = tokio::process::Command::new(binary("twinspan"));
        let output = command.args(args).env("TWINSPAN_GATEWAY", &gateway).output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, said, _) = twinspan(&["diff", &config]).await;
    assert_eq!((code, said.contains("1 as before")), (0, true), "{said}");
    std::fs::write(table(&edge), rows(&ports, |_| 9)).unwrap();
    let (code, said, _) = twinspan(&["diff", &config]).await;
    assert_eq!((code, said.contains("default/meter-0")), (1, true), "{said}");
    let (code, said, _) = twinspan(&["apply", &config, "--dry-run"]).await;
    assert_eq!((code, said.contains("in force")), (0, false), "{said}");
    let (code, said, _) = twinspan(&["apply", &config, "-m", "register 9"]).await;
    assert_eq!((code, said.contains("in force as revision 2")), (0, true), "{said}");
    shows(&edge, "meter-0", 9).await;
    let (_, said, _) = twinspan(&["history"]).await;
    assert!(said.contains("*      2") && said.contains("register 9"), "{said}");
    std::fs::write(table(&edge), "name,port,register\nmeter-0,1,x\n").unwrap();
    let (code, _, said) = twinspan(&["apply", &config]).await;
    assert_eq!((code, said.contains("meters.csv:2")), (64, true), "{said}");
    let (code, _, said) = twinspan(&["reload"]).await;
    assert_eq!((code, said.contains("meters.csv:2")), (64, true), "{said}");
    let (code, _, said) = twinspan(&["rollback", "77"]).await;
    assert_eq!((code, said.contains("no configuration with revision 77")), (1, true), "{said}");
    let (code, said, _) = twinspan(&["rollback", "1"]).await;
    assert_eq!((code, said.contains("in force as revision 3")), (0, true), "{said}");
    shows(&edge, "meter-0", 7).await;
    let (code, said, _) = twinspan(&["status"]).await;
    assert!(code == 0 && said.contains("1 online") && said.contains("revision 3"), "{said}");
    let metrics =
        raw(&edge.api(), b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let metrics = String::from_utf8(metrics.unwrap()).unwrap();
    assert!(metrics.contains("twinspan_devices{state=\"online\"} 1"), "{metrics}");
    let (code, _, said) = twinspan(&["history", "--gateway", "http://127.0.0.1:1"]).await;
    assert_eq!((code, said.contains("no gateway answers at http://127.0.0.1:1")), (1, true), "{said}");
    edge.assert_no_panic();
}
