//! Which changes are samples of a history. Pure: no clock, no store.
//!
//! Every change of value or quality is one; a value that is read again and is the same is none. Bounded by the
//! configuration: one state for each property that has a history, and a queue of what waits for its commit.

use std::collections::{BTreeMap, HashMap};

use twin_core::history::{HistoryPolicy, Reading};
use twin_core::{
    Change, DeviceDefinition, DeviceId, Entry, PropertyId, Quality, Reported, Stream, Timestamp, Value,
};
use twin_store::NewSample;

/// What was last seen of a property.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    value: Option<Value>,
    quality: Quality,
    gateway_time: Option<Timestamp>,
}

impl Seen {
    fn of(reported: &Reported) -> Self {
        let Reported { value, quality, gateway_time, .. } = reported;
        Self { value: value.clone(), quality: quality.clone(), gateway_time: *gateway_time }
    }
}

/// Turns changes into samples.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    policies: HashMap<PropertyId, HistoryPolicy>,
    seen: HashMap<PropertyId, Seen>,
    waiting: Vec<NewSample>,
    /// Those of the commit that is under way.
    in_commit: Vec<NewSample>,
    /// How many samples found no room while the store could not take any.
    lost: u64,
}

impl Recorder {
    /// The most samples that wait for a commit: a store that takes none for a while must not fill the memory.
    const MOST_WAITING: usize = 100_000;

    /// Takes what the store holds at the start: that is not news.
    pub(crate) fn restore(&mut self, entries: &[Entry]) {
        for entry in entries {
            if let Change::Device(device, Some(body)) = &entry.change {
                self.define(device, &body.definition);
            }
        }
        for entry in entries {
            if let Change::Reported(id, Some(reported)) = &entry.change
                && self.policies.contains_key(id)
            {
                self.seen.insert(id.clone(), Seen::of(reported));
            }
        }
    }

    /// Takes changes that are to be committed.
    pub(crate) fn note(&mut self, changes: &[Change], now: Timestamp) {
        for change in changes {
            match change {
                Change::Device(device, Some(body)) => self.define(device, &body.definition),
                Change::Device(device, None) => self.define(device, &DeviceDefinition::default()),
                Change::Reported(id, Some(reported)) => self.note_reported(id, reported, now),
                Change::Reported(id, None) => drop(self.seen.remove(id)),
                Change::Override(..) | Change::Desired(..) | Change::Alarm(..) => {}
            }
        }
    }

    fn define(&mut self, device: &DeviceId, definition: &DeviceDefinition) {
        let wanted: BTreeMap<_, _> = definition
            .properties
            .iter()
            .filter_map(|(name, property)| {
                Some((PropertyId::new(device.clone(), name.clone()), property.history?))
            })
            .collect();
        let is_gone = |id: &PropertyId| id.device == *device && !wanted.contains_key(id);
        self.policies.retain(|id, _| !is_gone(id));
        self.seen.retain(|id, _| !is_gone(id));
        self.policies.extend(wanted);
    }

    fn note_reported(&mut self, id: &PropertyId, reported: &Reported, now: Timestamp) {
        if !self.policies.contains_key(id) {
            return;
        }
        let seen = Seen::of(reported);
        let before = self.seen.insert(id.clone(), seen);
        let Some(reading) = news(before.as_ref(), reported, now) else { return };
        if self.waiting.len() < Self::MOST_WAITING {
            self.waiting.push(NewSample { id: id.clone(), reading });
        } else {
            self.lost += 1;
        }
    }

    /// The samples that go with the commit that is made now: those noted so far. When it fails and is tried again, the
    /// same ones, since they may have reached the disk all the same.
    pub(crate) fn begin(&mut self, stream: Stream) -> &[NewSample] {
        match stream {
            Stream::Alarm => return &[],
            Stream::Twin => {}
        }
        if self.in_commit.is_empty() {
            self.in_commit.append(&mut self.waiting);
        }
        &self.in_commit
    }

    /// They are committed. Gives how many were lost before because there was no room.
    pub(crate) fn handle_committed(&mut self, stream: Stream) -> u64 {
        match stream {
            Stream::Alarm => return 0,
            Stream::Twin => {}
        }
        self.in_commit.clear();
        std::mem::take(&mut self.lost)
    }

    /// How much of each history is kept.
    pub(crate) fn policies(&self) -> &HashMap<PropertyId, HistoryPolicy> {
        &self.policies
    }
}

