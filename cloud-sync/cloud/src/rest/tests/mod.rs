//! Routes with a real store in a temporary folder, called without a socket.

mod bad_input;
mod history;
mod routes;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response};
use cloud_store::CloudStore;
use http_body_util::BodyExt as _;
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use twin_core::replica::{Commit, Effect, Followed, Limits, Replica, Stored};
use twin_core::{
    Access, Change, Cursor, Device, DeviceDefinition, DeviceState, Entry, Incarnation, Outcome, Part,
    PropertyDefinition, PropertyId, Quality, Range, Reported, Revision, Side, Timestamp, Value, ValueType,
    Why, WriteResult,
};

use super::{Hosts, Link, Links, Rest};

const NOW: i64 = 1000;

struct App {
    router: Router,
    store: CloudStore,
    stop: CancellationToken,
    revision: u64,
    links: watch::Sender<u64>,
    _dir: tempfile::TempDir,
}

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    body: Json,
}

impl App {
    /// Nothing has joined yet.
    async fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = CloudStore::open(dir.path(), Incarnation::new(7)).await.unwrap();
        let stop = CancellationToken::new();
        let (sender, changes) = watch::channel(0);
        let up = Link { since: Timestamp::from_millis(900), last_seen: Timestamp::from_millis(990) };
        let links = Links { of: Arc::new(move |node| (node.as_str() == "edge-1").then_some(up)), changes };
        let hosts = Hosts(Some(Arc::from([])));
        let now = || Timestamp::from_millis(NOW);
        let router = Rest::new(store.clone(), links, hosts, stop.clone(), now).router();
        Self { router, store, stop, revision: 0, links: sender, _dir: dir }
    }

    /// A node with a pump that answers and one that does not.
    async fn with_pumps() -> Self {
        let mut app = Self::empty().await;
        app.node_says(vec![
            pump(1, DeviceState::Online),
            pump(2, DeviceState::Offline),
            reported(1, "speed", Value::float(900.0).unwrap(), Quality::Good, None),
            reported(2, "speed", Value::float(10.0).unwrap(), Quality::Bad(Why::DeviceUnreachable), None),
        ])
        .await;
        app
    }

    /// The node edge-1 sends changes.
    async fn node_says(&mut self, changes: Vec<Change>) {
        let mut entries = Vec::new();
        for change in changes {
            self.revision += 1;
            entries.push(Entry { revision: Revision::new(self.revision), change });
        }
        let cursor = Cursor { incarnation: Incarnation::new(5), revision: Revision::new(self.revision) };
        let mut replica =
            Replica::new(Side::Cloud, Incarnation::new(7), &Stored::default(), Limits::default());
        let Some(Effect::Commit(commit)) = replica.poll_effect() else {
            panic!("a new replica records itself")
        };
        let followed = vec![Followed::Apply { entries, cursor }];
        let commit = Commit { followed, ..commit.as_ref().clone() };
        self.store.commit(&"edge-1".parse().unwrap(), Arc::new(commit)).await.unwrap();
    }

    async fn raw(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.raw(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Json::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: masked(body) }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, None)).await
    }

    async fn patch(&self, path: &str, body: Json) -> Answer {
        self.send(request(Method::PATCH, path, Some(&body))).await
    }
}

impl Answer {
    /// Status and body, for a snapshot.
    fn shown(&self) -> Json {
        json!([self.status, self.body])
    }
}

fn request(method: Method, path: &str, body: Option<&Json>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:8480");
    match body {
        Some(body) => request
            .header("content-type", "application/merge-patch+json")
            .body(Body::from(body.to_string()))
            .unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

/// The same without moments of the real clock, and with members in order of name.
fn masked(json: Json) -> Json {
    match json {
        Json::Number(n) if n.as_i64().is_some_and(|n| n > 1_600_000_000_000) => json!("[ms]"),
        Json::Array(items) => items.into_iter().map(masked).collect(),
        Json::Object(members) => {
            let sorted: BTreeMap<_, _> = members.into_iter().map(|(k, v)| (k, masked(v))).collect();
            sorted.into_iter().collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => json,
    }
}

fn pump(n: usize, state: DeviceState) -> Change {
    let mut speed = PropertyDefinition::new(ValueType::Float, Access::ReadWrite);
    speed.unit = Some("rpm".into());
    speed.range = Some(Range { min: 0.0, max: 3000.0 });
    let pressure = PropertyDefinition::new(ValueType::Float, Access::Read);
    let definition = DeviceDefinition {
        protocol: "modbus".into(),
        labels: [("line".to_owned(), n.to_string())].into(),
        properties: [("speed".parse().unwrap(), speed), ("in/pressure".parse().unwrap(), pressure)].into(),
        ..DeviceDefinition::default()
    };
    let device = Device { definition, state, state_since: Some(Timestamp::from_millis(5)) };
    Change::Device(format!("pump-{n}").parse().unwrap(), Some(device))
}

fn reported(n: usize, property: &str, value: Value, quality: Quality, outcome: Option<Outcome>) -> Change {
    let id = PropertyId::new(format!("pump-{n}").parse().unwrap(), property.parse().unwrap());
    let gateway_time = Some(Timestamp::from_millis(20));
    Change::Reported(
        id,
        Some(Reported { value: Some(value), quality, source_time: None, gateway_time, outcome }),
    )
}

fn outcome(revision: u64, value: f64, result: WriteResult) -> Option<Outcome> {
    Some(Outcome {
        part: Part::Desired,
        revision: Revision::new(revision),
        value: Value::float(value).unwrap(),
        result,
        at: Timestamp::from_millis(30),
    })
}
