//! Devices and their twins.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use twin_api::{DevicePage, DeviceView, Problem, ProblemKind, TwinView};
use twin_core::DeviceId;

use super::chosen::Filter;
use super::input::{NoQuery, condition};
use super::problem::{Path, Query, Rejection};
use super::{State, overrides, views};
use crate::clock::now;

/// The devices of this node, in order of their names.
#[utoipa::path(get, path = "/api/v1/devices", params(Filter), tag = "devices",
    responses((status = 200, body = DevicePage), (status = 400, body = Problem)))]
pub(super) async fn list(
    axum::extract::State(state): axum::extract::State<State>,
    Query(filter): Query<Filter>,
) -> Result<Json<DevicePage>, Rejection> {
    let chosen = filter.choose(&state, &[]).await?;
    let items = chosen.devices.into_iter().map(|(_, view)| view).collect();
    Ok(Json(DevicePage { items, next: chosen.next }))
}

pub(super) fn id(namespace: &str, name: &str) -> Result<DeviceId, Rejection> {
    DeviceId::new(namespace, name).map_err(|e| Rejection::new(ProblemKind::BadRequest, e.to_string()))
}

pub(super) fn unknown(id: &DeviceId) -> Rejection {
    let detail = format!("there is no device {id}; GET /api/v1/devices lists them");
    Rejection::new(ProblemKind::UnknownDevice, detail)
}

/// One device: what it is, whether it answers, and how it stands with the lane that serves it.
#[utoipa::path(get, path = "/api/v1/devices/{namespace}/{name}", tag = "devices",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = DeviceView), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn one(
    axum::extract::State(state): axum::extract::State<State>,
    Path((namespace, name)): Path<(String, String)>,
    NoQuery: NoQuery,
) -> Result<Json<DeviceView>, Rejection> {
    show(&state, &id(&namespace, &name)?).await.map(Json)
}

pub(super) async fn show(state: &State, id: &DeviceId) -> Result<DeviceView, Rejection> {
    let stored = state.reader.twin(id).await?;
    views::twin(state, id, &stored, now()).map(|view| view.device).ok_or_else(|| unknown(id))
}

/// One device with all its properties: what each holds, what it should hold, and how far it has got. Its `ETag` changes with
/// everything that is shown; with `If-None-Match` the answer is 304 until then.
#[utoipa::path(get, path = "/api/v1/devices/{namespace}/{name}/twin", tag = "devices",
    params(("namespace" = String, Path), ("name" = String, Path), ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = TwinView, headers(("ETag" = String, description = "Of what is shown"))),
        (status = 304, description = "It is as it was", headers(("ETag" = String, description = "Of what is shown"))),
        (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn twin(
    axum::extract::State(state): axum::extract::State<State>,
    Path((namespace, name)): Path<(String, String)>,
    NoQuery: NoQuery,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let id = id(&namespace, &name)?;
    let stored = state.reader.twin(&id).await?;
    let mut view = views::twin(&state, &id, &stored, now()).ok_or_else(|| unknown(&id))?;
    if let Some(serving) = &mut view.device.serving {
        // It tells of every reading, also of those that have changed nothing.
        serving.last_answer = None;
    }
    tagged(&headers, &overrides::version(&stored), &view)
}

/// What is shown with its tag, or that it is as it was.
pub(super) fn tagged(
    headers: &HeaderMap,
    version: &str,
    shown: &impl serde::Serialize,
) -> Result<Response, Rejection> {
    let body = serde_json::to_vec(shown)
        .map_err(|error| Rejection::new(ProblemKind::Internal, error.to_string()))?;
    let tag = twin_api::etag_of(version, &body);
    let unchanged =
        condition(headers, &header::IF_NONE_MATCH)?.is_some_and(|condition| condition.names_tag(&tag));
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let json = (header::CONTENT_TYPE, "application/json".to_owned());
    Ok(([(header::ETAG, tag), json], body).into_response())
}
