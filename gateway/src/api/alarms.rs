//! Alarms at the edge.

use axum::body::Bytes;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use device_twin::{AlarmAct, AlarmError, AlarmRequest};
use http::StatusCode;
use rights::{Principal, Proof};
use serde::Deserialize;
use twin_api::{AlarmNote, AlarmPage, AlarmView, Problem, ProblemKind, read_words};
use twin_core::alarm::Person;
use twin_core::{Alarm, AlarmId, AlarmState, PropertyId, Severity};
use utoipa::IntoParams;

use super::problem::{Path, Query, Rejection};
use super::{State, devices};
use crate::clock::now;

/// Which alarms.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only those in these states, with commas: active, acknowledged, cleared_unacknowledged, cleared, shelved.
    state: Option<String>,
    /// Only those of these severities, with commas: info, warning, critical.
    severity: Option<String>,
    /// Only those of this device, `namespace/name`.
    device: Option<String>,
    /// Go on after this alarm: the `next` of the page before.
    after: Option<String>,
    /// The most alarms, 1 to 1000; 100 when left out.
    limit: Option<usize>,
}

/// The alarms of this node, in order of device, property and rule.
#[utoipa::path(get, path = "/api/v1/alarms", params(Filter), tag = "alarms",
    responses((status = 200, body = AlarmPage), (status = 400, body = Problem)))]
pub(super) async fn list(
    axum::extract::State(state): axum::extract::State<State>,
    Query(filter): Query<Filter>,
) -> Result<Json<AlarmPage>, Rejection> {
    let limit = filter.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(Rejection::new(ProblemKind::BadRequest, "limit must be 1 to 1000"));
    }
    let states: Vec<AlarmState> = read_words(filter.state.as_deref())?;
    let severities: Vec<Severity> = read_words(filter.severity.as_deref())?;
    let place = |id: &AlarmId| format!("{}/{}", id.device(), id.column());
    let alarms = state.reader.alarms().await?;
    let mut items: Vec<(String, AlarmView)> = alarms
        .iter()
        .filter(|(id, alarm, _)| {
            (states.is_empty() || states.contains(&alarm.state()))
                && (severities.is_empty() || severities.contains(&alarm.severity))
                && filter.device.as_deref().is_none_or(|device| id.device().as_str() == device)
        })
        .map(|(id, alarm, revision)| (place(id), AlarmView::new(None, id, alarm, *revision)))
        .filter(|(place, _)| filter.after.as_ref().is_none_or(|after| place > after))
        .collect();
    items.sort_by(|(a, _), (b, _)| a.cmp(b));
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|(place, _)| place.clone());
    Ok(Json(AlarmPage { items: items.into_iter().map(|(_, view)| view).collect(), next }))
}

type AlarmPath = Path<(String, String, String, String)>;

