//! The figures of the gateway for a monitoring system, in the text form of OpenMetrics 1.0.

use axum::response::{IntoResponse as _, Response};
use http::header;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use twin_api::{Problem, ProblemKind};

use super::State;
use super::problem::Rejection;
use super::status::{GatewayStatus, LaneView, gather};

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Info {
    node: String,
    version: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LaneLabel {
    mapper: String,
    lane: String,
}

impl LaneLabel {
    /// The library writes what a label holds as it is, so what would end it is escaped here (OpenMetrics 1.0, "Escaping").
    fn of(lane: &LaneView) -> Self {
        let name = lane.lane.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        Self { mapper: lane.mapper.clone(), lane: name }
    }
}

/// The figures of the gateway in the text form of OpenMetrics 1.0.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, content_type = "application/openmetrics-text", body = String), (status = 500, body = Problem)))]
pub(super) async fn metrics(
    axum::extract::State(state): axum::extract::State<State>,
) -> Result<Response, Rejection> {
    let status = gather(&state).await?;
    let mut text = String::new();
    encode(&mut text, &registry(&status))
        .map_err(|_| Rejection::new(ProblemKind::Internal, "the figures cannot be written"))?;
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response())
}

fn registry(status: &GatewayStatus) -> Registry {
    let mut registry = Registry::with_prefix("twinspan");
    let info = Family::<Info, Gauge>::default();
    info.get_or_create(&Info { node: status.node.clone(), version: status.version.clone() }).set(1);
    registry.register("build", "Always 1: which node runs which version", info);
    let started = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are exact in a float")]
    started.set(status.started_at as f64 / 1000.0);
    registry.register("start_time_seconds", "When the gateway began its work, since 1970", started);
    let revision: Gauge = Gauge::default();
    revision.set(status.configuration.unwrap_or(0));
    registry.register("configuration_revision", "The revision of the configuration in force", revision);
    if let Some(link) = &status.link {
        let up: Gauge = Gauge::default();
        up.set(i64::from(link.state == "connected"));
        registry.register("link_up", "Whether the link to the cloud is up", up);
    }
    let devices = Family::<StateLabel, Gauge>::default();
    let by_state = [
        ("online", status.devices.online),
        ("offline", status.devices.offline),
        ("unknown", status.devices.unknown),
    ];
    for (state, count) in by_state {
        devices.get_or_create(&StateLabel { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    registry.register("devices", "Devices by state", devices);
    let requests = Family::<OutcomeLabel, Counter>::default();
    let by_outcome = [
        ("taken", status.requests.taken),
        ("refused", status.requests.refused),
        ("bad_topic", status.requests.bad_topics),
    ];
    for (outcome, count) in by_outcome {
        requests.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
    }
    registry.register("mqtt_requests", "Requests over MQTT since the start", requests);
    super::store::register(&status.store, &mut registry);
    lanes(status, &mut registry);
    registry
}

/// Each figure of the lanes, for every lane.
fn lanes(status: &GatewayStatus, registry: &mut Registry) {
    let mut family = |name: &str, help: &str, figure: fn(&LaneView) -> u64| {
        let family = Family::<LaneLabel, Counter>::default();
        for lane in &status.lanes {
            let label = LaneLabel::of(lane);
            family.get_or_create(&label).inc_by(figure(lane));
        }
        registry.register(name, help, family);
    };
    family("lane_reads", "Readings that were answered", |lane| lane.reads);
    family("lane_failures", "Readings and connects that were not answered", |lane| lane.failures);
    family("lane_writes", "Writes, however they ended", |lane| lane.writes);
    family("lane_overruns", "Readings left out because the lane is too slow", |lane| lane.overruns);
    family("lane_busy_milliseconds", "How long the lane was at work", |lane| lane.busy_ms);
    let devices = Family::<LaneLabel, Gauge>::default();
    for lane in &status.lanes {
        let label = LaneLabel::of(lane);
        devices.get_or_create(&label).set(i64::try_from(lane.devices).unwrap_or(i64::MAX));
    }
    registry.register("lane_devices", "Devices in the lane", devices);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::{DeviceCounts, RequestCounts};
    use crate::api::store::StoreView;

    #[test]
    fn the_figures_are_written_in_the_form_that_monitoring_systems_read() {
        let lane = LaneView {
            mapper: "modbus".into(),
            lane: "modbus tcp \"a\":502".into(),
            devices: 2,
            reads: 7,
            failures: 1,
            writes: 3,
            overruns: 4,
            busy_ms: 12,
            longest_read_ms: 5,
        };
        let status = GatewayStatus {
            node: "plant".into(),
            version: "1".into(),
            started_at: 1_500,
            mqtt: String::new(),
            link: None,
            devices: DeviceCounts { online: 2, offline: 0, unknown: 1 },
            store: StoreView {
                state: "full".into(),
                waiting_documents: 3,
                failed_commits: 2,
                ..StoreView::default()
            },
            configuration: Some(9),
            requests: RequestCounts { taken: 5, refused: 1, bad_topics: 0 },
            lanes: vec![lane],
        };
        let mut text = String::new();
        encode(&mut text, &registry(&status)).unwrap();
        for line in [
            "twinspan_build{node=\"plant\",version=\"1\"} 1",
            "twinspan_start_time_seconds 1.5",
            "twinspan_configuration_revision 9",
            "twinspan_devices{state=\"online\"} 2",
            "twinspan_store_up 0",
            "twinspan_store_waiting_documents 3",
            "twinspan_store_failed_commits_total 2",
            "twinspan_mqtt_requests_total{outcome=\"refused\"} 1",
            "twinspan_lane_overruns_total{mapper=\"modbus\",lane=\"modbus tcp \\\"a\\\":502\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
