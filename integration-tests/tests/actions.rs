//! What an operator has done with devices of a gateway that runs: paused, resumed, read now, probed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use integration_tests::harness::{Edge, Meter, Meters, ModbusPlc, eventually, eventually_within, request};
use serde_json::{Value, json};

fn devices(address: &str, every: &str) -> String {
    format!(
        "devices:\n  meter:\n    modbus: {{ tcp: \"{address}\", timeout: 1s }}\n    properties:\n      \
         power: {{ type: int, every: {every}, modbus: {{ holding: 10 }} }}\n      \
         limit: {{ type: int, access: read_write, every: {every}, modbus: {{ holding: 11 }} }}\n  \
         outside:\n    properties:\n      level: {{ type: int }}\n"
    )
}

fn address(meter: &Meter) -> String {
    format!("127.0.0.1:{}", meter.port())
}

async fn ask(edge: &Edge, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let answer =
        request(&edge.api(), method, &format!("/api/v1/devices/default/{path}"), body).await.unwrap();
    (answer.status, answer.body)
}

async fn power_is(edge: &Edge, what: &str, wanted: &str) -> Value {
    eventually(&format!("power is {wanted}"), async || {
        let twin = edge.twin("default/meter").await?;
        let power = twin["properties"]["power"]["reported"].clone();
        if power[what] == wanted { Ok(power) } else { Err(twin.to_string()) }
    })
    .await
}

#[tokio::test]
async fn a_pause_stops_what_is_on_the_wire_marks_the_values_and_outlives_a_restart() {
    let meters = Meters::start(1).await;
    let meter = &meters.all()[0];
    let mut edge = Edge::start("edge-1", None, &devices(&address(meter), "20ms")).await;
    let before = power_is(&edge, "quality", "good").await;
    let (status, device) =
        ask(&edge, "POST", "meter/actions/pause", Some(&json!({"note": "cable is being changed"}))).await;
    let asked = meter.requests();
    assert_eq!(status, 200, "{device}");
    assert_eq!(device["serving"]["paused"]["note"], "cable is being changed");
    assert_eq!(device["state"], "unknown");
    let power = power_is(&edge, "why", "paused").await;
    assert_eq!((&power["quality"], &power["value"]), (&json!("bad"), &json!(10)));
    assert!(
        power["gateway_time"].as_i64() >= before["gateway_time"].as_i64(),
        "the last value keeps its time"
    );
    let (status, _) = ask(&edge, "PATCH", "meter/override", Some(&json!({"limit": 5}))).await;
    assert_eq!(status, 200);
    eventually("the wish says why it waits", async || {
        let limit = edge.twin("default/meter").await?["properties"]["limit"]["convergence"].clone();
        if limit["state"] == "failed" { Ok(limit) } else { Err(limit.to_string()) }
    })
    .await;
    let (status, problem) = ask(&edge, "POST", "meter/actions/poll", None).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:twinspan:problem:not-now")));
    let page = request(&edge.api(), "GET", "/api/v1/devices?paused=true", None).await.unwrap().body;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(meter.requests(), asked, "nothing was asked meanwhile");

    edge.process().terminate();
    edge.process().end(Duration::from_secs(15)).await;
    edge.start_again().await;
    let status = request(&edge.api(), "GET", "/api/v1/status", None).await.unwrap().body;
    assert_eq!(status["devices"]["paused"], 1);
    let twin = edge.twin("default/meter").await.unwrap();
    assert_eq!(twin["device"]["serving"]["paused"]["note"], "cable is being changed");
    assert_eq!(meter.requests(), asked, "it is left alone after a restart too");

    // A probe asks, and tells nobody else.
    let (status, probe) = ask(&edge, "POST", "meter/actions/probe", None).await;
    assert_eq!((status, &probe["reached"], &probe["values"]), (200, &json!(true), &json!(2)), "{probe}");
    assert!(probe["connect_ms"].is_u64() && meter.requests() > asked);
    power_is(&edge, "why", "paused").await;

    // These meters can only be read.
    ask(&edge, "PATCH", "meter/override", Some(&json!({"limit": null}))).await;
    let (status, device) = ask(&edge, "POST", "meter/actions/resume", None).await;
    assert_eq!((status, &device["serving"]["paused"]), (200, &Value::Null));
    power_is(&edge, "quality", "good").await;
    edge.assert_no_panic();
}

