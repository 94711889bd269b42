//! The radio between the coordinator and its devices: what is on its way, what waits for a device that sleeps, what is lost.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fastrand::Rng;

use crate::Ieee;
use crate::sim::coordinator::Coordinator;
use crate::sim::node::{Kind, Node};
use crate::znp::af::{DataConfirm, IncomingMsg};
use crate::znp::{Decoder, Frame, Message as _, status};

/// How long a parent keeps a message for a child that sleeps. (`nwkTransactionPersistenceTime`, 7.68 s)
pub(super) const KEPT: Duration = Duration::from_millis(7_680);
/// Messages that a parent keeps for one child.
const MOST_KEPT: usize = 16;
/// How often a device looks whether it has something to report.
const TICK: Duration = Duration::from_millis(250);
/// A device that sleeps asks again soon after it was given something.
pub(super) const FAST_POLL: Duration = Duration::from_millis(100);
/// Frames for the host that nobody has fetched; more are dropped.
const MOST_OUT: usize = 4_096;

/// What the air is like.
#[derive(Debug, Clone, Copy)]
pub struct Air {
    /// Of a thousand radio messages, so many are lost for good.
    pub lost_per_mille: u16,
    /// How long one hop takes at least.
    pub hop: Duration,
    /// For so long after a device has joined there is no route to it, unless one looks for it.
    pub late_route: Duration,
}

impl Default for Air {
    fn default() -> Self {
        Self { lost_per_mille: 0, hop: Duration::from_millis(4), late_route: Duration::ZERO }
    }
}

/// Something for a device.
#[derive(Debug, Clone)]
pub(super) enum Parcel {
    /// A message to an endpoint, which the coordinator is to confirm.
    Data(Envelope),
    /// A request to its device objects, as the host wrote it.
    Object(Frame),
}

/// A message and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) endpoint: u8,
    pub(super) from_endpoint: u8,
    pub(super) cluster: u16,
    pub(super) transaction: u8,
    pub(super) data: Vec<u8>,
}

/// What happens at its time.
#[derive(Debug)]
pub(super) enum Event {
    ToHost(Frame),
    Started,
    Reset,
    Join(usize),
    Announce(usize),
    PermitEnds,
    Arrive(usize, Parcel),
    Expire(usize, u64),
    Poll(usize),
    Tick(usize),
}

/// The network.
#[derive(Debug)]
pub struct Mesh {
    /// What the air is like.
    pub air: Air,
    pub(super) coordinator: Coordinator,
    pub(super) nodes: Vec<Node>,
    pub(super) rng: Rng,
    agenda: BTreeMap<(Duration, u64), Event>,
    counter: u64,
    decoder: Decoder,
    out: VecDeque<Frame>,
    now: Duration,
}

