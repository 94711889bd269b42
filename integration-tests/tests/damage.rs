//! Damaged databases: found, moved aside, made anew, and said loudly. What the cloud wants comes back from the cloud.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration_tests::harness::{
    Cloud, Edge, Meters, Mqtt, Uplink, difference, eventually, eventually_within, request,
};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

const NODE: &str = "plant-3";
const DEVICE: &str = "default/dev-0";
const TOPIC: &str = "$hw/events/device/default/dev-0/twin/update";
const PAGE: usize = 4096;
const LIMIT: Duration = Duration::from_secs(15);

fn devices(meters: &Meters, texts: usize) -> String {
    let port = meters.all()[0].port();
    let mut text = format!(
        "models:\n  meter:\n    properties:\n      level: {{ type: int, modbus: {{ holding: 7 }}, every: 100ms }}\n\
         devices:\n  meter-0: {{ model: meter, modbus: {{ tcp: \"127.0.0.1:{port}\", unit: 1 }} }}\n\
         \x20 dev-0:\n    properties:\n      setpoint: {{ type: int, access: read_write }}\n"
    );
    for number in 0..texts {
        text.push_str(&format!("      t{number}: {{ type: string }}\n"));
    }
    text
}

fn database(edge: &Edge) -> PathBuf {
    edge.folder().join("data/twin.db")
}

/// Overwrites pages with rubbish; the first is number 0.
fn overwrite(path: &Path, is_hit: impl Fn(usize) -> bool) -> usize {
    let mut file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let pages = usize::try_from(file.metadata().unwrap().len()).unwrap() / PAGE;
    let hit: Vec<usize> = (0..pages).filter(|page| is_hit(*page)).collect();
    for page in &hit {
        file.seek(SeekFrom::Start((page * PAGE) as u64)).unwrap();
        file.write_all(&[0xa5; PAGE]).unwrap();
    }
    file.sync_all().unwrap();
    hit.len()
}

