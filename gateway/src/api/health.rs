//! Whether the gateway lives, and whether it works.

use axum::Json;
use http::StatusCode;
use twin_api::{Health, NotReady, Readiness};

use super::State;
use super::input::NoQuery;

/// Says what of the gateway does not work.
pub trait Probe: Send + Sync + 'static {
    /// What does not work, each with why.
    fn not_ready(&self) -> Vec<NotReady>;
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Health)))]
pub(super) async fn alive(NoQuery: NoQuery) -> Json<Health> {
    std::future::ready(Json(Health::ok(env!("CARGO_PKG_VERSION")))).await
}

/// Whether everything works; what does not is named. A cloud that is away does not make the gateway unready.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub(super) async fn ready(
    axum::extract::State(state): axum::extract::State<State>,
    NoQuery: NoQuery,
) -> (StatusCode, Json<Readiness>) {
    let not_ready = not_ready(&state).await;
    let warnings = state.service.store_health().damage.iter().map(super::store::warning).collect();
    let readiness = Readiness::of(not_ready).with_warnings(warnings);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// What does not work, each with why.
pub(super) async fn not_ready(state: &State) -> Vec<NotReady> {
    let mut not_ready = state.probe.not_ready();
    if let Some(trouble) = &state.service.store_health().trouble {
        not_ready.push(super::store::not_ready(trouble));
    } else if let Err(error) = state.reader.ping().await {
        not_ready.push(NotReady { name: "store".to_owned(), why: error.to_string() });
    }
    not_ready
}
