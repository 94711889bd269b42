//! REST at the edge: the same shapes and words as in the cloud, with the link up or down.

pub mod actions;
mod alarms;
pub mod asked;
pub mod audit;
mod changes;
mod chosen;
mod committed;
mod config;
mod desired;
mod devices;
pub(crate) mod doors;
mod events;
mod gate;
mod guard;
mod health;
mod history;
mod input;
mod metrics;
mod overrides;
mod problem;
mod recorded;
pub mod status;
pub mod store;
#[cfg(test)]
mod tests;
mod values;
mod views;

use std::sync::Arc;

use ::audit::Audit;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, patch, post};
use axum::{Router, middleware};
use device_twin::Handle;
use tokio_util::sync::CancellationToken;
use twin_api::EveryRoute;
use twin_core::NodeName;
use twin_store::Reader;
use utoipa::OpenApi;

pub use doors::{Api, BindError};
pub use gate::Gate;
pub use health::Probe;

use crate::overview::Overview;
use crate::running::Running;

/// The longest body that is read, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// What the routes need of the rest of the gateway.
#[derive(Clone)]
pub struct Parts {
    /// The node's name.
    pub node: NodeName,
    /// DeviceTwin.
    pub service: Handle,
    /// What it has committed.
    pub reader: Reader,
    /// What does not work.
    pub probe: Arc<dyn Probe>,
    /// The configuration in force.
    pub running: Running,
    /// How the gateway as a whole stands.
    pub overview: Overview,
    /// Who may come in.
    pub gate: Gate,
    /// Who did what.
    pub audit: Audit,
}

/// What the routes are given.
#[derive(Clone)]
pub(crate) struct State {
    parts: Parts,
    pub(crate) stop: CancellationToken,
}

impl std::ops::Deref for State {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// All routes.
pub(crate) fn routes(state: State) -> Router {
    let v1 = Router::new()
        .route("/devices", get(devices::list))
        .route("/devices/{namespace}/{name}", get(devices::one))
        .route("/devices/{namespace}/{name}/twin", get(devices::twin))
        .route("/devices/{namespace}/{name}/history", get(history::page))
        .route("/devices/{namespace}/{name}/override", get(overrides::show).patch(overrides::set))
        .route("/devices/{namespace}/{name}/desired", patch(desired::set))
        .route("/devices/{namespace}/{name}/actions/pause", post(actions::pause))
        .route("/devices/{namespace}/{name}/actions/resume", post(actions::resume))
        .route("/devices/{namespace}/{name}/actions/poll", post(actions::poll))
        .route("/devices/{namespace}/{name}/actions/probe", post(actions::probe))
        .route("/values", get(values::list))
        .route("/changes", get(changes::list))
        .route("/alarms", get(alarms::list))
        .route("/alarms/{namespace}/{name}/{property}/{rule}/acknowledge", post(alarms::acknowledge))
        .route("/alarms/{namespace}/{name}/{property}/{rule}/shelve", post(alarms::shelve))
        .route("/alarms/{namespace}/{name}/{property}/{rule}/unshelve", post(alarms::unshelve))
        .route("/events", get(events::stream))
        .route("/status", get(status::status))
        .route("/audit", get(audit::page))
        .route("/audit/head", get(audit::head))
        .route("/config", get(config::status))
        .route("/config/history", get(config::history))
        .route("/config/reload", post(config::reload))
        .route("/config/rollback", post(config::rollback))
        .route("/config/apply", post(config::apply).layer(DefaultBodyLimit::max(config::MAX_BODY_BYTES)));
    Router::new()
        .nest("/api/v1", v1)
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(show_document))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(middleware::from_fn_with_state(state.parts.gate.clone(), gate::check))
        .layer(middleware::from_fn(guard::own_names_only))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(state)
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Twinspan gateway", description = "Devices and their twins at the edge."),
    paths(
        devices::list,
        devices::one,
        devices::twin,
        history::page,
        overrides::show,
        overrides::set,
        desired::set,
        actions::pause,
        actions::resume,
        actions::poll,
        actions::probe,
        values::list,
        changes::list,
        alarms::list,
        alarms::acknowledge,
        alarms::shelve,
        alarms::unshelve,
        events::stream,
        config::status,
        config::history,
        config::apply,
        config::reload,
        config::rollback,
        status::status,
        audit::page,
        audit::head,
        metrics::metrics,
        health::alive,
        health::ready
    ),
    components(schemas(twin_api::Problem)),
    modifiers(&EveryRoute)
)]
struct Document;

/// The OpenAPI document of all routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

async fn show_document(input::NoQuery: input::NoQuery) -> axum::Json<utoipa::openapi::OpenApi> {
    std::future::ready(axum::Json(openapi())).await
}
