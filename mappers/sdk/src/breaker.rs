//! A device that does not answer is asked again after growing pauses.

use std::time::Duration;

use twin_core::Timestamp;

/// How long to wait between two attempts at a device that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// Before the second attempt.
    pub first: Duration,
    /// Never longer than this.
    pub longest: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self::USUAL
    }
}

impl Pauses {
    /// From 1 s to 30 s.
    pub const USUAL: Self = Self { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

    /// The pause after `failures` failures in a row: doubling, and between a half and the whole of it by chance, so
    /// that many devices that were lost together do not come back together.
    #[must_use]
    pub fn after(&self, failures: u32, random: &mut fastrand::Rng) -> Duration {
        let doubled = self.first.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1).min(30)));
        doubled.min(self.longest).mul_f64(0.5 + random.f64() / 2.0)
    }
}

/// Whether a device answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Breaker {
    /// It does, or was never asked.
    #[default]
    Closed,
    /// It does not.
    Open {
        /// When to ask again.
        probe_at: Timestamp,
        /// How often it did not answer in a row.
        failures: u32,
    },
}

impl Breaker {
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    pub(crate) fn handle_silence(&mut self, pauses: Pauses, now: Timestamp, random: &mut fastrand::Rng) {
        let failures = match *self {
            Self::Closed => 1,
            Self::Open { failures, .. } => failures.saturating_add(1),
        };
        *self = Self::Open { probe_at: now.after(pauses.after(failures, random)), failures };
    }

    /// It will not speak with us until somebody changes something: asking more often helps nobody, and may lock a user out.
    pub(crate) fn handle_denial(&mut self, pauses: Pauses, now: Timestamp, random: &mut fastrand::Rng) {
        self.handle_silence(pauses, now, random);
        if let Self::Open { probe_at, .. } = self {
            *probe_at = now.after(pauses.after(u32::MAX, random));
        }
    }

    /// It is being asked; should nobody say how that ended, it is asked again at `again_at`.
    pub(crate) fn handle_probe(&mut self, again_at: Timestamp) {
        if let Self::Open { probe_at, .. } = self {
            *probe_at = again_at;
        }
    }

    pub(crate) fn probe_at(self) -> Option<Timestamp> {
        match self {
            Self::Closed => None,
            Self::Open { probe_at, .. } => Some(probe_at),
        }
    }

    /// Asks again at once: a neighbour on the same connection has come back.
    pub(crate) fn handle_hope(&mut self, now: Timestamp) {
        if let Self::Open { probe_at, .. } = self {
            *probe_at = now.min(*probe_at);
        }
    }
}
