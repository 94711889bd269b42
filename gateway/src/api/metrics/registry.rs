//! Which figures there are. Names and units as Prometheus and OpenMetrics want them: base units, counters `_total`.

use std::sync::atomic::AtomicU64;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::labels::{
    FileLabel, LaneLabel, MapperLabel, OutcomeLabel, PartLabel, QueueLabel, SeverityLabel, StateLabel,
    bounded, escaped,
};
use crate::api::status::{GatewayStatus, LaneView};

type Float = Gauge<f64, AtomicU64>;
type FloatCounter = Counter<f64, AtomicU64>;

/// What is counted in buckets.
#[derive(Debug)]
pub(super) struct Histograms {
    /// Of the service.
    pub(super) figures: device_twin::Figures,
    /// Of the mappers' readings.
    pub(super) reads: Vec<(&'static str, Histogram)>,
}

/// All figures, as they are now.
pub(super) fn registry(status: &GatewayStatus, histograms: Histograms) -> Registry {
    let mut all = Registry::default();
    process(status, all.sub_registry_with_prefix("process"));
    let ours = all.sub_registry_with_prefix("twinspan");
    gateway(status, ours);
    replication(status, ours);
    devices(status, ours);
    lanes(&status.lanes, ours);
    crate::api::store::register(&status.store, ours);
    ours.register(
        "commit_seconds",
        "How long commits to the database took",
        histograms.figures.commits().clone(),
    );
    ours.register(
        "sync_lag_seconds",
        "How long after its commit the cloud had acknowledged a change",
        histograms.figures.lag().clone(),
    );
    ours.register_collector(Box::new(Reads(histograms.reads)));
    all
}

fn process(status: &GatewayStatus, registry: &mut Registry) {
    let used = &status.process;
    registry.register("resident_memory_bytes", "Memory that is really there", float(used.resident_bytes));
    registry.register("cpu_seconds", "Time of the processor", seconds_counter(used.cpu_ms));
    registry.register("open_fds", "Open descriptors", number(used.open_fds));
    registry.register("threads", "Threads", number(used.threads));
    if let Some(most) = used.max_fds {
        registry.register("max_fds", "Descriptors that may be open", number(most));
    }
    registry.register(
        "start_time_seconds",
        "When the gateway began its work, since 1970",
        seconds(status.started_at),
    );
}

fn gateway(status: &GatewayStatus, registry: &mut Registry) {
    let info = Info::new(vec![("node", escaped(&status.node)), ("version", status.version.clone())]);
    registry.register("build", "Which node runs which version", info);
    registry.register(
        "configuration_revision",
        "The revision of the configuration in force",
        gauge(status.configuration.unwrap_or(0)),
    );
    registry.register("ready", "Whether everything works", gauge(i64::from(status.not_ready.is_empty())));
    let not_ready = Family::<PartLabel, Gauge>::default();
    for part in &status.not_ready {
        not_ready.get_or_create(&PartLabel { part: escaped(&part.name) }).set(1);
    }
    registry.register("not_ready", "A part that does not work", not_ready);
    let (waiting, capacity) =
        (Family::<QueueLabel, Gauge>::default(), Family::<QueueLabel, Gauge>::default());
    for queue in &status.queues {
        let label = QueueLabel { queue: queue.name.clone() };
        waiting.get_or_create(&label).set(whole(queue.waiting));
        capacity.get_or_create(&label).set(whole(queue.capacity));
    }
    registry.register("queue_depth", "What waits between two parts of the gateway", waiting);
    registry.register("queue_capacity", "What may wait there", capacity);
    registry.register("data_bytes", "What the data folder takes of its disk", float(status.disk.data_bytes));
    registry.register("disk_free_bytes", "What is free on that disk", float(status.disk.free_bytes));
    registry.register("disk_size_bytes", "How large that disk is", float(status.disk.total_bytes));
    let ends = Family::<FileLabel, Float>::default();
    for certificate in &status.certificates {
        ends.get_or_create(&FileLabel { file: escaped(&certificate.path) })
            .set(ms_to_s(certificate.not_after));
    }
    registry.register("certificate_end_seconds", "When a certificate of the gateway ends, since 1970", ends);
}

fn replication(status: &GatewayStatus, registry: &mut Registry) {
    if let Some(link) = &status.link {
        registry.register(
            "link_up",
            "Whether the link to the cloud is up",
            gauge(i64::from(link.state == "connected")),
        );
    }
    if let Some(backlog) = &status.backlog {
        registry.register(
            "backlog_age_seconds",
            "How long ago the oldest change was committed that the cloud has not acknowledged",
            seconds(backlog.age_ms),
        );
        if let Some(revisions) = backlog.revisions {
            registry.register(
                "backlog_revisions",
                "Revisions that the cloud has not acknowledged",
                number(revisions),
            );
        }
    }
}

fn devices(status: &GatewayStatus, registry: &mut Registry) {
    let devices = Family::<StateLabel, Gauge>::default();
    let by_state = [
        ("online", status.devices.online),
        ("offline", status.devices.offline),
        ("unknown", status.devices.unknown),
    ];
    for (state, count) in by_state {
        devices.get_or_create(&StateLabel { state }).set(whole(count));
    }
    registry.register("devices", "Devices by state", devices);
    let alarms = Family::<SeverityLabel, Gauge>::default();
    let by_severity = [
        ("info", status.alarms.info),
        ("warning", status.alarms.warning),
        ("critical", status.alarms.critical),
    ];
    for (severity, count) in by_severity {
        alarms.get_or_create(&SeverityLabel { severity }).set(whole(count));
    }
    registry.register("alarms", "Alarms that are active and not shelved, by severity", alarms);
    let mut outcomes = |name: &str, help: &str, counts: [(&'static str, u64); 3]| {
        let family = Family::<OutcomeLabel, Counter>::default();
        for (outcome, count) in counts {
            family.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
        }
        registry.register(name, help, family);
    };
    let (requests, writes) = (&status.requests, &status.writes);
    outcomes(
        "mqtt_requests",
        "Requests over MQTT",
        [("taken", requests.taken), ("refused", requests.refused), ("bad_topic", requests.bad_topics)],
    );
    outcomes(
        "writes",
        "Writes to devices by how they ended",
        [("applied", writes.applied), ("refused", writes.refused), ("failed", writes.failed)],
    );
}

/// Each figure of the lanes, for every lane that has figures of its own.
fn lanes(lanes: &[LaneView], registry: &mut Registry) {
    let lanes = bounded(lanes);
    let mut family = |name: &str, help: &str, figure: fn(&LaneView) -> u64| {
        let family = Family::<LaneLabel, Counter>::default();
        for lane in &lanes {
            family.get_or_create(&LaneLabel::of(lane)).inc_by(figure(lane));
        }
        registry.register(name, help, family);
    };
    family("lane_reads", "Readings that were answered", |lane| lane.reads);
    family("lane_failures", "Readings and connects that were not answered", |lane| lane.failures);
    family("lane_writes", "Writes, however they ended", |lane| lane.writes);
    family("lane_overruns", "Readings left out because the lane is too slow", |lane| lane.overruns);
    let (busy, devices) =
        (Family::<LaneLabel, FloatCounter>::default(), Family::<LaneLabel, Gauge>::default());
    for lane in &lanes {
        let label = LaneLabel::of(lane);
        busy.get_or_create(&label).inc_by(ms_to_s(whole(lane.busy_ms)));
        devices.get_or_create(&label).set(whole(lane.devices));
    }
    registry.register("lane_busy_seconds", "How long the lane was at work", busy);
    registry.register("lane_devices", "Devices in the lane", devices);
}

/// How long readings took, for each mapper.
#[derive(Debug)]
struct Reads(Vec<(&'static str, Histogram)>);

impl Collector for Reads {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "read_seconds",
            "How long answered readings took",
            None,
            MetricType::Histogram,
        )?;
        for (mapper, reads) in &self.0 {
            reads.encode(family.encode_family(&MapperLabel { mapper })?)?;
        }
        Ok(())
    }
}

fn gauge(value: i64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(value);
    gauge
}

fn number(value: u64) -> Gauge {
    gauge(whole(value))
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "no machine has that many bytes")]
fn float(value: u64) -> Float {
    let gauge = Float::default();
    gauge.set(value as f64);
    gauge
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are exact in a float")]
fn ms_to_s(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn seconds(ms: i64) -> Float {
    let gauge = Float::default();
    gauge.set(ms_to_s(ms));
    gauge
}

fn seconds_counter(ms: u64) -> FloatCounter {
    let counter = FloatCounter::default();
    counter.inc_by(ms_to_s(whole(ms)));
    counter
}
