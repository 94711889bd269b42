//! The labels of the figures. All but one take a few fixed words; the names of lanes are bounded here.

use prometheus_client::encoding::EncodeLabelSet;

use crate::api::status::LaneView;

/// The most lanes that have figures of their own, in order of mapper and name: the same ones at each look. What the
/// others do is added up as one.
pub(super) const MOST_LANES: usize = 250;
/// The name of all others.
const OTHERS: &str = "(others)";

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct SeverityLabel {
    pub(super) severity: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct StateLabel {
    pub(super) state: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OutcomeLabel {
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct QueueLabel {
    pub(super) queue: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct MapperLabel {
    pub(super) mapper: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct PartLabel {
    pub(super) part: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct FileLabel {
    pub(super) file: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct LaneLabel {
    mapper: String,
    lane: String,
}

impl LaneLabel {
    pub(super) fn of(lane: &LaneView) -> Self {
        Self { mapper: lane.mapper.clone(), lane: escaped(&lane.lane) }
    }
}

/// The library writes what a label holds as it is, so what would end it is escaped here (OpenMetrics 1.0, "Escaping").
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The lanes, at most [`MOST_LANES`] and one for the others.
pub(super) fn bounded(lanes: &[LaneView]) -> Vec<LaneView> {
    let mut lanes = lanes.to_vec();
    lanes.sort_by(|a, b| (&a.mapper, &a.lane).cmp(&(&b.mapper, &b.lane)));
    let rest = lanes.split_off(lanes.len().min(MOST_LANES));
    let others = rest.into_iter().reduce(|sum, lane| LaneView {
        mapper: OTHERS.to_owned(),
        lane: OTHERS.to_owned(),
        devices: sum.devices + lane.devices,
        reads: sum.reads + lane.reads,
        failures: sum.failures + lane.failures,
        writes: sum.writes + lane.writes,
        overruns: sum.overruns + lane.overruns,
        busy_ms: sum.busy_ms + lane.busy_ms,
        longest_read_ms: sum.longest_read_ms.max(lane.longest_read_ms),
    });
    lanes.extend(others.map(|others| LaneView {
        mapper: OTHERS.to_owned(),
        lane: OTHERS.to_owned(),
        ..others
    }));
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_lanes_do_not_make_a_thousand_series_and_nothing_is_lost() {
        let lane = |n: u64| LaneView {
            mapper: "modbus".into(),
            lane: format!("tcp 10.0.0.1:{n:05}"),
            devices: 1,
            reads: n,
            failures: 0,
            writes: 0,
            overruns: 0,
            busy_ms: 0,
            longest_read_ms: n,
        };
        let all: Vec<_> = (0..1000).map(lane).collect();
        let bounded = super::bounded(&all);
        assert_eq!(bounded.len(), MOST_LANES + 1);
        assert_eq!(bounded.iter().map(|lane| lane.reads).sum::<u64>(), 999 * 500);
        assert_eq!(bounded.last().unwrap().lane, OTHERS);
        assert_eq!(super::bounded(&all[..MOST_LANES]).len(), MOST_LANES);
    }
}
