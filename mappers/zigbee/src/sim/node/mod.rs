//! A simulated device: what it holds, whom it reports to, and how it sleeps.

mod kinds;
mod physics;
mod report;
mod server;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fastrand::Rng;

pub use kinds::Kind;
use report::Plan;

use crate::Ieee;
use crate::sim::mesh::Parcel;
use crate::zcl::{Scalar, TypeId, clusters::id};

/// What a device may do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It has no power.
    Dead,
    /// Its radio acknowledges, and nothing else comes.
    Mute,
    /// It answers so much later.
    Slow(Duration),
    /// It gives texts where its attributes are numbers.
    WrongType,
    /// It reports everything all the time.
    Flood,
}

impl Fault {
    pub(super) fn delay(self) -> Duration {
        match self {
            Self::Slow(time) => time,
            Self::None | Self::Dead | Self::Mute | Self::WrongType | Self::Flood => Duration::ZERO,
        }
    }

    pub(super) fn is_mute(self) -> bool {
        self == Self::Mute
    }
}

/// An attribute as the device holds it.
#[derive(Debug, Clone)]
struct Held {
    kind: TypeId,
    value: Scalar,
    writable: bool,
}

/// A device.
#[derive(Debug)]
pub struct Node {
    /// Its address.
    pub ieee: Ieee,
    /// What it is.
    pub kind: Kind,
    /// Its short address while it is in the network.
    pub nwk: Option<u16>,
    /// What it does wrong.
    pub fault: Fault,
    /// How often it asks its parent for messages; none when it always listens.
    pub poll_every: Option<Duration>,
    /// Whether its values move by themselves.
    pub lives: bool,
    /// The frames with attributes or commands that it has been sent.
    pub requests: u64,
    /// How often it has asked its parent for messages.
    pub polls: u64,
    /// How many reports and notifications it has sent.
    pub reports: u64,
    /// Its endpoint.
    pub endpoint: u8,
    pub(super) manufacturer_code: u16,
    pub(super) hops: u32,
    pub(super) route_from: Duration,
    pub(super) mailbox: VecDeque<(u64, Parcel)>,
    attributes: BTreeMap<(u16, u16), Held>,
    plans: BTreeMap<(u16, u16), Plan>,
    bindings: BTreeMap<u16, u8>,
    sequence: u8,
    /// Of an alarm: what its zone's status was when it was last told.
    told_zone: Option<u64>,
    enrolled_at: Option<u8>,
    moved_at: Duration,
}

impl Node {
    pub(super) fn new(kind: Kind, ieee: Ieee) -> Self {
        let mut node = Self {
            ieee,
            kind,
            nwk: None,
            fault: Fault::None,
            poll_every: kind.sleeps().then_some(Duration::from_secs(2)),
            lives: true,
            requests: 0,
            polls: 0,
            reports: 0,
            endpoint: 1,
            manufacturer_code: 0x1037,
            hops: 1,
            route_from: Duration::ZERO,
            mailbox: VecDeque::new(),
            attributes: BTreeMap::new(),
            plans: BTreeMap::new(),
            bindings: BTreeMap::new(),
            sequence: 0,
            told_zone: None,
            enrolled_at: None,
            moved_at: Duration::ZERO,
        };
        kinds::equip(&mut node);
        node
    }

    /// What it holds.
    #[must_use]
    pub fn get(&self, cluster: u16, attribute: u16) -> Option<&Scalar> {
        self.attributes.get(&(cluster, attribute)).map(|held| &held.value)
    }

    /// Gives an attribute that it has another value.
    pub fn set(&mut self, cluster: u16, attribute: u16, value: Scalar) {
        if let Some(held) = self.attributes.get_mut(&(cluster, attribute)) {
            held.value = value;
        }
    }

    /// What it was told to report, as cluster and attribute with the least and the longest interval, seconds.
    #[must_use]
    pub fn reporting(&self) -> Vec<((u16, u16), (u16, u16))> {
        self.plans.iter().map(|(place, plan)| (*place, (plan.min, plan.max))).collect()
    }

    /// The clusters that it was told to report from.
    #[must_use]
    pub fn bound(&self) -> Vec<u16> {
        self.bindings.keys().copied().collect()
    }

    /// It forgets whom to report to and what, as some do when their battery is changed.
    pub fn forget_reporting(&mut self) {
        self.plans.clear();
        self.bindings.clear();
    }

    fn hold(&mut self, cluster: u16, attribute: u16, kind: TypeId, value: Scalar, writable: bool) {
        self.attributes.insert((cluster, attribute), Held { kind, value, writable });
    }

    pub(super) fn is_awake(&self) -> bool {
        self.fault != Fault::Dead
    }

    /// Its clusters.
    pub(super) fn clusters(&self) -> Vec<u16> {
        let mut clusters: Vec<u16> = self.attributes.keys().map(|(cluster, _)| *cluster).collect();
        clusters.dedup();
        clusters
    }

    /// See [`EndDeviceAnnceInd`](crate::znp::zdo::EndDeviceAnnceInd).
    pub(super) fn capabilities(&self) -> u8 {
        if self.poll_every.is_some() { 0x80 } else { 0x8E }
    }

    pub(super) fn device_id(&self) -> u16 {
        self.kind.device_id()
    }

    pub(super) fn bind(&mut self, cluster: u16, to_endpoint: u8) {
        self.bindings.insert(cluster, to_endpoint);
    }

    pub(super) fn unbind(&mut self, cluster: u16) {
        self.bindings.remove(&cluster);
    }

    pub(super) fn joined(&mut self, nwk: u16, hops: u32, route_from: Duration) {
        self.nwk = Some(nwk);
        self.hops = hops;
        self.route_from = route_from;
    }

    pub(super) fn left(&mut self) {
        self.forget_reporting();
        self.mailbox.clear();
        self.told_zone = None;
        self.enrolled_at = None;
        if self.attributes.contains_key(&(id::IAS_ZONE, 0)) {
            self.set(id::IAS_ZONE, 0x0000, Scalar::Unsigned(0));
            self.set(id::IAS_ZONE, 0x0010, Scalar::Bytes(vec![0; 8]));
        }
    }

    fn next_sequence(&mut self) -> u8 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// What it has to tell by itself: the endpoint of the coordinator, the cluster and the message.
    pub(super) fn handle_tick(&mut self, now: Duration, rng: &mut Rng) -> Vec<(u8, u16, Vec<u8>)> {
        if self.lives {
            physics::live(self, now, rng);
        }
        let mut told: Vec<_> = self.zone_change().into_iter().collect();
        told.extend(self.due_reports(now));
        self.reports += told.len() as u64;
        told
    }
}
