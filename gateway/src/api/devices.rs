//! Devices and their twins.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::header;
use serde::Deserialize;
use twin_api::{DevicePage, DeviceView, Problem, ProblemKind, StateWord, TwinView};
use twin_core::{DeviceId, Revision};
use utoipa::IntoParams;

use super::problem::{Path, Query, Rejection};
use super::{State, views};
use crate::clock::now;

/// Which devices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only those of this protocol.
    protocol: Option<String>,
    /// Only those in this state: online, offline or unknown.
    state: Option<StateWord>,
    /// Only those with this label, `key=value`.
    label: Option<String>,
    /// Go on after this device: the `next` of the page before.
    after: Option<String>,
    /// The most devices, 1 to 1000; 100 when left out.
    limit: Option<usize>,
}

/// The devices of this node, in order of their names.
#[utoipa::path(get, path = "/api/v1/devices", params(Filter), tag = "devices",
    responses((status = 200, body = DevicePage), (status = 400, body = Problem)))]
pub(super) async fn list(
    axum::extract::State(state): axum::extract::State<State>,
    Query(filter): Query<Filter>,
) -> Result<Json<DevicePage>, Rejection> {
    let limit = filter.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Rejection::new(ProblemKind::BadRequest, "limit must be 1 to 1000"));
    }
    let label = match filter.label.as_deref().map(|text| text.split_once('=')) {
        Some(None) => return Err(Rejection::new(ProblemKind::BadRequest, "write label=KEY=VALUE")),
        Some(Some(pair)) => Some(pair),
        None => None,
    };
    let devices = state.reader.devices().await?;
    let mut items: Vec<DeviceView> = devices
        .iter()
        .filter(|(id, device, _)| {
            filter.after.as_deref().is_none_or(|after| id.as_str() > after)
                && filter.protocol.as_ref().is_none_or(|p| *p == device.definition.protocol)
                && filter.state.as_ref().is_none_or(|s| *s == StateWord::from(device.state))
                && label.is_none_or(|(k, v)| device.definition.labels.get(k).is_some_and(|found| found == v))
        })
        .take(limit + 1)
        .map(|(id, device, revision)| DeviceView::new(id, device, *revision, None))
        .collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Json(DevicePage { items, next }))
}

pub(super) fn id(namespace: &str, name: &str) -> Result<DeviceId, Rejection> {
    DeviceId::new(namespace, name).map_err(|e| Rejection::new(ProblemKind::BadRequest, e.to_string()))
}

pub(super) fn unknown(id: &DeviceId) -> Rejection {
    let detail = format!("there is no device {id}; GET /api/v1/devices lists them");
    Rejection::new(ProblemKind::UnknownDevice, detail)
}

/// One device.
#[utoipa::path(get, path = "/api/v1/devices/{namespace}/{name}", tag = "devices",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = DeviceView), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn one(
    axum::extract::State(state): axum::extract::State<State>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<DeviceView>, Rejection> {
    let id = id(&namespace, &name)?;
    let stored = state.reader.twin(&id).await?;
    views::twin(&id, &stored, now()).map(|view| Json(view.device)).ok_or_else(|| unknown(&id))
}

/// One device with all its properties: what each holds, what it should hold, and how far it has got.
#[utoipa::path(get, path = "/api/v1/devices/{namespace}/{name}/twin", tag = "devices",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = TwinView), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn twin(
    axum::extract::State(state): axum::extract::State<State>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, Rejection> {
    let id = id(&namespace, &name)?;
    let stored = state.reader.twin(&id).await?;
    let view = views::twin(&id, &stored, now()).ok_or_else(|| unknown(&id))?;
    let revision = stored.overrides.iter().map(|(.., r)| *r).max().unwrap_or(Revision::ZERO);
    Ok(([(header::ETAG, twin_api::etag(revision))], Json(view)).into_response())
}
