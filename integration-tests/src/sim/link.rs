//! The link: one connection at a time, and what is on its way.

use fastrand::Rng;
use twin_core::{Side, Timestamp};

use super::index;

/// How a link treats what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weather {
    /// Everything arrives once and in order, as TCP does it.
    pub(super) ordered: bool,
    /// Of 100 messages so many are lost.
    pub(super) lost: u8,
    /// Of 100 messages so many come again.
    pub(super) doubled: u8,
    /// The longest way, in milliseconds.
    pub(super) delay_ms: i64,
}

impl Weather {
    /// Everything arrives once, in order and soon.
    pub(super) const FAIR: Self = Self { ordered: true, lost: 0, doubled: 0, delay_ms: 20 };
}

struct Packet<M> {
    at: Timestamp,
    message: M,
}

/// What lies between the two sides.
pub(super) struct Link<M> {
    pub(super) weather: Weather,
    connection: Option<u64>,
    last: u64,
    under_way: [Vec<Packet<M>>; 2],
}

impl<M: Clone> Link<M> {
    pub(super) fn new(weather: Weather) -> Self {
        Self { weather, connection: None, last: 0, under_way: [Vec::new(), Vec::new()] }
    }

    /// The number of the connection that is open.
    pub(super) fn connection(&self) -> Option<u64> {
        self.connection
    }

    pub(super) fn open(&mut self) -> u64 {
        self.cut();
        self.last += 1;
        self.connection = Some(self.last);
        self.last
    }

    /// The connection is gone, and what was on its way with it.
    pub(super) fn cut(&mut self) {
        self.connection = None;
        self.under_way.iter_mut().for_each(Vec::clear);
    }

    /// Takes a message to `to`; the answer is how many copies are on their way.
    pub(super) fn send(&mut self, to: Side, message: M, now: Timestamp, rng: &mut Rng) -> usize {
        let queue = &mut self.under_way[index(to)];
        let mut copies = 1;
        if !self.weather.ordered {
            if rng.u8(..100) < self.weather.lost {
                return 0;
            }
            copies += usize::from(rng.u8(..100) < self.weather.doubled);
        }
        for _ in 0..copies {
            let mut at = Timestamp::from_millis(now.as_millis() + rng.i64(0..=self.weather.delay_ms));
            if self.weather.ordered {
                at = queue.last().map_or(at, |packet| packet.at.max(at));
            }
            queue.push(Packet { at, message: message.clone() });
        }
        copies
    }

    /// The next message to `to` that has arrived.
    pub(super) fn take(&mut self, to: Side, now: Timestamp) -> Option<M> {
        let queue = &mut self.under_way[index(to)];
        let (place, packet) = queue.iter().enumerate().min_by_key(|(place, packet)| (packet.at, *place))?;
        (packet.at <= now).then_some(())?;
        Some(queue.remove(place).message)
    }

    pub(super) fn next_arrival(&self) -> Option<Timestamp> {
        self.under_way.iter().flatten().map(|packet| packet.at).min()
    }
}
