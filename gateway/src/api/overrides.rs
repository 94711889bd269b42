//! A local operator's values.

use std::collections::BTreeMap;

use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use device_twin::OverrideRequest;
use http::{HeaderMap, header};
use rights::Principal;
use twin_api::{OverrideView, Problem, ProblemKind, Stored, TwinView, etag_of, fingerprint};
use twin_core::{DeviceId, Override, PropertyId, Revision};
use twin_store::StoredTwin;

use super::input::{MergePatch, NoQuery, condition};
use super::problem::{Path, Rejection};
use super::{State, devices, views};
use crate::clock::now;

/// The overrides of a device by property, also those that have run out. The `ETag` is that of a later `If-Match`.
#[utoipa::path(get, path = "/api/v1/devices/{namespace}/{name}/override", tag = "devices",
    params(("namespace" = String, Path), ("name" = String, Path), ("If-None-Match" = Option<String>, Header)),
    responses((status = 200, body = BTreeMap<String, OverrideView>,
            headers(("ETag" = String, description = "For If-Match"))),
        (status = 304, description = "They are as they were", headers(("ETag" = String, description = "For If-Match"))),
        (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn show(
    axum::extract::State(state): axum::extract::State<State>,
    Path((namespace, name)): Path<(String, String)>,
    NoQuery: NoQuery,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let id = devices::id(&namespace, &name)?;
    let stored = known(&state, &id).await?;
    let shown: BTreeMap<String, OverrideView> = stored
        .overrides
        .iter()
        .map(|(name, body, revision)| {
            let stored = Stored { body, revision: *revision, cloud_time: None };
            (name.to_string(), OverrideView::from(&stored))
        })
        .collect();
    devices::tagged(&headers, &version(&stored), &shown)
}

/// Sets or releases overrides: a JSON merge patch of property names. A value alone holds until it is released;
/// `{"value": 5, "valid_until": MILLISECONDS}` until then; `null` releases. What is not named stays as it is. With `If-Match`
/// the request is refused when an override of this device has changed since (the `ETag` of its overrides or of its twin).
#[utoipa::path(patch, path = "/api/v1/devices/{namespace}/{name}/override", tag = "devices",
    params(("namespace" = String, Path), ("name" = String, Path), ("If-Match" = Option<String>, Header),
        ("If-None-Match" = Option<String>, Header)),
    request_body(content = BTreeMap<String, serde_json::Value>, content_type = "application/merge-patch+json"),
    responses((status = 200, body = TwinView, headers(("ETag" = String, description = "For If-Match"))),
        (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 412, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn set(
    axum::extract::State(state): axum::extract::State<State>,
    Extension(principal): Extension<Principal>,
    Path((namespace, name)): Path<(String, String)>,
    NoQuery: NoQuery,
    headers: HeaderMap,
    MergePatch(patch): MergePatch,
) -> Result<Response, Rejection> {
    let id = devices::id(&namespace, &name)?;
    let stored = known(&state, &id).await?;
    let (device, _) = stored.device.as_ref().ok_or_else(|| devices::unknown(&id))?;
    let wishes = twin_api::read_wishes(&id, &device.definition, &patch, now())?;
    let if_match = condition(&headers, &header::IF_MATCH)?;
    let if_none_match = condition(&headers, &header::IF_NONE_MATCH)?;
    let version = version(&stored);
    if if_match.as_ref().is_some_and(|condition| !condition.names(&version))
        || if_none_match.is_some_and(|condition| condition.names(&version))
    {
        let detail = format!("the overrides of {id} are at \"{version}\"; read them again");
        return Err(Rejection::new(ProblemKind::RevisionMismatch, detail));
    }
    let mut requests = Vec::with_capacity(wishes.len());
    for twin_api::Wish { property, wanted } in wishes {
        // Between reading and writing somebody else may have come; the service compares again, for this property.
        let found =
            stored.overrides.iter().find(|(n, ..)| *n == property).map_or(Revision::ZERO, |(.., r)| *r);
        let set = wanted.map(|wanted| Override {
            value: wanted.value,
            set_by: principal.to_string(),
            set_at: now(),
            expires_at: wanted.until,
        });
        let if_match = if_match.as_ref().map(|_| found);
        requests.push(OverrideRequest { id: PropertyId::new(id.clone(), property), set, if_match });
    }
    // An empty patch changes nothing (RFC 7396).
    if !requests.is_empty() {
        state.service.set_overrides(requests).await?;
    }
    let stored = state.reader.twin(&id).await?;
    let view = views::twin(&state, &id, &stored, now()).ok_or_else(|| devices::unknown(&id))?;
    let shown = serde_json::to_vec(&view).unwrap_or_default();
    Ok(([(header::ETAG, etag_of(&self::version(&stored), &shown))], Json(view)).into_response())
}

async fn known(state: &State, id: &DeviceId) -> Result<StoredTwin, Rejection> {
    let stored = state.reader.twin(id).await?;
    if stored.device.is_some() { Ok(stored) } else { Err(devices::unknown(id)) }
}

/// Tells whether any override of the device has been set or released. The highest revision would not: what is released is
/// not there any more.
pub(super) fn version(stored: &StoredTwin) -> String {
    let written = stored.overrides.iter().map(|(name, _, revision)| format!("{name} {revision}"));
    let mut written: Vec<String> = written.collect();
    written.sort();
    fingerprint(written.iter().map(String::as_bytes))
}
