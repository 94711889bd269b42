//! What an operator can have done with a device: leave it alone, ask it again, read it now, find out whether it can be
//! reached.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::{Extension, Json};
use mapper_sdk::report::Observation;
use mapper_sdk::{Controls, Fault, NotDone, Polled, Probed};
use rights::Principal;
use serde::{Deserialize, Serialize};
use twin_api::{DeviceView, Problem, ProblemKind, ReportedView, Stored};
use twin_core::{DeviceId, PropertyName, Quality, Why};
use twin_store::{StoredPause, StoredTwin};
use utoipa::ToSchema;

use super::committed::Committed;
use super::input::{NoQuery, OptionalBody};
use super::problem::{Path, Rejection};
use super::{State, devices};
use crate::clock::now;
use crate::running::PauseError;

/// How long a device may keep its lane busy before the request is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long what was read may take until it is committed.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);
/// How long the values of a device that is paused may take until they say so.
const MARK_PATIENCE: Duration = Duration::from_secs(2);
/// The longest note, in characters.
const NOTE: usize = 200;

/// Why a device is to be left alone.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// What is being done at it, for those who wonder; at most 200 characters of it are kept.
    #[serde(default)]
    pub note: String,
}

/// What came of reading a device now.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PollAnswer {
    /// The device.
    pub device: String,
    /// Whether it answered.
    pub answered: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Why it did not answer, and what mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<MendView>,
    /// What it holds, as it is committed now.
    pub properties: BTreeMap<String, ReportedView>,
}

/// What came of trying to reach a device. Nothing of it was stored.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ProbeAnswer {
    /// The device.
    pub device: String,
    /// Whether it answers.
    pub reached: bool,
    /// How long the connection took, in milliseconds; left out where there was one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<u64>,
    /// How long reading it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_ms: Option<u64>,
    /// How many properties have given a value.
    pub values: u64,
    /// Those that have not, and why.
    pub without: BTreeMap<String, String>,
    /// Why it does not answer, and what mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<MendView>,
}

/// Why a device does not answer, and what mends it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MendView {
    /// Why.
    pub reason: String,
    /// What to look at.
    pub mend: String,
}

/// Leaves a device alone: nothing is asked of it and nothing written to it until it is resumed, also after a restart of the
/// gateway. Its values stay, `bad` for `paused`. Answers when nothing is on the wire to it any more.
#[utoipa::path(post, path = "/api/v1/devices/{namespace}/{name}/actions/pause", tag = "actions",
    params(("namespace" = String, Path), ("name" = String, Path)), request_body = Option<PauseRequest>,
    responses((status = 200, body = DeviceView), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 415, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn pause(
    axum::extract::State(state): axum::extract::State<State>,
    Extension(principal): Extension<Principal>,
    Path((namespace, name)): Path<(String, String)>,
    NoQuery: NoQuery,
    OptionalBody(PauseRequest { note }): OptionalBody<PauseRequest>,
) -> Result<Json<DeviceView>, Rejection> {
    let id = devices::id(&namespace, &name)?;
    let (_, controls) = served(&state, &id).await?;
    let mut committed = Committed::of(&state, &id);
    // Pausing again says another note, not another time.
    let since = state.running.pauses().get(&id).map_or_else(now, |pause| pause.since);
    let pause = StoredPause { since, by: principal.to_string(), note: note.chars().take(NOTE).collect() };
    state.running.set_pause(id.clone(), Some(pause)).await?;
    controls.settled(&id, PATIENCE).await?;
    let marked = |twin: &StoredTwin| {
        let is = |quality: &Quality| *quality == Quality::Bad(Why::Paused);
        twin.reported.is_empty() || twin.reported.iter().any(|(_, reported, _)| is(&reported.quality))
    };
    // The device is left alone either way; whoever asks for its values at once shall see it too.
    let _ = committed.until(MARK_PATIENCE, marked).await?;
    devices::show(&state, &id).await.map(Json)
}

/// Has a device that was paused asked again, at once.
#[utoipa::path(post, path = "/api/v1/devices/{namespace}/{name}/actions/resume", tag = "actions",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = DeviceView), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn resume(
    axum::extract::State(state): axum::extract::State<State>,
    Path((namespace, name)): Path<(String, String)>,
    NoQuery: NoQuery,
) -> Result<Json<DeviceView>, Rejection> {
    let id = devices::id(&namespace, &name)?;
    let (_, controls) = served(&state, &id).await?;
    state.running.set_pause(id.clone(), None).await?;
    controls.settled(&id, PATIENCE).await?;
    devices::show(&state, &id).await.map(Json)
}