impl Mesh {
    /// A network with a coordinator that is as its maker sold it, and nobody else.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let coordinator = Coordinator::new(Ieee(0x0012_4B00_0000_0000 | u64::from(rng.u32(..))));
        Self {
            air: Air::default(),
            coordinator,
            nodes: Vec::new(),
            rng,
            agenda: BTreeMap::new(),
            counter: 0,
            decoder: Decoder::default(),
            out: VecDeque::new(),
            now: Duration::ZERO,
        }
    }

    /// Puts a device into range; it joins when it is allowed to. Gives its address.
    pub fn add(&mut self, kind: Kind) -> Ieee {
        let number = self.nodes.len();
        let ieee = Ieee(0x0017_8801_0000_0000 | (self.rng.u64(..) & 0xFFFF_FF00) | number as u64 & 0xFF);
        self.nodes.push(Node::new(kind, ieee));
        self.later(Duration::ZERO, Event::Tick(number));
        ieee
    }

    /// The device with this address.
    pub fn node(&mut self, ieee: Ieee) -> Option<&mut Node> {
        self.nodes.iter_mut().find(|node| node.ieee == ieee)
    }

    /// All devices.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The coordinator's address.
    #[must_use]
    pub fn ieee(&self) -> Ieee {
        self.coordinator.ieee
    }

    /// What the coordinator does wrong from now on.
    pub fn set_coordinator_fault(&mut self, fault: super::CoordinatorFault) {
        self.coordinator.fault = fault;
    }

    /// What the coordinator does wrong now.
    #[must_use]
    pub fn coordinator_fault(&self) -> super::CoordinatorFault {
        self.coordinator.fault
    }

    /// The coordinator loses its power for a moment.
    pub fn reset_coordinator(&mut self) {
        self.agenda.retain(|_, event| !matches!(event, Event::ToHost(_) | Event::Started));
        self.later(Duration::from_millis(50), Event::Reset);
    }

    /// Takes bytes from the host.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Duration) {
        self.handle_timeout(now);
        for frame in self.decoder.handle_bytes(bytes) {
            self.handle_frame(&frame);
        }
    }

    /// Lets the time pass.
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(now);
    }

    /// When something happens next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// The next frame for the host.
    pub fn poll_frame(&mut self) -> Option<Frame> {
        self.out.pop_front()
    }

    /// The time as the network knows it.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    pub(super) fn later(&mut self, wait: Duration, event: Event) {
        self.counter += 1;
        self.agenda.insert((self.now + wait, self.counter), event);
    }

    pub(super) fn tell_host(&mut self, wait: Duration, frame: Frame) {
        self.later(wait + self.coordinator.fault.delay(), Event::ToHost(frame));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToHost(frame) => {
                if self.out.len() < MOST_OUT && !self.coordinator.fault.is_silent() {
                    self.out.push_back(frame);
                }
            }
            Event::Started => self.started(),
            Event::Reset => self.was_reset(),
            Event::Join(number) => self.join(number),
            Event::Announce(number) => self.announce(number),
            Event::PermitEnds => self.permit_ends(),
            Event::Arrive(number, parcel) => self.arrive(number, parcel),
            Event::Expire(number, parcel) => self.expire(number, parcel),
            Event::Poll(number) => self.poll(number),
            Event::Tick(number) => self.tick(number),
        }
    }

    /// The time that a message takes to a device or back.
    fn travel(&mut self, number: usize) -> Duration {
        let hops = self.nodes[number].hops;
        let jitter = Duration::from_micros(self.rng.u64(0..3_000));
        self.air.hop * hops + jitter
    }

    pub(super) fn is_lost(&mut self) -> bool {
        self.rng.u16(0..1_000) < self.air.lost_per_mille
    }

    /// Sends a parcel to a device; what the coordinator says of it comes later.
    pub(super) fn post(&mut self, nwk: u16, parcel: Parcel) {
        let number = self.nodes.iter().position(|node| node.nwk == Some(nwk));
        let Some(number) = number else { return self.confirm(&parcel, status::NO_ROUTE, self.air.hop * 20) };
        let (node, now) = (&self.nodes[number], self.now);
        if now < node.route_from {
            return self.confirm(&parcel, status::NO_ROUTE, self.air.hop * 10);
        }
        if node.poll_every.is_some() {
            if node.mailbox.len() >= MOST_KEPT {
                return self.confirm(&parcel, status::BUFFER_FULL, self.air.hop);
            }
            self.counter += 1;
            let id = self.counter;
            self.nodes[number].mailbox.push_back((id, parcel));
            return self.later(KEPT, Event::Expire(number, id));
        }
        if !node.is_awake() || self.is_lost() {
            let wait = self.air.hop * 12;
            return self.confirm(&parcel, status::MAC_NO_ACK, wait);
        }
        let wait = self.travel(number);
        self.later(wait, Event::Arrive(number, parcel));
    }

    fn confirm(&mut self, parcel: &Parcel, status: u8, wait: Duration) {
        if let Parcel::Data(envelope) = parcel {
            let (endpoint, transaction) = (envelope.from_endpoint, envelope.transaction);
            self.tell_host(wait, DataConfirm { status, endpoint, transaction }.frame());
        }
    }

    fn expire(&mut self, number: usize, id: u64) {
        let mailbox = &mut self.nodes[number].mailbox;
        if let Some(place) = mailbox.iter().position(|(other, _)| *other == id)
            && let Some((_, parcel)) = mailbox.remove(place)
        {
            self.confirm(&parcel, status::TRANSACTION_EXPIRED, Duration::ZERO);
        }
    }

    /// A device that sleeps asks its parent whether there is something for it.
    fn poll(&mut self, number: usize) {
        let Some(every) = self.nodes[number].poll_every else { return };
        if self.nodes[number].nwk.is_none() {
            return;
        }
        self.nodes[number].polls += 1;
        let mut next = every;
        if self.nodes[number].is_awake()
            && let Some((_, parcel)) = self.nodes[number].mailbox.pop_front()
        {
            let wait = self.travel(number);
            self.later(wait, Event::Arrive(number, parcel));
            next = FAST_POLL.min(every);
        }
        self.later(next, Event::Poll(number));
    }

    fn arrive(&mut self, number: usize, parcel: Parcel) {
        if !self.nodes[number].is_awake() || self.nodes[number].nwk.is_none() {
            return self.confirm(&parcel, status::MAC_NO_ACK, self.air.hop);
        }
        let wait = self.travel(number);
        self.confirm(&parcel, status::SUCCESS, wait);
        match parcel {
            Parcel::Data(envelope) => {
                let answers = self.nodes[number].handle_message(&envelope, self.now);
                let slow = self.nodes[number].fault.delay();
                for (cluster, answer) in answers {
                    self.carry_up(number, envelope.from_endpoint, cluster, answer, wait + slow);
                }
            }
            Parcel::Object(request) => self.object(number, &request, wait),
        }
    }

    /// A message of a device on its way to the coordinator.
    pub(super) fn carry_up(
        &mut self,
        number: usize,
        to_endpoint: u8,
        cluster: u16,
        data: Vec<u8>,
        wait: Duration,
    ) {
        let Some(nwk) = self.nodes[number].nwk else { return };
        if self.is_lost() || !self.coordinator.runs() {
            return;
        }
        let lqi = 60 + self.rng.u8(0..150);
        let message = IncomingMsg {
            group: 0,
            cluster,
            nwk,
            from_endpoint: self.nodes[number].endpoint,
            to_endpoint,
            broadcast: 0,
            lqi,
            secured: 0,
            timestamp: u32::try_from(self.now.as_millis() & 0xFFFF_FFFF).unwrap_or(0),
            sequence: self.rng.u8(..),
            data: crate::bytes::List(data),
        };
        let wait = wait + self.air.hop;
        self.tell_host(wait, message.frame());
    }

    fn tick(&mut self, number: usize) {
        if self.nodes[number].nwk.is_some() && self.nodes[number].is_awake() && self.coordinator.runs() {
            let Self { nodes, rng, now, .. } = self;
            let reports = nodes[number].handle_tick(*now, rng);
            for (endpoint, cluster, message) in reports {
                let wait = self.travel(number);
                self.carry_up(number, endpoint, cluster, message, wait);
            }
        }
        self.later(TICK, Event::Tick(number));
    }
}
