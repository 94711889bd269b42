//! Who is in the network: devices join, say so, and leave.

use std::time::Duration;

use crate::Ieee;
use crate::sim::mesh::{Event, FAST_POLL, Mesh};
use crate::znp::{Message as _, zdo};

impl Mesh {
    /// Whether devices may join.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.coordinator.is_open(self.now())
    }

    /// A device leaves, as when somebody holds its button.
    pub fn leave(&mut self, ieee: Ieee) {
        if let Some(number) = self.nodes.iter().position(|node| node.ieee == ieee) {
            self.drop_out(number, Duration::ZERO);
        }
    }

    /// A device joins again and says so, as after a power cut; its short address may be another.
    pub fn rejoin(&mut self, ieee: Ieee, new_address: bool) {
        let Some(number) = self.nodes.iter().position(|node| node.ieee == ieee) else { return };
        if new_address && self.nodes[number].nwk.is_some() {
            self.nodes[number].nwk = Some(self.free_address());
        }
        if self.nodes[number].nwk.is_some() {
            self.later(self.air.hop, Event::Announce(number));
        }
    }

    pub(super) fn join(&mut self, number: usize) {
        let open = self.is_open();
        if !open || self.nodes[number].nwk.is_some() || !self.nodes[number].is_awake() {
            return;
        }
        let nwk = self.free_address();
        let hops = if number > 0 { 1 + self.rng.u32(0..2) } else { 1 };
        let route_from = self.now() + self.air.late_route;
        let node = &mut self.nodes[number];
        node.joined(nwk, hops, route_from);
        let (ieee, poll_every) = (node.ieee, node.poll_every);
        self.tell_host(self.air.hop, zdo::TcDeviceInd { nwk, ieee, parent: 0 }.frame());
        let wait = Duration::from_millis(self.rng.u64(80..250));
        self.later(wait, Event::Announce(number));
        if let Some(every) = poll_every {
            self.later(FAST_POLL.min(every), Event::Poll(number));
        }
    }

    pub(super) fn announce(&mut self, number: usize) {
        let node = &self.nodes[number];
        let Some(nwk) = node.nwk else { return };
        let capabilities = node.capabilities();
        let announce = zdo::EndDeviceAnnceInd { source: nwk, nwk, ieee: node.ieee, capabilities };
        if self.coordinator.runs() && !self.is_lost() {
            self.tell_host(self.air.hop, announce.frame());
        }
    }

    /// A device leaves the network.
    pub(super) fn drop_out(&mut self, number: usize, wait: Duration) {
        let node = &mut self.nodes[number];
        let Some(nwk) = node.nwk.take() else { return };
        node.left();
        let ieee = node.ieee;
        self.tell_host(wait, zdo::LeaveInd { nwk, ieee, request: 0, children: 0, rejoin: 0 }.frame());
    }

    /// Lets every device in range try to join.
    pub(super) fn invite(&mut self) {
        for number in 0..self.nodes.len() {
            let wait = Duration::from_millis(self.rng.u64(100..600));
            self.later(wait, Event::Join(number));
        }
    }

    fn free_address(&mut self) -> u16 {
        loop {
            let nwk = self.rng.u16(1..0xFFF0);
            if self.nodes.iter().all(|node| node.nwk != Some(nwk)) {
                return nwk;
            }
        }
    }
}