fn moved_aside(edge: &Edge) -> usize {
    let listed = std::fs::read_dir(edge.folder().join("data")).unwrap().flatten();
    let is_aside = |name: &str| {
        name.starts_with("twin.db.corrupt-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    listed.filter(|file| is_aside(&file.file_name().to_string_lossy())).count()
}

async fn report(mqtt: &mut Mqtt, name: &str, text: &str) -> Value {
    let body = json!({"twin": {name: {"actual": {"value": text}}}});
    mqtt.ask(TOPIC, body, LIMIT).await.expect("an answer")
}

async fn client(edge: &Edge) -> Mqtt {
    let mut mqtt = Mqtt::connect(edge.mqtt(), &format!("writer-{}", fastrand::u32(..)));
    mqtt.subscribe(&format!("{TOPIC}/result")).await;
    mqtt
}

async fn set_override(edge: &Edge) {
    let path = format!("/api/v1/devices/{DEVICE}/override");
    let answer = request(&edge.api(), "PATCH", &path, Some(&json!({"setpoint": 5}))).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Has everything stand in the database itself, and nothing in its log.
async fn write_back(edge: &Edge) {
    let mut connection = SqliteConnectOptions::new().filename(database(edge)).connect().await.unwrap();
    let busy: i64 =
        sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await.unwrap();
    assert_eq!(busy, 0);
    connection.close().await.unwrap();
}

async fn stop(edge: &mut Edge) {
    edge.process().terminate();
    assert!(edge.process().end(LIMIT).await.success());
}

/// The warning of a gateway that works again.
async fn warning(edge: &Edge) -> String {
    let answer = request(&edge.api(), "GET", "/readyz", None).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["warnings"][0]["why"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_the_cloud_wants_comes_back_when_all_pages_are_rubbish() {
    let meters = Meters::start(1).await;
    let cloud = Cloud::start().await;
    let mut edge = Edge::start(NODE, Some(Uplink::tls(&cloud, NODE)), &devices(&meters, 3)).await;
    let mut mqtt = client(&edge).await;
    assert!(report(&mut mqtt, "t0", "hello").await.get("code").is_none());
    let path = format!("/api/v1/nodes/{NODE}/devices/{DEVICE}/desired");
    eventually("the cloud takes a wish", async || {
        let answer = request(&cloud.rest(), "PATCH", &path, Some(&json!({"setpoint": 41}))).await;
        answer
            .map_err(|e| e.to_string())
            .and_then(|a| if a.status == 200 { Ok(()) } else { Err(a.body.to_string()) })
    })
    .await;
    eventually("the edge has it", async || {
        let twin = edge.twin(DEVICE).await?;
        if twin["properties"]["setpoint"]["desired"]["value"] == 41 { Ok(()) } else { Err(twin.to_string()) }
    })
    .await;
    stop(&mut edge).await;

    for (round, first) in [(1, 1), (2, 0)] {
        assert!(overwrite(&database(&edge), |page| page >= first) > 3);
        edge.start_again().await;
        assert!(warning(&edge).await.contains("the database was damaged"), "round {round}");
        assert_eq!(moved_aside(&edge), round);
        eventually_within(Duration::from_secs(30), "both sides are equal, with the wish", async || {
            let (at_edge, in_cloud) = (edge.twin(DEVICE).await?, cloud.twin(NODE, DEVICE).await?);
            if at_edge["properties"]["setpoint"]["desired"]["value"] != 41 {
                return Err(at_edge.to_string());
            }
            difference(&at_edge, &in_cloud).map_or(Ok(()), Err)
        })
        .await;
        eventually("the meter is read anew", async || {
            let twin = edge.twin("default/meter-0").await?;
            let level = &twin["properties"]["level"]["reported"];
            if level["value"] == 7 && level["quality"] == "good" { Ok(()) } else { Err(twin.to_string()) }
        })
        .await;
        let log = edge.process().log();
        let loud =
            log.lines().filter(|line| line.contains("\"ERROR\"") && line.contains("was damaged")).count();
        assert_eq!(loud, round, "once, and loud");
        stop(&mut edge).await;
    }
    // The next start finds nothing wrong.
    edge.start_again().await;
    assert_eq!(warning(&edge).await, "");
    edge.assert_no_panic();
}

#[tokio::test]
async fn without_a_cloud_all_documents_of_the_pages_that_can_be_read_are_saved() {
    const TEXTS: usize = 60;
    let meters = Meters::start(1).await;
    let mut edge = Edge::start(NODE, None, &devices(&meters, TEXTS)).await;
    set_override(&edge).await;
    let mut mqtt = client(&edge).await;
    for number in 0..TEXTS {
        assert!(report(&mut mqtt, &format!("t{number}"), &"x".repeat(1500)).await.get("code").is_none());
    }
    stop(&mut edge).await;
    // One page of the table, found by what stands on it.
    let mut bytes = Vec::new();
    std::fs::File::open(database(&edge)).unwrap().read_to_end(&mut bytes).unwrap();
    let full = bytes
        .chunks(PAGE)
        .rposition(|page| page.iter().filter(|byte| **byte == b'x').count() > 1400)
        .unwrap();
    assert_eq!(overwrite(&database(&edge), |page| page == full), 1);

    edge.start_again().await;
    let why = warning(&edge).await;
    assert!(why.contains("values may be lost"), "{why}");
    let twin = edge.twin(DEVICE).await.unwrap();
    let texts = twin["properties"].as_object().unwrap().values();
    let kept = texts.filter(|p| p["reported"]["value"].as_str().is_some_and(|v| v.len() == 1500)).count();
    assert!((TEXTS - 8..TEXTS).contains(&kept), "{kept} of {TEXTS} kept; one page holds a few");
    assert_eq!(twin["properties"]["setpoint"]["override"]["value"], 5);
    // What is written goes on from there.
    drop(mqtt);
    let mut mqtt = client(&edge).await;
    assert!(report(&mut mqtt, "t1", "after").await.get("code").is_none());
    edge.process().kill();
    edge.start_again().await;
    let twin = edge.twin(DEVICE).await.unwrap();
    assert_eq!(twin["properties"]["t1"]["reported"]["value"], "after");
    assert_eq!(twin["properties"]["setpoint"]["override"]["value"], 5);
    edge.assert_no_panic();
}

#[tokio::test]
async fn a_database_that_is_damaged_while_it_is_in_use_is_made_anew_from_memory_and_nothing_is_lost() {
    // More than the writer keeps in memory of the file.
    const TEXTS: usize = 400;
    let meters = Meters::start(1).await;
    let mut edge = Edge::start(NODE, None, &devices(&meters, TEXTS)).await;
    set_override(&edge).await;
    let mut mqtt = client(&edge).await;
    for number in 0..TEXTS {
        assert!(report(&mut mqtt, &format!("t{number}"), &"x".repeat(12_000)).await.get("code").is_none());
    }
    stop(&mut edge).await;
    edge.start_again().await;
    drop(mqtt);
    let mut mqtt = client(&edge).await;
    write_back(&edge).await;
    assert!(overwrite(&database(&edge), |page| page > 0) > 1000);
    let mut expected = std::collections::BTreeMap::new();
    for number in (0..TEXTS).rev() {
        let text = format!("after {number}");
        let name = format!("t{number}");
        let answer = report(&mut mqtt, &name, &text).await;
        assert!(answer.get("code").is_none(), "{answer}");
        expected.insert(name, text);
        if moved_aside(&edge) > 0 {
            break;
        }
    }
    assert_eq!(moved_aside(&edge), 1, "it was noticed");
    assert!(warning(&edge).await.contains("nothing of the twins is lost"));
    for end in ["as it runs", "after a kill"] {
        let twin = edge.twin(DEVICE).await.unwrap();
        for number in 0..TEXTS {
            let name = format!("t{number}");
            let found = twin["properties"][&name]["reported"]["value"].as_str().unwrap_or_default();
            let right = expected.get(&name).map_or(found.len() == 12_000, |text| text == found);
            assert!(right, "{end}: {name} is {found:.40}");
        }
        assert_eq!(twin["properties"]["setpoint"]["override"]["value"], 5, "{end}");
        edge.process().kill();
        edge.start_again().await;
    }
    edge.assert_no_panic();
}

#[tokio::test]
async fn a_damaged_history_of_configurations_does_not_keep_the_gateway_from_its_work() {
    let meters = Meters::start(1).await;
    let mut edge = Edge::start(NODE, None, &devices(&meters, 1)).await;
    stop(&mut edge).await;
    assert!(overwrite(&edge.folder().join("data/config.db"), |_| true) > 0);
    edge.start_again().await;
    let history = request(&edge.api(), "GET", "/api/v1/config/history", None).await.unwrap();
    assert_eq!(history.body["revisions"].as_array().unwrap().len(), 1, "{}", history.body);
    edge.assert_no_panic();
}
