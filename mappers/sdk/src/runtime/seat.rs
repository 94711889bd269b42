//! A device's seat in a lane: its session, and what was last reported of each of its properties.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mapper_contract::WriteOutcome;
use twin_core::{DeviceState, Quality, Timestamp, Value};

use crate::coerce;
use crate::driver::{Driver, Session as _, Watch};
use crate::fault::Fault;
use crate::report::{Observation, Reporter};
use crate::runtime::clock::wall;
use crate::runtime::device::Device;
use crate::runtime::lane::{Said, within};
use crate::runtime::marks::Marks;

pub(crate) struct Seat<D: Driver> {
    pub(crate) device: Arc<Device<D>>,
    pub(crate) session: Option<D::Session>,
    /// Why the device does not answer, and when it is asked again.
    pub(crate) down: Option<(String, Timestamp)>,
    /// Whether it is left alone.
    pub(crate) paused: bool,
    state: Option<DeviceState>,
    reporters: Vec<Reporter>,
    /// Properties whose reports may have to wait.
    throttled: Vec<usize>,
    /// What is read together, by the polls that are due.
    sets: BTreeMap<Vec<usize>, ReadSet<D>>,
    /// Everything that is read.
    all: ReadSet<D>,
    /// Which properties live at a point, where the protocol tells of points by itself.
    by_point: BTreeMap<D::Point, Vec<usize>>,
}

struct ReadSet<D: Driver> {
    properties: Vec<usize>,
    points: Vec<D::Point>,
}

impl<D: Driver> ReadSet<D> {
    fn new(device: &Device<D>, polls: impl Iterator<Item = usize>) -> Self {
        let properties: Vec<usize> =
            polls.filter_map(|poll| device.polls.get(poll)).flat_map(|(_, p)| p.iter().copied()).collect();
        let points = properties.iter().map(|property| device.properties[*property].point.clone()).collect();
        Self { properties, points }
    }
}

impl<D: Driver> Seat<D> {
    pub(crate) fn new(device: Arc<Device<D>>) -> Self {
        let throttled = device.properties.iter().enumerate();
        let all = ReadSet::new(&device, 0..device.polls.len());
        let mut by_point: BTreeMap<D::Point, Vec<usize>> = BTreeMap::new();
        if D::PUSHES {
            for (point, property) in all.points.iter().zip(&all.properties) {
                by_point.entry(point.clone()).or_default().push(*property);
            }
        }
        Self {
            session: None,
            down: None,
            paused: false,
            state: None,
            reporters: device.properties.iter().map(|p| Reporter::new(p.config.report)).collect(),
            throttled: throttled
                .filter(|(_, p)| !p.config.report.min_interval.is_zero())
                .map(|(n, _)| n)
                .collect(),
            sets: BTreeMap::new(),
            all,
            by_point,
            device,
        }
    }

    /// The points to be told of, where the protocol can.
    pub(crate) fn watched(&self) -> Vec<Watch<D::Point>> {
        let watch = |(every, property): (Duration, &usize)| Watch {
            point: self.device.properties[*property].point.clone(),
            every,
        };
        let polls = self.device.polls.iter();
        polls.flat_map(|(every, properties)| properties.iter().map(|p| (*every, p))).map(watch).collect()
    }

    /// Reads the points of the polls that are due.
    pub(crate) async fn read(&mut self, polls: &[usize]) -> Result<Vec<Said>, Fault> {
        if !self.sets.contains_key(polls) {
            self.sets.insert(polls.to_vec(), ReadSet::new(&self.device, polls.iter().copied()));
        }
        let (Some(session), Some(set)) = (&mut self.session, self.sets.get(polls)) else {
            return Err(Fault::Link("no session".into()));
        };
        let samples = session.read(&set.points).await?;
        if samples.len() != set.points.len() {
            return Err(Fault::Protocol(format!(
                "{} samples for {} points",
                samples.len(),
                set.points.len()
            )));
        }
        let pairs = set.properties.iter().zip(samples);
        Ok(pairs.map(|(property, sample)| Said::new(*property, sample)).collect())
    }

    pub(crate) async fn read_one(&mut self, property: usize) -> Result<Said, Fault> {
        let point = std::slice::from_ref(&self.device.properties[property].point);
        let session = self.session.as_mut().ok_or_else(|| Fault::Link("no session".into()))?;
        let sample = session.read(point).await?.pop();
        let sample = sample.ok_or_else(|| Fault::Protocol("no sample for one point".into()))?;
        Ok(Said::new(property, sample))
    }

