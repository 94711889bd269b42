//! Routes with a real store, service and keeper in a temporary folder, called without a socket. Nobody listens where the
//! devices are said to be.

mod bad_input;
mod routes;
mod streams;
mod writes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::config::{NoSecrets, Source};
use audit::{Audit, Book, Bounds};
use axum::Router;
use axum::body::Body;
use device_twin::{DeviceTwin, Handle, Report, ReportedChange, Settings, Update};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use mqtt_broker::Access;
use rights::Failures;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use twin_core::replica::Limits;
use twin_core::{DeviceState, Incarnation, Quality, Timestamp, Value, Why};

use super::doors::Peer;
use super::{Gate, Parts, Probe, State};
use crate::clock::now;
use crate::eventbus::{Counters, EventBus, Outlet};
use crate::overview::{Mappers, Overview};
use crate::running::Keeper;
use crate::wiring::fleet::{Fleet, Login};

const DEVICES: &str = "
models:
  pump:
    properties:
      speed: { type: int, access: read_write, range: [0, 100], unit: rpm, every: 1h, modbus: { holding: 1 } }
      heat: { type: float, every: 1h, modbus: { holding: 2 } }
devices:
  pump-1: { model: pump, labels: { line: \"1\" }, modbus: { tcp: \"127.0.0.1:1\", timeout: 100ms } }
  pump-2: { model: pump, labels: { line: \"2\" }, description: The spare, modbus: { tcp: \"127.0.0.1:1\", unit: 2, timeout: 100ms } }
  outside: { properties: { level: { type: int, access: read_write } } }
";

struct App {
    router: Router,
    service: Handle,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Json,
}

struct Deaf;

impl Outlet for Deaf {
    fn publish(&self, _: String, _: Vec<u8>, _: bool) {}
}

struct Fine;

impl Probe for Fine {
    fn not_ready(&self) -> Vec<twin_api::NotReady> {
        Vec::new()
    }
}

impl App {
    /// A gateway with two pumps of Modbus and a device of an outside mapper, which has said its level.
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("data");
        let text = format!("gateway: {{ node: edge-1, data_dir: \"{}\" }}\n{DEVICES}", data_dir.display());
        let protocols = crate::wiring::protocols();
        let loaded = ::config::load(&[Source::new("plant.yaml", text)], &protocols, &NoSecrets);
        let config = loaded.unwrap_or_else(|faults| panic!("{faults:?}")).config;
        let (_link_events, events) = mpsc::channel(1);
        let (commands, _link_commands) = mpsc::channel(1);
        let link_queue = commands.downgrade();
        let settings = Settings {
            history: twin_store::HistoryBounds::default(),
            data_dir,
            incarnation: Incarnation::new(7),
            limits: Limits::default(),
            settle: Duration::ZERO,
            now,
        };
        let (twin, service, reader) = DeviceTwin::open(settings, events, commands).await.unwrap();
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let token = stop.clone();
        tasks.spawn(async move { twin.run(token).await.unwrap() });
        let definitions = config.devices.iter().map(|(id, device)| (id.clone(), device.definition.clone()));
        service.declare(definitions.collect()).await.unwrap();
        let node = config.gateway.node.clone();
        let counters = Arc::new(Counters::default());
        let book = Book::open(&config.gateway.data_dir).await.unwrap();
        let bounds = Bounds { keep: config.gateway.audit.keep, bytes: config.gateway.audit.bytes };
        let (audit, writer) = Audit::new(book, bounds, now).await.unwrap();
        tasks.spawn(writer.run(stop.clone()));
        let bus = EventBus::new(
            node.clone(),
            service.clone(),
            audit.clone(),
            reader.clone(),
            Box::new(Deaf),
            Arc::clone(&counters),
        );
        let bus = bus.await.unwrap();
        let overview = Overview {
            started_at: now(),
            mqtt: "mqtt://127.0.0.1:1".to_owned(),
            link: None,
            counters,
            mappers: Mappers::default(),
            data_dir: config.gateway.data_dir.clone(),
            link_queue,
        };
        let access = Arc::new(Access::new(std::iter::empty()));
        let login = Login::Embedded { url: overview.mqtt.clone(), access };
        let fleet = Fleet::new(login, config.gateway.data_dir.clone(), overview.mappers.clone());
        let parts = crate::running::Parts {
            service: service.clone(),
            bus,
            fleet,
            gateway: config.gateway.clone(),
            devices: config.devices.clone(),
            audit: audit.clone(),
        };
        let (keeper, running) = Keeper::new(parts, None).await.unwrap();
        let token = stop.clone();
        tasks.spawn(async move { keeper.run(token).await.unwrap() });
        let tokens = rights::Tokens::open(&config.gateway.data_dir).await.unwrap();
        let gate = Gate::new(tokens, BTreeMap::new(), Failures::default(), audit.clone());
        let parts = Parts {
            node,
            service: service.clone(),
            reader,
            probe: Arc::new(Fine),
            running,
            overview,
            gate,
            audit,
        };
        let peer =
            Peer { address: "127.0.0.1:50000".parse().unwrap(), tls: false, open: true, common_name: None };
        let router = super::routes(State { parts, stop: stop.clone() }).layer(axum::Extension(peer));
        let app = Self { router, service, stop, tasks, _dir: dir };
        app.report("outside", "level", Value::Int(7), Quality::Good).await;
        app
    }

    async fn report(&self, device: &str, property: &str, value: Value, quality: Quality) {
        let change = ReportedChange {
            value: quality.is_good().then_some(value),
            quality,
            source_time: None,
            gateway_time: Some(Timestamp::from_millis(20)),
            outcome: None,
            define: None,
        };
        let properties = vec![(property.parse().unwrap(), Update::Changed(change))];
        self.service.report(Report { device: device.parse().unwrap(), properties }).await.unwrap();
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
        self.send(request(Method::GET, path, &[], None)).await
    }

    async fn post(&self, path: &str, body: Option<&Json>) -> Answer {
        let headers: &[_] = if body.is_some() { &[("content-type", "application/json")] } else { &[] };
        self.send(request(Method::POST, path, headers, body)).await
    }

    async fn patch(&self, path: &str, headers: &[(&str, &str)], body: &Json) -> Answer {
        let merge = ("content-type", "application/merge-patch+json");
        self.send(request(Method::PATCH, path, &[&[merge], headers].concat(), Some(body))).await
    }

    async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

impl Answer {
    /// Status and body, for a snapshot.
    fn shown(&self) -> Json {
        json!([self.status, self.body])
    }

    fn tag(&self) -> &str {
        self.headers["etag"].to_str().unwrap()
    }

    /// The end of the type of a problem.
    fn problem(&self) -> (u16, &str) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.body);
        assert_eq!(self.body["status"], self.status);
        let kind = self.body["type"].as_str().unwrap();
        (self.status, kind.strip_prefix("urn:twinspan:problem:").unwrap())
    }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Json>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost:7480");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()
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
