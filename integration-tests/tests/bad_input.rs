//! What comes in from outside is answered with the name of its fault; nothing panics, nobody else is disturbed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use integration_tests::harness::{
    Cloud, Edge, Mosquitto, Mqtt, Port, Uplink, difference, eventually, eventually_within, raw, request,
};
use serde_json::{Value, json};
use sync_proto::{LINK_PATH, SUBPROTOCOL};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Message;

const NODE: &str = "plant-13";
const UPDATE: &str = "$hw/events/device/default/dev-0/twin/update";
const LIMIT: Duration = Duration::from_secs(10);

fn devices(nowhere: &Port) -> String {
    format!(
        "devices:\n  good: {{ properties: {{ a: {{ type: int }} }} }}\n  dev-0:\n    properties:\n      \
         a: {{ type: int }}\n      b: {{ type: int, access: read_write, range: [0, 100] }}\n      \
         s: {{ type: string }}\n  pump:\n    modbus: {{ tcp: \"{}\", timeout: 200ms }}\n    properties:\n      \
         level: {{ type: int, modbus: {{ holding: 5 }} }}\n",
        nowhere.address()
    )
}

/// A client of a device that goes on all the time; how far it got is told in the end.
async fn go_on(port: u16, stop: Arc<AtomicBool>, so_far: Arc<AtomicI64>) -> i64 {
    let mut mqtt = Mqtt::connect(port, "good-mapper");
    let topic = "$hw/events/device/default/good/twin/update";
    mqtt.subscribe(&format!("{topic}/result")).await;
    let mut value = 0;
    while !stop.load(Ordering::SeqCst) {
        value += 1;
        let answer = mqtt.ask(topic, json!({"twin": {"a": {"actual": {"value": value}}}}), LIMIT).await;
        let answer = answer.expect("the good mapper is answered all the time");
        assert_eq!(answer["twin"]["a"]["actual"]["typed"], value);
        so_far.store(value, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(mqtt.lost(), 0, "the good mapper was disconnected");
    value
}

struct House {
    cloud: Cloud,
    edge: Edge,
    stop: Arc<AtomicBool>,
    so_far: Arc<AtomicI64>,
    good: JoinSet<i64>,
    _nowhere: Port,
}

impl House {
    async fn start() -> Self {
        let cloud = Cloud::start().await;
        let nowhere = Port::free();
        let edge = Edge::start(NODE, Some(Uplink::plain(&cloud)), &devices(&nowhere)).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut good = JoinSet::new();
        let so_far = Arc::new(AtomicI64::new(0));
        good.spawn(go_on(edge.mqtt(), Arc::clone(&stop), Arc::clone(&so_far)));
        Self { cloud, edge, stop, so_far, good, _nowhere: nowhere }
    }

    /// That nothing panicked, the good device went on, and both sides hold what it said last.
    async fn assert_unharmed(mut self) {
        let before = self.so_far.load(Ordering::SeqCst);
        eventually("the good mapper goes on", async || {
            if self.so_far.load(Ordering::SeqCst) > before + 5 { Ok(()) } else { Err("it stands".to_owned()) }
        })
        .await;
        self.stop.store(true, Ordering::SeqCst);
        let last = self.good.join_next().await.unwrap().unwrap();
        eventually("both sides are equal", async || {
            for device in ["default/good", "default/dev-0"] {
                let (edge, cloud) = (self.edge.twin(device).await?, self.cloud.twin(NODE, device).await?);
                difference(&edge, &cloud).map_or(Ok(()), Err)?;
            }
            Ok(())
        })
        .await;
        let twin = self.cloud.twin(NODE, "default/good").await.unwrap();
        assert_eq!(twin["properties"]["a"]["reported"]["value"], last);
        self.edge.assert_no_panic();
        let log = self.cloud.process().log();
        assert!(!log.contains("panicked"), "the cloud panicked");
        assert!(self.edge.process().ended().is_none() && self.cloud.process().ended().is_none());
    }
}

fn with(event_id: &str, twin: Value) -> Vec<u8> {
    json!({"event_id": event_id, "twin": twin}).to_string().into_bytes()
}

#[tokio::test]
async fn a_bad_body_is_answered_with_the_name_of_its_fault_on_the_result_topic_of_its_request() {
    let house = House::start().await;
    let mut mqtt = Mqtt::connect(house.edge.mqtt(), "vandal");
    mqtt.subscribe("$hw/#").await;
    let device = |name: &str, end: &str| format!("$hw/events/device/default/{name}/{end}");
    let many: serde_json::Map<String, Value> =
        (0..5000).map(|n| (format!("p{n}"), json!({"actual": {"value": 1}}))).collect();
    let nested = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let deep = format!(r#"{{"event_id":"deep","twin":{{"s":{{"actual":{{"typed":{nested}}}}}}}}}"#);
    let update = UPDATE.to_owned();
    let cases: Vec<(String, Vec<u8>, &str, u64, &str)> = vec![
        (update.clone(), b"not json".to_vec(), "", 400, "not_json"),
        (update.clone(), Vec::new(), "", 400, "not_json"),
        (update.clone(), b"\xff\xfe\x00{}".to_vec(), "", 400, "not_json"),
        (update.clone(), deep.into_bytes(), "deep", 400, "not_json"),
        (update.clone(), b"[1]".to_vec(), "", 400, "wrong_shape"),
        (update.clone(), br#"{"event_id":"x1","twin":7}"#.to_vec(), "x1", 400, "wrong_shape"),
        (update.clone(), br#"{"event_id":"x2"}"#.to_vec(), "x2", 400, "twin_missing"),
        (update.clone(), with("x3", json!({"a": {"actual": {"value": "abc"}}})), "x3", 400, "wrong_type"),
        (update.clone(), with("x4", json!({"a": {"actual": {"value": 1.5}}})), "x4", 400, "wrong_type"),
        (
            update.clone(),
            with("x5", json!({"a b": {"actual": {"value": 1}}})),
            "x5",
            400,
            "bad_property_name",
        ),
        (update.clone(), with("x6", json!({"a": {"quality": "fine"}})), "x6", 400, "bad_quality"),
        (
            update.clone(),
            with("x7", json!({"b": {"outcome": {"result": "applied"}}})),
            "x7",
            400,
            "bad_outcome",
        ),
        (update.clone(), with(&"i".repeat(300), json!({})), "", 400, "event_id_too_long"),
        (update.clone(), with("x8", Value::Object(many)), "x8", 413, "too_many_properties"),
        (
            update.clone(),
            with("x9", json!({"s": {"actual": {"value": "x".repeat(100_000)}}})),
            "x9",
            413,
            "value_too_large",
        ),
        (update.clone(), with("y1", json!({"b": {"expected": {"value": 101}}})), "y1", 422, "not_acceptable"),
        (update, with("y2", json!({"a": {"expected": {"value": 1}}})), "y2", 422, "not_acceptable"),
        (
            device("nosuch", "twin/update"),
            with("y3", json!({"a": {"actual": {"value": 1}}})),
            "y3",
            404,
            "unknown_device",
        ),
        (
            device("pump", "twin/update"),
            with("y4", json!({"nosuch": {"actual": {"value": 1}}})),
            "y4",
            404,
            "unknown_property",
        ),
        (device("nosuch", "twin/get"), br#"{"event_id":"y5"}"#.to_vec(), "y5", 404, "unknown_device"),
        (device("dev-0", "twin/get"), b"{".to_vec(), "", 400, "not_json"),
        (
            device("dev-0", "state/update"),
            br#"{"event_id":"y6","state":"asleep"}"#.to_vec(),
            "y6",
            400,
            "bad_state",
        ),
        (
            device("nosuch", "state/update"),
            br#"{"event_id":"y7","state":"online"}"#.to_vec(),
            "y7",
            404,
            "unknown_device",
        ),
    ];
    for (topic, body, event_id, code, word) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        mqtt.publish(&topic, body).await;
        let result = format!("{topic}/result");
        let answer = mqtt.find(LIMIT, |m| m.topic == result).await;
        let answer = answer.unwrap_or_else(|| panic!("no answer to {topic} {shown}")).json();
        assert_eq!(
            (&answer["code"], &answer["error"]),
            (&json!(code), &json!(word)),
            "{topic} {shown}: {answer}"
        );
        assert_eq!(answer["event_id"], event_id, "{topic} {shown}: {answer}");
        assert!(answer["reason"].as_str().is_some_and(|r| r.len() > 10), "{answer}");
    }
    let twin = house.edge.twin("default/dev-0").await.unwrap();
    for name in ["a", "b", "s"] {
        let property = &twin["properties"][name];
        assert!(
            property["reported"]["value"].is_null() && property["override"].is_null(),
            "{name}: {property}"
        );
    }
    house.assert_unharmed().await;
}

#[tokio::test]
async fn a_packet_that_is_too_large_or_no_mqtt_at_all_ends_its_own_connection_only() {
    let house = House::start().await;
    let large = Mqtt::connect(house.edge.mqtt(), "large");
    eventually("it is connected", async || if large.is_up() { Ok(()) } else { Err("no".to_owned()) }).await;
    large.publish(UPDATE, vec![b'x'; 10 << 20]).await;
    eventually("its connection is closed", async || {
        if large.lost() > 0 { Ok(()) } else { Err("it is open".to_owned()) }
    })
    .await;
    let address = format!("127.0.0.1:{}", house.edge.mqtt());
    for garbage in [
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        vec![0x00; 64],
        // CONNECT with a length that never ends, and one whose protocol is unknown.
        vec![0x10, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0x10, 0x0c, 0x00, 0x04, b'M', b'Q', b'X', b'X', 9, 2, 0, 60, 0, 0],
    ] {
        let shown = format!("{:?}", &garbage[..garbage.len().min(8)]);
        raw(&address, &garbage).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
    }
    house.assert_unharmed().await;
}

#[tokio::test]
async fn a_client_cannot_speak_in_the_gateways_name_nor_as_somebody_else() {
    let house = House::start().await;
    let mut listener = Mqtt::connect(house.edge.mqtt(), "listener");
    listener.subscribe("$hw/events/device/default/dev-0/#").await;
    let forger = Mqtt::connect(house.edge.mqtt(), "forger");
    for end in ["delta", "document", "result"] {
        forger.publish(&format!("{UPDATE}/{end}"), "forged").await;
    }
    for topic in ["$hw/events/device/DEV/twin/update", "$hw/events/device/a/b/c/d/e", "$SYS/x", "$hw", "a//b"]
    {
        forger.publish(topic, r#"{"event_id":"z","twin":{}}"#).await;
    }
    // What came after them is there, so they would have been there too.
    forger.publish(UPDATE, with("last", json!({"a": {"actual": {"value": 5}}}))).await;
    let first = listener.find(LIMIT, |m| m.payload == "forged" || m.json()["event_id"] == "last").await;
    assert_ne!(first.expect("something comes").payload, "forged");
    eventually("everything was acknowledged", async || {
        if forger.acknowledged() == 9 { Ok(()) } else { Err(forger.acknowledged().to_string()) }
    })
    .await;

    let liar = Mqtt::with(house.edge.mqtt(), "liar", |options| {
        options.set_credentials("mapper:modbus", "guessed");
    });
    eventually("a wrong password is refused", async || {
        if liar.lost() > 0 { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    assert!(!liar.is_up());
    house.assert_unharmed().await;
}

#[tokio::test]
async fn a_bad_http_request_is_a_named_problem_at_both_ends() {
    let house = House::start().await;
    eventually("the cloud knows the device", async || {
        house.cloud.twin(NODE, "default/dev-0").await.map(|_| ())
    })
    .await;
    let edge = ("/api/v1/devices/default", "override", house.edge.api());
    let node = format!("/api/v1/nodes/{NODE}/devices/default");
    let cloud = (node.as_str(), "desired", house.cloud.rest());
    for (base, wish, address) in [edge, cloud] {
        let large = json!({"s": "x".repeat(3 << 20)});
        for (method, path, body, status, slug) in [
            ("GET", "/api/v1/nothing".to_owned(), None, 404, "no-such-path"),
            ("GET", format!("{base}/nosuch/twin"), None, 404, "unknown-device"),
            ("GET", format!("{base}/N%20O/twin"), None, 400, "bad-request"),
            ("GET", "/api/v1/changes?since=%ff".to_owned(), None, 400, "bad-request"),
            ("GET", "/api/v1/changes?nosuch=1".to_owned(), None, 400, "bad-request"),
            ("POST", format!("{base}/dev-0/twin"), None, 405, "method-not-allowed"),
            ("PATCH", format!("{base}/dev-0/{wish}"), None, 400, "bad-request"),
            ("PATCH", format!("{base}/dev-0/{wish}"), Some(json!([1])), 400, "bad-request"),
            ("PATCH", format!("{base}/dev-0/{wish}"), Some(json!({"nosuch": 1})), 404, "unknown-property"),
            ("PATCH", format!("{base}/dev-0/{wish}"), Some(json!({"b": 101})), 422, "unacceptable-value"),
            ("PATCH", format!("{base}/dev-0/{wish}"), Some(json!({"a": 1})), 422, "unacceptable-value"),
            ("PATCH", format!("{base}/dev-0/{wish}"), Some(json!({"b": "x"})), 422, "unacceptable-value"),
            ("PATCH", format!("{base}/dev-0/{wish}"), Some(large), 413, "too-large"),
        ] {
            let answer = match request(&address, method, &path, body.as_ref()).await {
                Ok(answer) => answer,
                // The server may end the connection before all of a body is sent that it will not read.
                Err(error) if status == 413 => {
                    eprintln!("{method} {path}: {error:#}");
                    continue;
                }
                Err(error) => panic!("{method} {path}: {error:#}"),
            };
            let wanted = format!("urn:twinspan:problem:{slug}");
            assert_eq!(
                (answer.status, &answer.body["type"]),
                (status, &json!(wanted)),
                "{method} {path}: {}",
                answer.body
            );
            assert!(answer.body["detail"].as_str().is_some_and(|d| !d.is_empty()), "{}", answer.body);
        }
        for (bytes, status) in [
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no http\r\n\r\n".to_vec(), " 400 "),
            (b"GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n".to_vec(), " 403 "),
            ([b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ".to_vec(), vec![b'x'; 1 << 20]].concat(), " 431 "),
        ] {
            let answer = raw(&address, &bytes).await.unwrap();
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let head = answer.lines().next().unwrap_or_default();
            // A head that is still being sent when it is refused may take its answer with it.
            assert!(
                head.contains(status) || (head.is_empty() && bytes.len() > 4096),
                "{address}: {head:?}, not {status}"
            );
        }
    }
    house.assert_unharmed().await;
}

#[tokio::test]
async fn garbage_on_the_link_is_closed_with_a_reason_and_the_true_node_stays_connected() {
    let house = House::start().await;
    eventually("the node is connected", async || house.cloud.linked(NODE).await).await;
    for bytes in
        [b"\x16\x03\x01\xff\xff garbage".to_vec(), vec![0; 100_000], b"GET / HTTP/1.1\r\n\r\n".to_vec()]
    {
        raw(&house.cloud.hub(), &bytes).await.expect("the TLS port closes");
    }
    let enrol = json!({"token": "guessed", "node": NODE, "csr_pem": "no"});
    let answer = request(&house.cloud.hub_plain(), "POST", "/v1/enrol", Some(&enrol)).await;
    if let Ok(answer) = answer {
        assert!((400..500).contains(&answer.status), "{}", answer.status);
    }
    for frame in [
        Message::text("not a frame"),
        Message::binary(vec![0xff; 10]),
        Message::binary(vec![0; 100_000]),
        Message::binary(vec![1; 32 << 20]),
        Message::binary(Vec::new()),
    ] {
        let mut request =
            format!("ws://{}{LINK_PATH}", house.cloud.hub_plain()).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        // It may be closed while a frame that is too large is still being sent.
        let _ = socket.send(frame.clone()).await;
        let closed = async { while let Some(Ok(_)) = socket.next().await {} };
        let within = tokio::time::timeout(Duration::from_secs(20), closed).await;
        assert!(within.is_ok(), "still open after {:?} bytes", frame.len());
    }
    house.cloud.linked(NODE).await.expect("the true node is still connected");
    house.assert_unharmed().await;
}

#[tokio::test]
async fn over_a_broker_of_somebody_else_a_body_that_is_too_large_does_not_stop_the_gateway() {
    let Some(broker) = Mosquitto::start().await else { return };
    let nowhere = Port::free();
    let mut edge = Edge::prepare(NODE, None, Some(&broker.url()), &devices(&nowhere));
    edge.start_again().await;
    let mut mqtt = Mqtt::connect(broker.port(), "listener");
    mqtt.subscribe(&format!("{UPDATE}/result")).await;
    let large = with("large", json!({"s": {"actual": {"value": "x".repeat(1_200_000)}}}));
    mqtt.publish(UPDATE, large).await;
    let answer = mqtt.find(LIMIT, |m| m.topic == format!("{UPDATE}/result")).await.expect("an answer").json();
    assert_eq!((&answer["code"], &answer["error"]), (&json!(413), &json!("too_large")), "{answer}");
    let vandal = Mqtt::connect(broker.port(), "vandal");
    vandal.publish(UPDATE, vec![b'['; 10 << 20]).await;
    eventually("the gateway was disconnected by it, or has read it", async || {
        let log = edge.process().log();
        if log.contains("payload size limit exceeded") { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    mqtt.publish("$hw/events/device/default/dev-0/nonsense", "x").await;
    let answer = eventually_within(Duration::from_secs(30), "the gateway answers", async || {
        let body = json!({"twin": {"a": {"actual": {"value": 3}}}});
        mqtt.ask(UPDATE, body, Duration::from_secs(2)).await.ok_or_else(|| "it does not".to_owned())
    })
    .await;
    assert_eq!(answer["twin"]["a"]["actual"]["typed"], 3, "{answer}");
    edge.assert_no_panic();
}