/// Reads a device now, all that is read of it, and answers when that is committed. Several who ask at the same time are
/// answered by one reading.
#[utoipa::path(post, path = "/api/v1/devices/{namespace}/{name}/actions/poll", tag = "actions",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = PollAnswer), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn poll(
    axum::extract::State(state): axum::extract::State<State>,
    Path((namespace, name)): Path<(String, String)>,
    NoQuery: NoQuery,
) -> Result<Json<PollAnswer>, Rejection> {
    let id = devices::id(&namespace, &name)?;
    let (_, controls) = served(&state, &id).await?;
    let mut committed = Committed::of(&state, &id);
    let Polled { took, read } = controls.poll(&id, PATIENCE).await?;
    let (fault, stored) = match &read {
        Ok(read) => {
            let all = |twin: &StoredTwin| read.iter().all(|(name, seen)| holds(twin, name, seen));
            let Some(twin) = committed.until(COMMIT_PATIENCE, all).await? else {
                let detail =
                    "the device has answered, but what it said is not committed yet; read its twin later";
                return Err(Rejection::new(ProblemKind::Unavailable, detail));
            };
            (None, twin)
        }
        Err(fault) => (Some(mend(fault)), state.reader.twin(&id).await?),
    };
    let shown = |name: &PropertyName| read.as_ref().map_or(true, |read| read.iter().any(|(n, _)| n == name));
    let properties = stored.reported.iter().filter(|(name, ..)| shown(name)).map(|(name, body, revision)| {
        (name.to_string(), ReportedView::from(&Stored { body, revision: *revision, cloud_time: None }))
    });
    Ok(Json(PollAnswer {
        device: id.to_string(),
        answered: fault.is_none(),
        took_ms: whole_ms(took),
        fault,
        properties: properties.collect(),
    }))
}

/// Connects to a device and reads it once, without storing anything: whether it answers, how fast, and what mends it. Also
/// for a device that is paused.
#[utoipa::path(post, path = "/api/v1/devices/{namespace}/{name}/actions/probe", tag = "actions",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = ProbeAnswer), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn probe(
    axum::extract::State(state): axum::extract::State<State>,
    Path((namespace, name)): Path<(String, String)>,
    NoQuery: NoQuery,
) -> Result<Json<ProbeAnswer>, Rejection> {
    let id = devices::id(&namespace, &name)?;
    let (_, controls) = served(&state, &id).await?;
    let Probed { connected, read, values, without, fault } = controls.probe(&id, PATIENCE).await?;
    Ok(Json(ProbeAnswer {
        device: id.to_string(),
        reached: fault.is_none(),
        connect_ms: connected.map(whole_ms),
        read_ms: read.map(whole_ms),
        values: u64::try_from(values).unwrap_or(u64::MAX),
        without: without.into_iter().map(|(name, reason)| (name.to_string(), reason)).collect(),
        fault: fault.as_ref().map(mend),
    }))
}

/// The device, and how to ask something of it.
async fn served(state: &State, id: &DeviceId) -> Result<(StoredTwin, Controls), Rejection> {
    let stored = state.reader.twin(id).await?;
    let (device, _) = stored.device.as_ref().ok_or_else(|| devices::unknown(id))?;
    let protocol = &device.definition.protocol;
    if protocol.is_empty() {
        return Err(PauseError::ServedOutside(id.clone()).into());
    }
    let controls = state.overview.mappers.controls(protocol).ok_or_else(|| {
        let detail = format!("the mapper for {protocol} does not run yet; try again");
        Rejection::new(ProblemKind::Unavailable, detail)
    })?;
    Ok((stored, controls))
}

/// Whether the twin holds what was seen, or something newer.
fn holds(twin: &StoredTwin, name: &PropertyName, seen: &Observation) -> bool {
    let found = twin.reported.iter().find(|(n, ..)| n == name).map(|(_, reported, _)| reported);
    found.is_some_and(|reported| match seen.gateway_time {
        Some(at) => reported.gateway_time.is_some_and(|stored| stored >= at),
        None => reported.quality == seen.quality,
    })
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn mend(fault: &Fault) -> MendView {
    let mend = match fault {
        Fault::Link(_) => {
            "look at its address and port, and whether the device, its cable and its network are up"
        }
        Fault::TimedOut(_) => {
            "look at its unit or node number, at the speed and parity of the line, and at its time-out"
        }
        Fault::Protocol(_) => {
            "look whether it is this kind of device, and whether two devices share one number"
        }
        Fault::Unreachable(_) => "look at the device behind the coordinator, the gateway or the bus coupler",
        Fault::Denied(_) => "do what the reason says; it is asked seldom until then",
        Fault::Busy(_) => "try again later; another client may keep it busy",
        Fault::Refused(_) | Fault::Unsuitable(_) => "look at the points of its model",
        Fault::NotAValue(_) => "look at the types of its points",
        Fault::NotTold(_) | Fault::Stale(_) => {
            "wait until the device tells of itself, or look at its reporting"
        }
    };
    MendView { reason: fault.to_string(), mend: mend.to_owned() }
}

impl From<NotDone> for Rejection {
    fn from(error: NotDone) -> Self {
        let kind = match error {
            NotDone::Paused | NotDone::NothingToRead => ProblemKind::NotNow,
            NotDone::NotServed | NotDone::TooMany | NotDone::NotInTime | NotDone::BrokenOff => {
                ProblemKind::Unavailable
            }
        };
        Self::new(kind, error.to_string())
    }
}

impl From<PauseError> for Rejection {
    fn from(error: PauseError) -> Self {
        let kind = match &error {
            PauseError::UnknownDevice(_) => ProblemKind::UnknownDevice,
            PauseError::ServedOutside(_) => ProblemKind::NotServedHere,
            PauseError::Store(_) => ProblemKind::Internal,
            PauseError::Stopping => ProblemKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}