    pub(crate) async fn write(&mut self, property: usize, value: &Value) -> Result<(), Fault> {
        let session = self.session.as_mut().ok_or_else(|| Fault::Link("no session".into()))?;
        within(session.write(&self.device.properties[property].point, value)).await
    }

    /// What the device tells by itself, for every property that lives there.
    pub(crate) async fn changed(&mut self) -> Result<Vec<Said>, Fault> {
        let Some(session) = &mut self.session else { return std::future::pending().await };
        let sample = session.changed().await?;
        let there = self.by_point.get(sample.point).map_or(&[][..], Vec::as_slice);
        Ok(there.iter().map(|property| Said::new(*property, sample.clone())).collect())
    }

    /// Puts into the outbox what is worth reporting.
    pub(crate) fn observe(&mut self, said: Vec<Said>, now: Timestamp) {
        self.observe_with(said, now, None, false);
    }

    /// Puts all of it into the outbox, worth reporting or not, and gives it.
    pub(crate) fn observe_forced(&mut self, said: Vec<Said>, now: Timestamp) -> Vec<(usize, Observation)> {
        self.observe_with(said, now, None, true)
    }

    /// Puts into the outbox how a write ended and what was read right after it, worth reporting or not, so that both are
    /// in one message.
    pub(crate) fn observe_write(&mut self, said: Vec<Said>, now: Timestamp, outcome: (usize, WriteOutcome)) {
        self.observe_with(said, now, Some(outcome), true);
    }

    /// Gives what is reported.
    fn observe_with(
        &mut self,
        said: Vec<Said>,
        now: Timestamp,
        outcome: Option<(usize, WriteOutcome)>,
        forced: bool,
    ) -> Vec<(usize, Observation)> {
        let at = wall();
        let mut outbox = self.device.outbox();
        let mut reported = Vec::new();
        if let Some((property, outcome)) = outcome {
            outbox.set_outcome(property, outcome);
        }
        for Said { property, value, source_time, doubt } in said {
            let config = &self.device.properties[property];
            let fault = value.as_ref().err().cloned();
            let checked = value
                .map_err(|fault| fault.why())
                .and_then(|v| coerce::checked(v, &config.config.definition));
            let observation = match checked {
                Ok(value) => Observation {
                    source_time,
                    quality: doubt.map_or(Quality::Good, Quality::Uncertain),
                    ..Observation::good(value, at)
                },
                Err(why) => Observation::bad(Quality::Bad(why)),
            };
            let reporter = &mut self.reporters[property];
            let report = if forced {
                Some(reporter.handle_forced(observation, now))
            } else {
                reporter.handle_observation(observation, now)
            };
            let Some(report) = report else { continue };
            if !report.quality.is_good() {
                let reason = fault.map(|fault| fault.to_string()).unwrap_or_default();
                tracing::warn!(device = %self.device.id, property = %config.name, quality = %report.quality, reason, "no good value");
            }
            if forced {
                reported.push((property, report.clone()));
            }
            outbox.set_observation(property, report);
        }
        reported
    }

    /// The same of everything that is read.
    pub(crate) fn observe_all(&mut self, observation: &Observation, now: Timestamp) {
        let mut outbox = self.device.outbox();
        for property in &self.all.properties {
            if let Some(report) = self.reporters[*property].handle_observation(observation.clone(), now) {
                outbox.set_observation(*property, report);
            }
        }
    }

    /// Reports what had to wait for its minimum interval. Gives when there is more.
    pub(crate) fn flush_held(&mut self, now: Timestamp, news: &Marks) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for property in &self.throttled {
            let reporter = &mut self.reporters[*property];
            if let Some(report) = reporter.poll_held(now) {
                self.device.outbox().set_observation(*property, report);
                news.mark(self.device.number);
            }
            if let Some(at) = reporter.poll_timeout() {
                next = Some(next.map_or(at, |other| other.min(at)));
            }
        }
        next
    }

    /// True when it was another before.
    pub(crate) fn set_state(&mut self, state: DeviceState) -> bool {
        if self.state == Some(state) {
            return false;
        }
        self.state = Some(state);
        self.device.outbox().set_state(state);
        true
    }
}