/// Says that somebody knows of an alarm's newest raise; the first who did stays.
#[utoipa::path(post, path = "/api/v1/alarms/{namespace}/{name}/{property}/{rule}/acknowledge", tag = "alarms",
    params(("namespace" = String, Path), ("name" = String, Path), ("property" = String, Path), ("rule" = String, Path)),
    request_body(content = AlarmNote, description = "May be left out"),
    responses((status = 200, body = AlarmView), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn acknowledge(
    axum::extract::State(state): axum::extract::State<State>,
    Extension(principal): Extension<Principal>,
    path: AlarmPath,
    body: Bytes,
) -> Result<Response, Rejection> {
    let note = note(&body, false)?;
    act(&state, path, AlarmAct::Acknowledge(person(&principal, note))).await
}

/// Puts an alarm away for a time; it goes on underneath.
#[utoipa::path(post, path = "/api/v1/alarms/{namespace}/{name}/{property}/{rule}/shelve", tag = "alarms",
    params(("namespace" = String, Path), ("name" = String, Path), ("property" = String, Path), ("rule" = String, Path)),
    request_body(content = AlarmNote, description = "`for_ms` says for how long"),
    responses((status = 200, body = AlarmView), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn shelve(
    axum::extract::State(state): axum::extract::State<State>,
    Extension(principal): Extension<Principal>,
    path: AlarmPath,
    body: Bytes,
) -> Result<Response, Rejection> {
    let note = note(&body, true)?;
    let time = std::time::Duration::from_millis(note.for_ms.unwrap_or_default());
    act(&state, path, AlarmAct::Shelve { until: now().after(time), who: person(&principal, note) }).await
}

/// Takes an alarm from the shelf before its time. Answers 204 when nothing is left of it, since it was never raised.
#[utoipa::path(post, path = "/api/v1/alarms/{namespace}/{name}/{property}/{rule}/unshelve", tag = "alarms",
    params(("namespace" = String, Path), ("name" = String, Path), ("property" = String, Path), ("rule" = String, Path)),
    request_body(content = AlarmNote, description = "May be left out"),
    responses((status = 200, body = AlarmView), (status = 204), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn unshelve(
    axum::extract::State(state): axum::extract::State<State>,
    path: AlarmPath,
    body: Bytes,
) -> Result<Response, Rejection> {
    note(&body, false)?;
    act(&state, path, AlarmAct::Unshelve).await
}

async fn act(state: &State, path: AlarmPath, act: AlarmAct) -> Result<Response, Rejection> {
    let Path((namespace, name, property, rule)) = path;
    let bad = |error: twin_core::InvalidId| Rejection::new(ProblemKind::BadRequest, error.to_string());
    let device = devices::id(&namespace, &name)?;
    let property = PropertyId::new(device.clone(), property.parse().map_err(bad)?);
    let id = AlarmId::new(property, rule.parse().map_err(bad)?);
    match state.service.act_on_alarm(AlarmRequest { id: id.clone(), act }).await? {
        None => Ok(StatusCode::NO_CONTENT.into_response()),
        Some(alarm) => Ok(Json(stored(state, &id, alarm).await?).into_response()),
    }
}

/// The alarm with its revision; as it was answered where it has gone on meanwhile.
async fn stored(state: &State, id: &AlarmId, alarm: Alarm) -> Result<AlarmView, Rejection> {
    let twin = state.reader.twin(id.device()).await?;
    let found = twin.alarms.iter().find(|(there, ..)| there == id);
    let revision = found.map_or(twin_core::Revision::ZERO, |(.., revision)| *revision);
    Ok(AlarmView::new(None, id, &alarm, revision))
}

fn note(body: &[u8], shelves: bool) -> Result<AlarmNote, Rejection> {
    let bad = |detail: String| Rejection::new(ProblemKind::BadRequest, detail);
    let note: AlarmNote = match body {
        [] => AlarmNote::default(),
        body => serde_json::from_slice(body).map_err(|error| bad(format!("the body: {error}")))?,
    };
    match (shelves, note.for_ms) {
        (true, None) => Err(bad("`for_ms` says for how many milliseconds it is shelved".to_owned())),
        (false, Some(_)) => Err(bad("`for_ms` is for `shelve`".to_owned())),
        (true, Some(_)) | (false, None) => Ok(note),
    }
}

/// Whoever has shown who they are is named so; whoever is on this machine may give a name.
fn person(principal: &Principal, note: AlarmNote) -> Person {
    let by = match (principal.proof, note.by) {
        (Proof::Loopback, Some(by)) => by,
        (Proof::Loopback | Proof::Token | Proof::Certificate, _) => principal.to_string(),
    };
    Person { by, comment: note.comment }
}

impl From<AlarmError> for Rejection {
    fn from(error: AlarmError) -> Self {
        let kind = match &error {
            AlarmError::Unknown { .. } => ProblemKind::UnknownAlarm,
            AlarmError::NotDone { why, .. } => match why {
                twin_core::alarm::NotDone::NeverRaised | twin_core::alarm::NotDone::NotShelved => {
                    ProblemKind::NotDone
                }
                twin_core::alarm::NotDone::Time | twin_core::alarm::NotDone::TooLong => {
                    ProblemKind::BadRequest
                }
            },
            AlarmError::NotStored { .. } => ProblemKind::NotStored,
            AlarmError::Stopping => ProblemKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}
