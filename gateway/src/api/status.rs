//! The whole gateway at a glance.

use axum::Json;
use serde::{Deserialize, Serialize};
use twin_api::{NotReady, Problem};
use twin_core::{DeviceState, Severity};
use utoipa::ToSchema;

use super::State;
use super::input::NoQuery;
use super::problem::Rejection;
use super::store::StoreView;
use crate::doctor::certificates;
use crate::overview::link_word;

/// The whole gateway at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayStatus {
    /// The node.
    pub node: String,
    /// The version of the program.
    pub version: String,
    /// When it began its work, in milliseconds since 1970.
    pub started_at: i64,
    /// Where its MQTT broker is.
    pub mqtt: String,
    /// The link to the cloud; none when no cloud is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkView>,
    /// The devices by state.
    pub devices: DeviceCounts,
    /// Alarms whose rule is broken and that are not shelved, by severity.
    #[serde(default)]
    pub alarms: AlarmCounts,
    /// The database of the twins.
    #[serde(default)]
    pub store: StoreView,
    /// The revision of the configuration in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<i64>,
    /// What the EventBus has taken and refused.
    pub requests: RequestCounts,
    /// How the writes to devices ended.
    #[serde(default)]
    pub writes: WriteCounts,
    /// What the cloud has not got yet; none when no cloud is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<BacklogView>,
    /// What waits between the parts of the gateway.
    #[serde(default)]
    pub queues: Vec<QueueView>,
    /// The data and its disk.
    #[serde(default)]
    pub disk: DiskView,
    /// What the process uses.
    #[serde(default)]
    pub process: ProcessView,
    /// The certificates that the gateway shows to others, the one that ends first before the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateView>,
    /// What does not work, each with why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_ready: Vec<NotReady>,
    /// The connections and buses of the mappers that run in the gateway.
    pub lanes: Vec<LaneView>,
}

/// How the writes to devices ended, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct WriteCounts {
    /// The device took it.
    pub applied: u64,
    /// The device or a guard said no.
    pub refused: u64,
    /// It did not get through, and is tried again.
    pub failed: u64,
}

/// What the cloud has not acknowledged yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BacklogView {
    /// Revisions; none before the first connection since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revisions: Option<u64>,
    /// How long ago the oldest of them was committed, in milliseconds, counted from the start at the earliest.
    pub age_ms: i64,
}

/// A queue between two parts of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// How much waits in it.
    pub waiting: u64,
    /// How much may.
    pub capacity: u64,
}

/// The data and its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DiskView {
    /// What the data folder takes, in bytes.
    pub data_bytes: u64,
    /// What is free on its disk, in bytes.
    pub free_bytes: u64,
    /// How large that disk is, in bytes.
    pub total_bytes: u64,
}

/// What the process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ProcessView {
    /// Memory that is really there, in bytes.
    pub resident_bytes: u64,
    /// The processor's time, in milliseconds.
    pub cpu_ms: u64,
    /// Open descriptors.
    pub open_fds: u64,
    /// How many may be open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fds: Option<u64>,
    /// Threads.
    pub threads: u64,
}

/// A certificate that the gateway shows to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// Its file in the data folder.
    pub path: String,
    /// Until when it is valid, in milliseconds since 1970.
    pub not_after: i64,
}

/// The link to the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkView {
    /// `enrolling`, `connecting`, `waiting`, `connected` or `stopped`.
    pub state: String,
    /// Since when, in milliseconds since 1970.
    pub since: i64,
    /// Why the last attempt failed, and what mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// Devices by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DeviceCounts {
    /// They answer.
    pub online: u64,
    /// They do not.
    pub offline: u64,
    /// Nobody has said yet.
    pub unknown: u64,
    /// Of those: left alone by an operator.
    #[serde(default)]
    pub paused: u64,
}

/// Alarms by severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AlarmCounts {
    /// To be known.
    pub info: u64,
    /// To be looked at.
    pub warning: u64,
    /// To be acted on at once.
    pub critical: u64,
}

/// Requests over MQTT since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RequestCounts {
    /// Taken.
    pub taken: u64,
    /// Refused with an answer.
    pub refused: u64,
    /// On topics that are none of ours.
    pub bad_topics: u64,
}

/// What is served one after the other: a connection or a bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaneView {
    /// The protocol of its mapper.
    pub mapper: String,
    /// Its name.
    pub lane: String,
    /// Devices in it.
    pub devices: u64,
    /// Readings that were answered.
    pub reads: u64,
    /// Readings and connects that were not.
    pub failures: u64,
    /// Writes, however they ended.
    pub writes: u64,
    /// Readings that were left out because it is too slow for what is to be read.
    pub overruns: u64,
    /// How long it was at work, in milliseconds.
    pub busy_ms: u64,
    /// How long the longest reading took, in milliseconds.
    pub longest_read_ms: u64,
}