#[tokio::test]
async fn a_device_that_is_polled_now_is_asked_once_and_the_answer_is_committed() {
    let Some(mut plc) = ModbusPlc::start().await else { return };
    let edge = Edge::start("edge-1", None, &devices(&plc.address(), "1h")).await;
    power_is(&edge, "quality", "good").await;
    plc.set_holding(10, 77);
    let reads = plc.reads();
    let (status, answer) = ask(&edge, "POST", "meter/actions/poll", None).await;
    assert_eq!((status, &answer["answered"]), (200, &json!(true)), "{answer}");
    assert_eq!(answer["properties"]["power"]["value"], 77);
    // It is in the twin without waiting, and it took one request.
    let twin = edge.twin("default/meter").await.unwrap();
    assert_eq!(twin["properties"]["power"]["reported"], answer["properties"]["power"]);
    assert_eq!(plc.reads(), reads + 1, "one request for all registers");

    let (status, _) = ask(&edge, "POST", "meter/actions/pause", None).await;
    assert_eq!(status, 200);
    plc.kill();
    let (status, probe) = ask(&edge, "POST", "meter/actions/probe", None).await;
    assert_eq!((status, &probe["reached"]), (200, &json!(false)), "{probe}");
    assert!(probe["fault"]["mend"].as_str().unwrap().contains("address"), "{probe}");
    ask(&edge, "POST", "meter/actions/resume", None).await;
    let (status, answer) = ask(&edge, "POST", "meter/actions/poll", None).await;
    assert_eq!((status, &answer["answered"]), (200, &json!(false)), "{answer}");
    let quality = &edge.twin("default/meter").await.unwrap()["properties"]["power"]["reported"]["quality"];
    eventually_within(Duration::from_secs(10), "its values are bad", async || {
        let twin = edge.twin("default/meter").await?;
        let power = &twin["properties"]["power"]["reported"];
        if power["why"] == "device_unreachable" { Ok(()) } else { Err(format!("{power} was {quality}")) }
    })
    .await;
    let (_, device) = ask(&edge, "GET", "meter", None).await;
    assert!(device["serving"]["last_fault"]["reason"].is_string(), "{device}");
    assert!(device["serving"]["lane"].as_str().unwrap().contains("127.0.0.1"), "{device}");
}

#[tokio::test]
async fn a_device_of_an_outside_mapper_says_that_it_must_be_asked_there() {
    let meters = Meters::start(1).await;
    let edge = Edge::start("edge-1", None, &devices(&address(&meters.all()[0]), "1h")).await;
    for action in ["pause", "resume", "poll", "probe"] {
        let (status, problem) = ask(&edge, "POST", &format!("outside/actions/{action}"), None).await;
        assert_eq!(
            (status, &problem["type"]),
            (409, &json!("urn:twinspan:problem:not-served-here")),
            "{action}"
        );
        let (status, problem) = ask(&edge, "POST", &format!("nobody/actions/{action}"), None).await;
        assert_eq!(
            (status, &problem["type"]),
            (404, &json!("urn:twinspan:problem:unknown-device")),
            "{action}"
        );
    }
    let (status, _) = ask(&edge, "POST", "meter/actions/dance", None).await;
    assert_eq!(status, 404);
    let (status, problem) = ask(&edge, "GET", "meter/actions/poll", None).await;
    assert_eq!((status, &problem["type"]), (405, &json!("urn:twinspan:problem:method-not-allowed")));
}
