//! Health.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use twin_api::{Health, NotReady, Problem, Readiness};

use super::Rest;

/// Tells that the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    std::future::ready(Json(Health::ok(env!("CARGO_PKG_VERSION")))).await
}

/// Tells whether the process can serve, and what is missing.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, body = Readiness),
    (status = 503, body = Readiness, description = "Something is not ready"),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn readyz(State(rest): State<Rest>) -> (StatusCode, Json<Readiness>) {
    let mut not_ready = Vec::new();
    if let Err(error) = rest.store.changes_range().await {
        not_ready.push(NotReady { name: "store".into(), why: error.to_string() });
    }
    if rest.stop.is_cancelled() {
        not_ready.push(NotReady { name: "server".into(), why: "it is stopping".into() });
    }
    let status = if not_ready.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness::of(not_ready)))
}