/// The whole gateway at a glance.
#[utoipa::path(get, path = "/api/v1/status", tag = "health",
    responses((status = 200, body = GatewayStatus), (status = 500, body = Problem)))]
pub(super) async fn status(
    axum::extract::State(state): axum::extract::State<State>,
    NoQuery: NoQuery,
) -> Result<Json<GatewayStatus>, Rejection> {
    gather(&state).await.map(Json)
}

pub(super) async fn gather(state: &State) -> Result<GatewayStatus, Rejection> {
    use std::sync::atomic::Ordering::Relaxed;
    let mut devices = DeviceCounts::default();
    let pauses = state.running.pauses();
    for (id, device, _) in state.reader.devices().await? {
        devices.paused += u64::from(pauses.contains_key(&id));
        match device.state {
            DeviceState::Online => devices.online += 1,
            DeviceState::Offline => devices.offline += 1,
            DeviceState::Unknown => devices.unknown += 1,
        }
    }
    let mut alarms = AlarmCounts::default();
    for (_, alarm, _) in state.reader.alarms().await? {
        if !alarm.active || alarm.shelved.is_some() {
            continue;
        }
        match alarm.severity {
            Severity::Info => alarms.info += 1,
            Severity::Warning => alarms.warning += 1,
            Severity::Critical => alarms.critical += 1,
        }
    }
    let link = state.overview.link().map(|link| LinkView {
        state: link_word(link.state).to_owned(),
        since: link.since.as_millis(),
        last_error: link.last_error,
    });
    let counters = &state.overview.counters;
    let whole_ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let lanes = state.overview.mappers.all().into_iter().flat_map(|(mapper, figures)| {
        figures.lanes().into_iter().map(move |(lane, figures)| LaneView {
            mapper: mapper.to_owned(),
            lane: lane.to_string(),
            devices: figures.devices,
            reads: figures.reads,
            failures: figures.failures,
            writes: figures.writes,
            overruns: figures.overruns,
            busy_ms: whole_ms(figures.busy),
            longest_read_ms: whole_ms(figures.longest_read),
        })
    });
    let figures = state.service.figures();
    let now = crate::clock::now();
    let backlog = state.overview.link.is_some().then(|| BacklogView {
        revisions: figures.owed(),
        age_ms: figures.oldest_owed().map_or(0, |at| now.as_millis().saturating_sub(at.as_millis()).max(0)),
    });
    let whole = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let queues = state.overview.queues(&state.service).into_iter().map(|queue| QueueView {
        name: queue.name.to_owned(),
        waiting: whole(queue.waiting),
        capacity: whole(queue.capacity),
    });
    let (disk, certificates) = on_disk(state.overview.data_dir.clone()).await;
    Ok(GatewayStatus {
        writes: WriteCounts {
            applied: counters.writes_applied.load(Relaxed),
            refused: counters.writes_refused.load(Relaxed),
            failed: counters.writes_failed.load(Relaxed),
        },
        backlog,
        queues: queues.collect(),
        disk,
        process: process(),
        certificates,
        not_ready: super::health::not_ready(state).await,
        node: state.node.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: state.overview.started_at.as_millis(),
        mqtt: state.overview.mqtt.clone(),
        link,
        devices,
        alarms,
        store: state.service.store_health().into(),
        configuration: state.running.status().revision,
        requests: RequestCounts {
            taken: counters.taken.load(Relaxed),
            refused: counters.refused.load(Relaxed),
            bad_topics: counters.bad_topics.load(Relaxed),
        },
        lanes: lanes.collect(),
    })
}

/// What lies on the disk is looked at where it may take its time.
async fn on_disk(folder: std::path::PathBuf) -> (DiskView, Vec<CertificateView>) {
    let look = move || {
        let space = host::disk::space(&folder).ok();
        let disk = DiskView {
            data_bytes: host::disk::used_bytes(&folder),
            free_bytes: space.map_or(0, |space| space.free_bytes),
            total_bytes: space.map_or(0, |space| space.total_bytes),
        };
        let mut certificates: Vec<_> = certificates::of_folder(&folder)
            .into_iter()
            .map(|found| CertificateView {
                path: found.path.strip_prefix(&folder).unwrap_or(&found.path).display().to_string(),
                not_after: found.not_after.saturating_mul(1000),
            })
            .collect();
        certificates.sort_by_key(|certificate| certificate.not_after);
        (disk, certificates)
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

fn process() -> ProcessView {
    let usage = host::process::usage();
    ProcessView {
        resident_bytes: usage.resident_bytes,
        cpu_ms: usage.cpu_ms,
        open_fds: usage.open_fds,
        max_fds: usage.max_fds,
        threads: usage.threads,
    }
}
