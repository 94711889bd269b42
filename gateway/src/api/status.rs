//! The whole gateway at a glance.

use axum::Json;
use serde::{Deserialize, Serialize};
use twin_api::Problem;
use twin_core::DeviceState;
use utoipa::ToSchema;

use super::State;
use super::problem::Rejection;
use super::store::StoreView;
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
    /// The database of the twins.
    #[serde(default)]
    pub store: StoreView,
    /// The revision of the configuration in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<i64>,
    /// What the EventBus has taken and refused.
    pub requests: RequestCounts,
    /// The connections and buses of the mappers that run in the gateway.
    pub lanes: Vec<LaneView>,
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
) -> Result<Json<GatewayStatus>, Rejection> {
    gather(&state).await.map(Json)
}

pub(super) async fn gather(state: &State) -> Result<GatewayStatus, Rejection> {
    use std::sync::atomic::Ordering::Relaxed;
    let mut devices = DeviceCounts::default();
    for (_, device, _) in state.reader.devices().await? {
        match device.state {
            DeviceState::Online => devices.online += 1,
            DeviceState::Offline => devices.offline += 1,
            DeviceState::Unknown => devices.unknown += 1,
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
    Ok(GatewayStatus {
        node: state.node.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: state.overview.started_at.as_millis(),
        mqtt: state.overview.mqtt.clone(),
        link,
        devices,
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
