//! The state of an adapter in use: pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mapper_sdk::Fault;
use twin_core::Timestamp;

use crate::address::Address;
use crate::air::Air;
use crate::budget::Budget;
use crate::radio::{Handle, News};

/// What a device notifies waits here until its session looks; then the oldest goes.
const MOST_TOLD: usize = 256;
/// The connections of an adapter where nobody says how many it takes.
const MOST_LINKS: usize = 32;

/// The state of an adapter in use.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) air: Air,
    pub(crate) budget: Budget<Address>,
    pub(crate) links: BTreeMap<Address, Link>,
    /// Connections that nobody uses any more and that are still to be ended.
    pub(super) leaving: BTreeSet<Address>,
    /// How many want to hear advertisements.
    pub(super) listeners: usize,
    pub(super) is_listening: bool,
    down: Option<Fault>,
}

/// A connection that a session uses.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// Whether it is up.
    pub(crate) is_up: bool,
    /// Whether it was, and is not any more.
    pub(crate) is_lost: bool,
    /// What the device has told and the session has not looked at.
    pub(crate) told: VecDeque<Told>,
    /// How much was told and thrown away unseen.
    pub(crate) dropped: u64,
}

/// What a device has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) handle: Handle,
    pub(crate) bytes: Vec<u8>,
    pub(crate) at: Timestamp,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            air: Air::default(),
            budget: Budget::new(MOST_LINKS),
            links: BTreeMap::new(),
            leaving: BTreeSet::new(),
            listeners: 0,
            is_listening: false,
            down: None,
        }
    }

    /// Why the adapter cannot be used any more.
    pub(crate) fn down(&self) -> Option<&Fault> {
        self.down.as_ref()
    }

    pub(super) fn handle_down(&mut self, fault: Fault) {
        self.down = Some(fault);
    }

    pub(super) fn handle_deaf(&mut self) {
        self.is_listening = false;
    }

    pub(super) fn handle_news(&mut self, address: Address, news: News, now: Timestamp) {
        let lost = news.connected == Some(false);
        self.air.handle_news(address, news, now);
        if lost {
            self.handle_lost(address);
        }
    }

    pub(super) fn handle_forgotten(&mut self, address: Address) {
        self.air.handle_forgotten(address);
        self.handle_lost(address);
    }

    fn handle_lost(&mut self, address: Address) {
        if let Some(link) = self.links.get_mut(&address).filter(|link| link.is_up) {
            link.is_lost = true;
        }
    }

    pub(super) fn handle_told(&mut self, address: Address, handle: Handle, bytes: Vec<u8>, at: Timestamp) {
        let Some(link) = self.links.get_mut(&address) else { return };
        if link.told.len() >= MOST_TOLD {
            link.told.pop_front();
            link.dropped += 1;
        }
        link.told.push_back(Told { handle, bytes, at });
    }

    /// The connection is up.
    pub(crate) fn handle_linked(&mut self, address: Address, now: Timestamp) {
        self.budget.handle_linked(&address, now);
        // It may have been lost while its services were looked at.
        let still = self.air.seen(address).is_some_and(|seen| seen.connected);
        if let Some(link) = self.links.get_mut(&address) {
            link.is_up = true;
            link.is_lost = !still;
        }
    }

    /// Whether the adapter listens though nobody wants to hear any more: it is about to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_listening && self.listeners == 0
    }

    /// Whether a connection that was up is gone.
    pub(crate) fn is_lost(&self, address: Address) -> bool {
        self.links.get(&address).is_none_or(|link| link.is_lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_notifications_keeps_the_newest_and_is_counted() {
        let mut state = State::new();
        let address = Address::new([1; 6]);
        let told = |state: &mut State, n: u16| {
            state.handle_told(address, Handle::new("a"), n.to_le_bytes().into(), Timestamp::default());
        };
        told(&mut state, 0);
        assert!(state.links.is_empty(), "nobody uses the connection");
        state.links.insert(address, Link::default());
        for n in 0..1_000 {
            told(&mut state, n);
        }
        let link = &state.links[&address];
        assert_eq!((link.told.len(), link.dropped), (MOST_TOLD, 1_000 - MOST_TOLD as u64));
        assert_eq!(link.told.back().map(|told| told.bytes.clone()), Some(999u16.to_le_bytes().into()));
    }
}
