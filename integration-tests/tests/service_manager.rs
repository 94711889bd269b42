//! What the programs tell a service manager: ready, how it goes, reloading, stopping, and that they still work.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use integration_tests::harness::{Cloud, Edge, Mqtt, ServiceManager, eventually, request};
use serde_json::json;

const NODE: &str = "plant-30";
const DEVICES: &str = "devices:\n  dev-0:\n    properties:\n      a: { type: int }\n";
const WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_gateway_says_when_it_is_ready_when_it_reloads_and_when_it_stops() {
    let manager = ServiceManager::listen();
    let mut edge = Edge::prepare(NODE, None, None, DEVICES);
    edge.set_environment("NOTIFY_SOCKET", &manager.path().display().to_string());
    edge.set_environment("WATCHDOG_USEC", "3000000");
    edge.launch();
    let heard = manager.hear_until("READY=1", WITHIN);
    assert!(
        heard.last().unwrap().contains("STATUS=running, no cloud is configured; REST 127.0.0.1:"),
        "{heard:?}"
    );
    // Ready means that it can be used at once.
    let answer = request(&edge.api(), "GET", "/readyz", None).await.unwrap();
    assert_eq!(answer.status, 200);
    let _ = manager.hear_until("WATCHDOG=1", WITHIN);
    edge.process().hang_up();
    let heard = manager.hear_until("RELOADING=1", WITHIN);
    assert!(heard.last().unwrap().contains("MONOTONIC_USEC="), "{heard:?}");
    let heard = manager.hear_until("READY=1", WITHIN);
    assert!(heard.last().unwrap().contains("was read again"), "{heard:?}");
    edge.process().terminate();
    let _ = manager.hear_until("STOPPING=1", WITHIN);
    assert_eq!(edge.process().end(WITHIN).await.code(), Some(0));
}

#[tokio::test]
async fn a_gateway_whose_twin_service_hangs_does_not_feed_the_watchdog() {
    let manager = ServiceManager::listen();
    let mut edge = Edge::prepare(NODE, None, None, DEVICES);
    edge.set_environment("NOTIFY_SOCKET", &manager.path().display().to_string());
    edge.set_environment("WATCHDOG_USEC", "600000");
    edge.launch();
    let _ = manager.hear_until("READY=1", WITHIN);
    let _ = manager.hear_until("WATCHDOG=1", WITHIN);
    let mqtt = Mqtt::connect(edge.mqtt(), "app");
    // Somebody else holds the database: the next commit waits.
    let held = hold(&edge.folder().join("data/twin.db")).await;
    let report = json!({"twin": {"a": {"actual": {"value": 1}}}}).to_string();
    let silent = eventually("the watchdog is not fed for twice its time", async || {
        mqtt.publish_unsure("$hw/events/device/default/dev-0/twin/update", report.clone()).await;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1_200) {
            if let Some(said) = manager.hear()
                && said.contains("WATCHDOG=1")
            {
                return Err("it was fed".to_owned());
            }
        }
        Ok(())
    });
    silent.await;
    drop(held);
}

/// Takes the database's write lock until the connection is dropped.
async fn hold(file: &std::path::Path) -> sqlx::SqliteConnection {
    use sqlx::Connection as _;
    let mut connection =
        sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn a_cloud_says_when_it_is_ready_that_it_works_and_when_it_stops() {
    let manager = ServiceManager::listen();
    let mut cloud = Cloud::start().await;
    cloud.process().terminate();
    assert_eq!(cloud.process().end(WITHIN).await.code(), Some(0));
    cloud.set_environment("NOTIFY_SOCKET", &manager.path().display().to_string());
    cloud.set_environment("WATCHDOG_USEC", "3000000");
    cloud.start_again().await;
    let heard = manager.hear_until("READY=1", WITHIN);
    assert!(heard.last().unwrap().contains("STATUS=running; REST http://127.0.0.1:"), "{heard:?}");
    let _ = manager.hear_until("WATCHDOG=1", WITHIN);
    cloud.process().terminate();
    let _ = manager.hear_until("STOPPING=1", WITHIN);
    assert_eq!(cloud.process().end(WITHIN).await.code(), Some(0));
}
