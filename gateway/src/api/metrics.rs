//! The figures of the gateway for a monitoring system: OpenMetrics 1.0 for those who ask for it, the text form of
//! Prometheus for the others.

mod labels;
mod plain;
mod registry;

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, header};
use prometheus_client::encoding::text::encode;
use twin_api::{Problem, ProblemKind};

use super::State;
use super::input::NoQuery;
use super::problem::Rejection;
use super::status::gather;
use registry::{Histograms, registry};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The figures of the gateway, in the text form of OpenMetrics 1.0 or of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, content((String = "application/openmetrics-text"), (String = "text/plain"))), (status = 500, body = Problem)))]
pub(super) async fn metrics(
    axum::extract::State(state): axum::extract::State<State>,
    _: NoQuery,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let status = gather(&state).await?;
    let histograms = Histograms {
        figures: state.service.figures().clone(),
        reads: state
            .overview
            .mappers
            .all()
            .into_iter()
            .map(|(name, of)| (name, of.reads().clone()))
            .collect(),
    };
    let mut text = String::new();
    encode(&mut text, &registry(&status, histograms))
        .map_err(|_| Rejection::new(ProblemKind::Internal, "the figures cannot be written"))?;
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Ok(if accepted.contains("application/openmetrics-text") {
        ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()
    } else {
        ([(header::CONTENT_TYPE, PLAIN)], plain::plain(&text)).into_response()
    })
}
