//! Who did what, as a real gateway writes it down: through kills, tampering, and a file that cannot be written.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;
use std::time::Duration;

use integration_tests::harness::{Secured, eventually};
use serde_json::{Value, json};

const DEVICES: &str = "devices:\n  dev-0:\n    properties:\n      a: { type: int, access: read_write }\n";
const OVERRIDE: &str = "/api/v1/devices/default/dev-0/override";

fn set(plant: &Secured, value: &Value) -> u16 {
    plant.curl(OVERRIDE, &["-X", "PATCH", "--json", &json!({"a": value}).to_string()]).status
}

fn records(plant: &Secured) -> Vec<Value> {
    let output = plant.cli(&["audit", "show", "--json", "--limit", "100000"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    all.reverse();
    all
}

fn of<'a>(records: &'a [Value], action: &str) -> Vec<&'a Value> {
    records.iter().map(|record| &record["record"]).filter(|record| record["action"] == action).collect()
}

fn holds(plant: &Secured, more: &[&str]) -> Result<String, String> {
    let output = plant.cli(&[&["audit", "verify"], more].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test]
async fn every_write_and_change_is_there_with_who_what_and_how_it_ended() {
    let mut plant = Secured::start(DEVICES, "", "").await;
    let token = plant.token("maria", "engineer", &[]);
    let with = |path: &str, args: &[&str]| plant.with_token(&token, path, args).status;
    assert_eq!(with(OVERRIDE, &["-X", "PATCH", "--json", "{\"a\": 4}"]), 200);
    assert_eq!(with(OVERRIDE, &["-X", "PATCH", "--json", "{\"a\": 5}"]), 200);
    assert_eq!(with(OVERRIDE, &["-X", "PATCH", "--json", "{\"a\": \"no\"}"]), 422);
    assert_eq!(with("/api/v1/config/reload", &["-X", "POST"]), 200);
    assert_eq!(plant.with_token("twinspan_wrong", "/api/v1/status", &[]).status, 401);
    assert!(plant.cli(&["token", "revoke", "maria"]).status.success());
    plant.edge.process().terminate();
    plant.edge.process().end(Duration::from_secs(15)).await;

    let all = records(&plant);
    let sets = of(&all, "override.set");
    assert_eq!(sets.len(), 2, "{all:#?}");
    assert_eq!((&sets[1]["old"], &sets[1]["new"]), (&json!(4), &json!(5)));
    assert_eq!((sets[1]["by"].as_str(), sets[1]["from"].as_str()), (Some("maria"), Some("127.0.0.1")));
    let requests = of(&all, "request");
    assert!(requests.iter().all(|r| r["by"] == "maria" && r["role"] == "engineer"), "{requests:#?}");
    assert_eq!(requests.len(), 4);
    let answers = of(&all, "answer");
    assert!(answers[2]["outcome"]["refused"].as_str().unwrap().starts_with("422"), "{answers:#?}");
    assert_eq!(of(&all, "config.begun").len(), 1);
    assert_eq!(of(&all, "config.ended")[0]["outcome"], "applied");
    assert_eq!(of(&all, "token.created")[0]["subject"], "maria");
    assert_eq!(of(&all, "token.revoked")[0]["subject"], "maria");
    assert_eq!(of(&all, "login.refused").len(), 1);
    assert!(!serde_json::to_string(&all).unwrap().contains(&token));
    assert!(holds(&plant, &[]).is_ok());
}

#[tokio::test]
async fn the_head_that_was_kept_outside_finds_an_audit_that_was_written_anew() {
    let mut plant = Secured::start(DEVICES, "", "").await;
    assert_eq!(set(&plant, &json!(1)), 200);
    let page = plant.curl("/api/v1/audit?limit=2", &[]).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let head = plant.curl("/api/v1/audit/head", &[]).json();
    let pinned = format!("{}:{}", head["seq"], head["digest"].as_str().unwrap());
    assert!(holds(&plant, &["--head", &pinned]).is_ok());
    plant.edge.process().kill();
    for file in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        let _ = std::fs::remove_file(plant.edge.folder().join("data").join(file));
    }
    plant.start_again().await;
    for n in 2..9 {
        assert_eq!(set(&plant, &json!(n)), 200);
    }
    assert!(holds(&plant, &[]).is_ok(), "the new one holds by itself");
    let error = holds(&plant, &["--head", &pinned]).unwrap_err();
    assert!(error.contains("written anew"), "{error}");
}

#[tokio::test]
async fn kills_at_any_moment_leave_a_chain_that_holds_and_no_override_without_its_record() {
    let mut plant = Secured::start(DEVICES, "", "").await;
    let mut last = 0;
    for round in 0..6u64 {
        let address = plant.edge.api();
        let folder = plant.edge.folder();
        let begin = last;
        let writer = std::thread::spawn(move || {
            let mut done = begin;
            loop {
                let body = json!({"a": done + 1}).to_string();
                let url = format!("http://{address}{OVERRIDE}");
                let args = ["-X", "PATCH", "--json", &body, &url];
                if integration_tests::harness::curl(&folder, 5, &args).status != 200 {
                    return done;
                }
                done += 1;
            }
        });
        tokio::time::sleep(Duration::from_millis(300 + 70 * round)).await;
        plant.edge.process().kill();
        last = writer.join().unwrap();
        holds(&plant, &[]).unwrap();
        plant.start_again().await;
    }
    assert!(last > 20, "only {last} were set");
    eventually("what is in force is in the audit", async || {
        let twin = plant.curl("/api/v1/devices/default/dev-0/twin", &[]).json();
        let in_force = &twin["properties"]["a"]["override"]["value"];
        let all = records(&plant);
        let sets = of(&all, "override.set");
        let newest = sets.last().map(|record| record["new"].clone());
        if newest.as_ref() == Some(in_force) { Ok(()) } else { Err(format!("{newest:?} {in_force}")) }
    })
    .await;
    // Every value that was answered was asked for in the audit before.
    let asked: Vec<i64> =
        of(&records(&plant), "request").iter().filter_map(|r| r["new"]["a"].as_i64()).collect();
    for value in 1..=last {
        assert!(asked.contains(&value), "{value} was set without a record");
    }
    holds(&plant, &[]).unwrap();
}

#[tokio::test]
async fn without_the_audit_nothing_is_changed_and_what_happens_meanwhile_is_written_later() {
    let plant = Secured::start(DEVICES, "", "").await;
    assert_eq!(set(&plant, &json!(1)), 200);
    let path = plant.edge.folder().join("data/audit.db");
    // Whoever holds the database open for writing keeps everybody else out.
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                  c.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\nsys.stdin.read()\n";
    let mut holder = Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut said).unwrap();
    let refused = plant.curl(OVERRIDE, &["-X", "PATCH", "--json", "{\"a\": 2}"]);
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.text.contains("the audit cannot be written"), "{}", refused.text);
    assert_eq!(plant.curl("/api/v1/config/reload", &["-X", "POST"]).status, 503);
    assert_eq!(plant.curl("/api/v1/status", &[]).status, 200, "reading goes on");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    eventually("changes are taken again", async || match set(&plant, &json!(3)) {
        200 => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
    holds(&plant, &[]).unwrap();
    let all = records(&plant);
    assert!(of(&all, "override.set").iter().all(|record| record["new"] != 2), "{all:#?}");
}
