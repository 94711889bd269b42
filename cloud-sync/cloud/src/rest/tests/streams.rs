use std::time::Duration;

use super::*;

#[tokio::test]
async fn changes_from_nothing_are_everything_and_go_on_from_any_place() {
    let mut app = App::with_pumps().await;
    let page = app.get("/api/v1/changes?limit=3").await.body;
    assert_eq!(
        (page["items"].as_array().unwrap().len(), &page["more"], &page["next"]),
        (3, &json!(true), &json!(3))
    );
    insta::assert_json_snapshot!(app.get("/api/v1/changes?since=3").await.shown(), @r#"
        [
          200,
          {
            "items": [
              {
                "device": "default/pump-2",
                "node": "edge-1",
                "part": "reported",
                "property": "speed",
                "property_now": {
                  "convergence": {
                    "state": "none"
                  },
                  "definition": {
                    "access": "read_write",
                    "range": {
                      "max": 3000.0,
                      "min": 0.0
                    },
                    "type": "float",
                    "unit": "rpm"
                  },
                  "reported": {
                    "cloud_time": "[ms]",
                    "gateway_time": 20,
                    "quality": "bad",
                    "revision": 4,
                    "value": 10.0,
                    "why": "device_unreachable"
                  }
                },
                "revision": 4,
                "seq": 4
              }
            ],
            "more": false,
            "next": 4
          }
        ]
        "#);
    let gone = PropertyId::new("pump-2".parse().unwrap(), "speed".parse().unwrap());
    app.node_says(vec![Change::Reported(gone, None)]).await;
    let page = app.get("/api/v1/changes?since=4").await.body;
    assert_eq!(page["items"][0]["deleted"], true);
    assert_eq!(app.get("/api/v1/changes?since=4&node=edge-2").await.body["next"], page["next"]);
}

#[tokio::test]
async fn a_long_poll_ends_with_the_first_change() {
    let mut app = App::with_pumps().await;
    let router = app.router.clone();
    let mut waiting = tokio::task::JoinSet::new();
    waiting.spawn(router.oneshot(request(Method::GET, "/api/v1/changes?since=4&wait=30", None)));
    tokio::task::yield_now().await;
    app.node_says(vec![pump(3, DeviceState::Online)]).await;
    let answer = tokio::time::timeout(Duration::from_secs(10), waiting.join_next()).await.unwrap();
    let body = answer.unwrap().unwrap().unwrap().into_body().collect().await.unwrap().to_bytes();
    let body: Json = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["items"][0]["device"], "default/pump-3");
}

/// Reads an event stream event by event.
struct Events {
    body: Body,
    text: String,
}

impl Events {
    async fn open(app: &App, path: &str, last: Option<&str>) -> Self {
        let mut request = request(Method::GET, path, None);
        if let Some(last) = last {
            request.headers_mut().insert("last-event-id", last.parse().unwrap());
        }
        let answer = app.raw(request).await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { body: answer.into_body(), text: String::new() }
    }

    /// The lines of the next event; none at the end of the stream.
    async fn next(&mut self) -> Option<Vec<String>> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let lines = event.lines().map(str::to_owned).collect();
                self.text = rest.to_owned();
                return Some(lines);
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame()).await.unwrap()?;
            self.text += std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap();
        }
    }

    async fn expect(&mut self, event: &str, id: &str) -> String {
        let lines = self.next().await.unwrap();
        assert!(lines.contains(&format!("event: {event}")), "{lines:?}");
        assert!(lines.contains(&format!("id: {id}")), "{lines:?}");
        lines.iter().find_map(|l| l.strip_prefix("data: ")).unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_stream_tells_changes_as_they_happen_and_resumes_after_the_last_event_seen() {
    let mut app = App::with_pumps().await;
    let mut events = Events::open(&app, "/api/v1/events", None).await;
    events.expect("start", "4").await;
    app.node_says(vec![pump(3, DeviceState::Online)]).await;
    events.expect("change", "5").await;
    drop(events);
    app.node_says(vec![reported(1, "speed", Value::float(901.0).unwrap(), Quality::Good, None)]).await;
    app.node_says(vec![reported(1, "speed", Value::float(902.0).unwrap(), Quality::Good, None)]).await;
    let mut events = Events::open(&app, "/api/v1/events", Some("5")).await;
    events.expect("start", "5").await;
    let change: Json = serde_json::from_str(&events.expect("change", "7").await).unwrap();
    assert_eq!(change["property_now"]["reported"]["value"], 902.0, "of two changes the newest");
    app.links.send_replace(1);
    assert_eq!(events.next().await.unwrap()[0], "event: nodes");
    app.stop.cancel();
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_stream_that_cannot_be_resumed_begins_with_a_reset() {
    let app = App::with_pumps().await;
    let mut events = Events::open(&app, "/api/v1/events", Some("99")).await;
    events.expect("reset", "4").await;
}

#[tokio::test]
async fn a_stream_of_one_node_does_not_tell_of_others() {
    let mut app = App::with_pumps().await;
    let mut others = Events::open(&app, "/api/v1/events?since=0&node=edge-2", None).await;
    let mut own = Events::open(&app, "/api/v1/events?since=0&node=edge-1", None).await;
    others.expect("start", "0").await;
    own.expect("start", "0").await;
    own.expect("change", "1").await;
    app.node_says(vec![pump(3, DeviceState::Online)]).await;
    app.stop.cancel();
    assert_eq!(others.next().await, None);
}
