//! One device and the way to it: how attributes are read, and how long what it told is true.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mapper_sdk::Fault;
use tokio::time::Instant;

use crate::Ieee;
use crate::host::{Ask, Coordinator, Interview, Place, Reach, Told, Trouble};
use crate::link::Link;
use crate::point::Resolved;
use crate::zcl::{Message as ZclMessage, Scalar, global, status};

/// Attributes that are asked for at once; an answer has to fit into one radio message.
const MOST_AT_ONCE: usize = 5;
/// How much later than said a report may come, besides one that is lost.
const GRACE: Duration = Duration::from_secs(10);

/// What one message can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Group {
    pub(super) endpoint: u8,
    pub(super) cluster: u16,
    pub(super) manufacturer: Option<u16>,
}

impl Group {
    /// Sorts places by what one message can be about; each place once.
    pub(super) fn of(places: impl Iterator<Item = Place>) -> BTreeMap<Self, Vec<Place>> {
        let mut groups: BTreeMap<Self, Vec<Place>> = BTreeMap::new();
        for place in places {
            let Place { endpoint, cluster, manufacturer, .. } = place;
            let group = groups.entry(Self { endpoint, cluster, manufacturer }).or_default();
            if !group.contains(&place) {
                group.push(place);
            }
        }
        groups
    }

    fn place(self, attribute: u16) -> Place {
        let Self { endpoint, cluster, manufacturer } = self;
        Place { endpoint, cluster, manufacturer, attribute }
    }
}

/// One device and the way to it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) ieee: Ieee,
    pub(super) endpoint: u8,
    /// Of a device that sleeps: how long a message waits for it.
    pub(super) patience: Option<Duration>,
    within: Duration,
    silence: Duration,
    factors: Mutex<HashMap<(Group, u16, u16), f64>>,
    /// What the device has agreed to report: its longest interval, and since when.
    reported: Mutex<HashMap<Place, (Duration, Instant)>>,
}

impl Peer {
    pub(super) fn new(coordinator: Arc<Coordinator>, ieee: Ieee, link: &Link, sleepy: bool) -> Self {
        Self {
            coordinator,
            ieee,
            endpoint: link.endpoint(),
            patience: sleepy.then(|| link.patience()),
            within: link.timeout(),
            silence: link.silence(),
            factors: Mutex::default(),
            reported: Mutex::default(),
        }
    }

    /// How it is reached; when nobody wants to wait for one that sleeps, it is sent a message once.
    pub(super) fn reach(&self, patient: bool) -> Reach {
        Reach { ieee: self.ieee, within: self.within, patience: self.patience.filter(|_| patient) }
    }

    pub(super) fn within(&self) -> Duration {
        self.within
    }

    /// Sends a message and waits for the answer.
    pub(super) async fn talk(
        &self,
        group: Group,
        patient: bool,
        message: impl Fn(u8) -> ZclMessage,
    ) -> Result<ZclMessage, Trouble> {
        let message = |sequence| message(sequence).of_manufacturer(group.manufacturer);
        self.coordinator.talk_to(self.reach(patient), (group.endpoint, group.cluster), message).await
    }

    /// Reads attributes, and keeps what the device says.
    pub(super) async fn read(
        &self,
        group: Group,
        places: &[Place],
        patient: bool,
    ) -> Result<BTreeMap<Place, Result<Told, Fault>>, Trouble> {
        let mut found = BTreeMap::new();
        let mut open: Vec<u16> = places.iter().map(|place| place.attribute).collect();
        while !open.is_empty() {
            let asked: Vec<u16> = open.iter().copied().take(MOST_AT_ONCE).collect();
            let request = |sequence| ZclMessage::global(sequence, global::READ, global::read(&asked));
            let answer = self.talk(group, patient, request).await?;
            let told = self.answers(group, &asked, &answer);
            // An answer may be cut where the radio message ends; what is missing is asked for again, by itself.
            let any = !told.is_empty();
            open.retain(|attribute| !told.contains_key(&group.place(*attribute)));
            found.extend(told);
            if !any {
                for attribute in open.drain(..asked.len().min(open.len())) {
                    let fault = Fault::NotAValue("the device answers without the attribute".to_owned());
                    found.insert(group.place(attribute), Err(fault));
                }
            }
        }
        Ok(found)
    }

