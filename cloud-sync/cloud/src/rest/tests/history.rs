use serde_json::json;
use twin_core::history::{Collected, HistoryPolicy, Place, Reading, Sample};
use twin_core::{
    Access, Change, Device, DeviceDefinition, Incarnation, PropertyDefinition, PropertyId, Quality,
    Timestamp, Value, ValueType, Why,
};

use super::{App, Method, request};

const HISTORY: &str = "/api/v1/nodes/edge-1/devices/default/pump-1/history";

async fn app() -> App {
    let mut app = App::empty().await;
    let mut flow = PropertyDefinition::new(ValueType::Float, Access::Read);
    flow.history = Some(HistoryPolicy::default());
    let plain = PropertyDefinition::new(ValueType::Float, Access::Read);
    let definition = DeviceDefinition {
        properties: [("flow".parse().unwrap(), flow), ("plain".parse().unwrap(), plain)].into(),
        ..DeviceDefinition::default()
    };
    let device = Device { definition, ..Device::default() };
    app.node_says(vec![Change::Device("pump-1".parse().unwrap(), Some(device))]).await;
    let sample = |seq, at, value: Option<f64>| {
        let quality = if value.is_some() { Quality::Good } else { Quality::Bad(Why::Stale) };
        let value = value.map(|value| Value::float(value).unwrap());
        let reading = Reading { at: Timestamp::from_millis(at), source_time: None, quality, value };
        Sample { seq, id: PropertyId::new("pump-1".parse().unwrap(), "flow".parse().unwrap()), reading }
    };
    let samples = vec![
        sample(1, 100, Some(1.0)),
        sample(2, 200, Some(2.0)),
        sample(3, 250, Some(4.5)),
        sample(4, 300, None),
    ];
    let end = Place { incarnation: Incarnation::new(5), seq: 4 };
    app.store
        .history()
        .collect(&"edge-1".parse().unwrap(), &Collected { samples, end, missed: 0 })
        .await
        .unwrap();
    app
}

#[tokio::test]
async fn a_history_is_shown_page_by_page() {
    let app = app().await;
    let page = app.get(&format!("{HISTORY}?property=flow&from=150&limit=2")).await;
    assert_eq!(
        page.shown(),
        json!([200, {
            "device": "default/pump-1", "property": "flow", "from": 150, "to": 1000,
            "before": {"at": 100, "quality": "good", "value": 1.0},
            "items": [
                {"at": 200, "quality": "good", "value": 2.0},
                {"at": 250, "quality": "good", "value": 4.5},
            ],
            "next": page.body["next"],
        }])
    );
    let next = page.body["next"].as_str().unwrap();
    let page = app.get(&format!("{HISTORY}?property=flow&from=150&limit=2&after={next}")).await;
    assert_eq!(page.body["items"], json!([{"at": 300, "quality": "bad", "why": "stale"}]));
    assert_eq!(page.body.get("next"), None);
}

#[tokio::test]
async fn a_history_is_put_together_in_steps_and_as_csv() {
    let app = app().await;
    let page = app.get(&format!("{HISTORY}?property=flow&from=100&step=100ms")).await;
    assert_eq!(
        page.body["items"],
        json!([
            {"at": 100, "value": 1.0, "count": 1, "bad": 0},
            {"at": 200, "value": 3.25, "count": 2, "bad": 0},
            {"at": 300, "count": 0, "bad": 1},
        ])
    );
    let path = format!("{HISTORY}?property=flow&from=100&step=100ms&fn=max&format=csv");
    let answer = app.raw(request(Method::GET, &path, None)).await;
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    assert_eq!(body, "at,value,count,bad\r\n100,1.0,1,0\r\n200,4.5,2,0\r\n300,,0,1\r\n");
}

#[tokio::test]
async fn a_history_that_is_not_there_is_a_problem_that_says_so() {
    let app = app().await;
    for (path, status) in [
        (format!("{HISTORY}?property=plain"), 422),
        (format!("{HISTORY}?property=nosuch"), 404),
        ("/api/v1/nodes/edge-1/devices/default/pump-9/history?property=flow".to_owned(), 404),
        ("/api/v1/nodes/edge-9/devices/default/pump-1/history?property=flow".to_owned(), 404),
        (format!("{HISTORY}?property=flow&step=1w"), 400),
        (format!("{HISTORY}?property=flow&colour=red"), 400),
        (HISTORY.to_owned(), 400),
    ] {
        let answer = app.get(&path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
}