/// What is new; none where nothing is.
fn news(before: Option<&Seen>, reported: &Reported, now: Timestamp) -> Option<Reading> {
    let read_again = before.is_none_or(|seen| seen.gateway_time != reported.gateway_time);
    let same = before.is_some_and(|seen| seen.value == reported.value && seen.quality == reported.quality);
    if same || before.is_none() && reported.value.is_none() && reported.gateway_time.is_none() {
        return None;
    }
    let changed = before.is_none_or(|seen| seen.value != reported.value);
    let fresh = read_again || changed;
    let good = reported.quality.is_good();
    Some(Reading {
        // What is not read anew is known to be so since now, not since the value was read.
        at: if fresh { reported.gateway_time.unwrap_or(now) } else { now },
        source_time: reported.source_time.filter(|_| fresh),
        quality: reported.quality.clone(),
        value: reported.value.clone().filter(|_| fresh || good),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::{Access, Device, PropertyDefinition, ValueType, Why};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn pressure() -> PropertyId {
        PropertyId::new("pump-1".parse().unwrap(), "pressure".parse().unwrap())
    }

    fn device(history: Option<HistoryPolicy>) -> Change {
        let mut definition = PropertyDefinition::new(ValueType::Int, Access::Read);
        definition.history = history;
        let mut body = Device::default();
        body.definition.properties.insert(pressure().property, definition);
        Change::Device(pressure().device, Some(body))
    }

    fn reported(value: i64, quality: Quality, read_at: i64) -> Change {
        let gateway_time = Some(at(read_at));
        let body = Reported {
            value: Some(Value::Int(value)),
            quality,
            source_time: None,
            gateway_time,
            outcome: None,
        };
        Change::Reported(pressure(), Some(body))
    }

    fn samples(recorder: &mut Recorder) -> Vec<(i64, Option<i64>, &'static str)> {
        let short = |sample: &NewSample| {
            let value = sample.reading.value.as_ref().map(|value| {
                let Value::Int(value) = value else { panic!("{value}") };
                *value
            });
            (sample.reading.at.as_millis(), value, sample.reading.quality.word())
        };
        recorder.begin(Stream::Twin).iter().map(short).collect()
    }

    #[test]
    fn a_change_of_value_or_quality_is_a_sample_and_the_same_again_is_none() {
        let mut recorder = Recorder::default();
        recorder.note(&[device(Some(HistoryPolicy::default()))], at(0));
        let unreachable = Quality::Bad(Why::DeviceUnreachable);
        for (change, now) in [
            (reported(1, Quality::Good, 10), 11),
            (reported(1, Quality::Good, 20), 21),
            (reported(2, Quality::Good, 30), 31),
            (reported(2, unreachable.clone(), 30), 45),
            (reported(2, unreachable, 30), 50),
            (reported(2, Quality::Good, 60), 61),
            (reported(9, Quality::Bad(Why::OutOfRange), 70), 71),
        ] {
            recorder.note(&[change], at(now));
        }
        let gap = (45, None, "bad");
        let wanted =
            [(10, Some(1), "good"), (30, Some(2), "good"), gap, (60, Some(2), "good"), (70, Some(9), "bad")];
        assert_eq!(samples(&mut recorder), wanted);
        assert_eq!(recorder.handle_committed(Stream::Twin), 0);
        assert!(recorder.begin(Stream::Twin).is_empty());
    }

    #[test]
    fn a_property_without_history_gives_no_sample_and_one_that_loses_it_none_any_more() {
        let mut recorder = Recorder::default();
        recorder.note(&[device(None), reported(1, Quality::Good, 1)], at(1));
        assert_eq!(samples(&mut recorder), []);
        recorder.note(&[device(Some(HistoryPolicy::default())), reported(1, Quality::Good, 2)], at(2));
        recorder.note(&[device(None), reported(3, Quality::Good, 3)], at(3));
        assert_eq!(samples(&mut recorder), [(2, Some(1), "good")]);
        assert!(recorder.seen.is_empty() && recorder.policies().is_empty());
    }

    #[test]
    fn what_was_stored_before_the_start_is_no_sample_but_the_doubt_about_it_is() {
        let mut recorder = Recorder::default();
        let entry = |change| Entry { revision: twin_core::Revision::new(1), change };
        let stored = [reported(5, Quality::Good, 10), device(Some(HistoryPolicy::default()))];
        recorder.restore(&stored.map(entry));
        recorder.note(&[reported(5, Quality::Good, 10)], at(20));
        recorder.note(&[reported(5, Quality::Uncertain(Why::NotReadYet), 10)], at(20));
        assert_eq!(samples(&mut recorder), [(20, None, "uncertain")]);
    }

    #[test]
    fn a_commit_that_is_tried_again_takes_the_same_samples() {
        let mut recorder = Recorder::default();
        recorder.note(&[device(Some(HistoryPolicy::default())), reported(1, Quality::Good, 1)], at(1));
        assert_eq!(samples(&mut recorder), [(1, Some(1), "good")]);
        recorder.note(&[reported(2, Quality::Good, 2)], at(2));
        assert_eq!(samples(&mut recorder), [(1, Some(1), "good")], "what came meanwhile waits for the next");
        recorder.handle_committed(Stream::Twin);
        assert_eq!(samples(&mut recorder), [(2, Some(2), "good")]);
    }

    #[test]
    fn a_store_that_takes_nothing_does_not_fill_the_memory_and_what_was_lost_is_told() {
        let mut recorder = Recorder::default();
        recorder.note(&[device(Some(HistoryPolicy::default()))], at(0));
        for n in 0..100_007 {
            recorder.note(&[reported(n, Quality::Good, n)], at(n));
        }
        assert_eq!(recorder.begin(Stream::Twin).len(), 100_000);
        assert_eq!(recorder.handle_committed(Stream::Twin), 7);
    }
}