    fn answers(
        &self,
        group: Group,
        asked: &[u16],
        answer: &ZclMessage,
    ) -> BTreeMap<Place, Result<Told, Fault>> {
        let at = Instant::now();
        if answer.header.command != global::READ_RESPONSE || answer.header.cluster_specific {
            let code = answer.payload.get(1).copied().unwrap_or(status::FAILURE);
            return asked.iter().map(|attribute| (group.place(*attribute), Err(refusal(code)))).collect();
        }
        let mut told = BTreeMap::new();
        for record in global::read_response(&answer.payload) {
            if !asked.contains(&record.id) {
                continue;
            }
            let place = group.place(record.id);
            let result = record.result.map(|(kind, value)| Told { kind, value, at }).map_err(refusal);
            if let Ok(value) = &result {
                self.coordinator.registry().handle_told(self.ieee, place, value.clone(), false);
            }
            told.insert(place, result);
        }
        told
    }

    /// What the device told, when it would have told of a change since.
    pub(super) fn fresh(&self, resolved: &Resolved) -> Option<Told> {
        let told = self.coordinator.registry().told(self.ieee, &resolved.place)?;
        if self.patience.is_some() && !self.heard_within(self.silence) {
            return None;
        }
        let agreed = lock(&self.reported).get(&resolved.place).copied();
        let age = told.at.elapsed();
        let fresh = match (agreed, self.patience) {
            // A change before it agreed may have gone unheard.
            (Some((max, since)), _) => told.at >= since && age < max * 2 + GRACE,
            (None, Some(_)) => true,
            (None, None) => false,
        };
        fresh.then_some(told)
    }

    pub(super) fn heard_within(&self, time: Duration) -> bool {
        self.coordinator.registry().heard(self.ieee).is_some_and(|at| at.elapsed() < time)
    }

    /// Of a device that sleeps: whether it is still there as far as anybody can know.
    pub(super) fn check_heard(&self) -> Result<(), Fault> {
        if self.heard_within(self.silence) {
            return Ok(());
        }
        let text = match self.coordinator.registry().heard(self.ieee) {
            Some(at) => format!("it sleeps, and was last heard {} s ago", at.elapsed().as_secs()),
            None => "it sleeps, and has not been heard yet".to_owned(),
        };
        Err(Fault::Unreachable(text))
    }

    pub(super) fn set_reported(&self, place: Place, max: Option<Duration>) {
        let mut reported = lock(&self.reported);
        match max {
            Some(max) => reported.insert(place, (max, Instant::now())),
            None => reported.remove(&place),
        };
    }

    /// The scale that the device says itself, where it was asked; 1 where it has none.
    pub(super) fn known_factor(&self, resolved: &Resolved) -> Option<f64> {
        let Some((multiplier, divisor)) = resolved.formatting else { return Some(1.0) };
        let group = group_of(resolved);
        lock(&self.factors).get(&(group, multiplier, divisor)).copied()
    }

    /// The same, asked for when it is not known.
    pub(super) async fn factor(&self, resolved: &Resolved) -> Result<f64, Trouble> {
        if let Some(known) = self.known_factor(resolved) {
            return Ok(known);
        }
        let Some((multiplier, divisor)) = resolved.formatting else { return Ok(1.0) };
        let group = group_of(resolved);
        let places = [multiplier, divisor].map(|attribute| group.place(attribute));
        let found = self.read(group, &places, true).await?;
        let number = |place: &Place| match found.get(place) {
            Some(Ok(Told { value: Scalar::Unsigned(number), .. })) if *number > 0 => *number as f64,
            Some(_) | None => 1.0,
        };
        let factor = number(&places[0]) / number(&places[1]);
        lock(&self.factors).insert((group, multiplier, divisor), factor);
        Ok(factor)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn group_of(resolved: &Resolved) -> Group {
    let Place { endpoint, cluster, manufacturer, .. } = resolved.place;
    Group { endpoint, cluster, manufacturer }
}

/// What a status of a device means.
pub(super) fn refusal(code: u8) -> Fault {
    let text = status::text(code);
    if status::is_passing(code) { Fault::Busy(text) } else { Fault::Refused(text) }
}

/// Asks a device for its node descriptor, of which nobody knows yet whether it sleeps.
pub(super) async fn ask_whether_it_sleeps(
    coordinator: &Coordinator,
    ieee: Ieee,
    within: Duration,
) -> Result<bool, Fault> {
    let device = coordinator.registry().device(ieee).unwrap_or_default();
    let nwk = device.nwk.ok_or_else(|| Fault::Link("the device has no address".to_owned()))?;
    let mut interview = Interview::new(nwk, device);
    if let Some(Ask::Object(frame, id)) = interview.poll_ask() {
        let answer = coordinator.ask_device(nwk, frame, id, within).await?;
        interview.handle_object(&answer).map_err(|fault| Fault::Protocol(fault.to_string()))?;
    }
    let sleepy = interview.found().sleepy.unwrap_or(false);
    coordinator.registry().update(ieee, |device| device.sleepy = Some(sleepy));
    Ok(sleepy)
}
