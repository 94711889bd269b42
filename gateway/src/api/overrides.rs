//! A local operator's values.

use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use device_twin::OverrideRequest;
use http::{HeaderMap, header};
use rights::Principal;
use twin_api::{Problem, ProblemKind, TwinView};
use twin_core::{Override, PropertyId, Revision};

use super::problem::{Path, Rejection};
use super::{State, devices, views};
use crate::clock::now;

/// Sets or releases overrides: a JSON merge patch of property names. A value alone holds until it is released;
/// `{"value": 5, "valid_until": MILLISECONDS}` until then; `null` releases. With `If-Match` the request is refused when an
/// override of this device has changed since (the `ETag` of its twin).
#[utoipa::path(patch, path = "/api/v1/devices/{namespace}/{name}/override", tag = "devices",
    params(("namespace" = String, Path), ("name" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body(content = serde_json::Value, content_type = "application/merge-patch+json"),
    responses((status = 200, body = TwinView), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 412, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn set(
    axum::extract::State(state): axum::extract::State<State>,
    Extension(principal): Extension<Principal>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<serde_json::Value>, JsonRejection>,
) -> Result<Response, Rejection> {
    let Json(body) = body?;
    let id = devices::id(&namespace, &name)?;
    let stored = state.reader.twin(&id).await?;
    let (device, _) = stored.device.as_ref().ok_or_else(|| devices::unknown(&id))?;
    let wishes = twin_api::read_wishes(&id, &device.definition, &body, now())?;
    let last = stored.overrides.iter().map(|(.., r)| *r).max().unwrap_or(Revision::ZERO);
    let expected = if_match(&headers)?;
    if let Some(expected) = expected
        && expected != last
    {
        let detail =
            format!("the overrides of {id} are at revision {last}, not {expected}; read the twin again");
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
        let if_match = expected.map(|_| found);
        requests.push(OverrideRequest { id: PropertyId::new(id.clone(), property), set, if_match });
    }
    state.service.set_overrides(requests).await?;
    let stored = state.reader.twin(&id).await?;
    let view = views::twin(&id, &stored, now()).ok_or_else(|| devices::unknown(&id))?;
    let revision = stored.overrides.iter().map(|(.., r)| *r).max().unwrap_or(Revision::ZERO);
    Ok(([(header::ETAG, twin_api::etag(revision))], Json(view)).into_response())
}

fn if_match(headers: &HeaderMap) -> Result<Option<Revision>, Rejection> {
    let Some(header) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let bad = || Rejection::new(ProblemKind::BadRequest, "If-Match must be the ETag of the twin, or *");
    let text = header.to_str().map_err(|_| bad())?;
    twin_api::parse_if_match(text).map_err(|_| bad())
}
