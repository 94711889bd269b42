//! Requests that have no answer yet, any of which may still come.

use std::time::Duration;

use tokio::time::Instant;

/// The reads with which it can be proved that nothing old is on its way.
const PROOFS: [u8; 4] = [3, 4, 1, 2];
/// No answer comes later than this, nor later than ten time-outs.
const LATEST: Duration = Duration::from_secs(10);

/// A request that was sent and not answered.
#[derive(Debug)]
struct Suspect {
    unit: u8,
    function: u8,
    until: Instant,
}

/// The requests whose answers may still come, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    sent: Vec<Suspect>,
}

impl Suspects {
    /// A request is about to be sent.
    pub(super) fn handle_sent(&mut self, unit: u8, function: u8, timeout: Duration, now: Instant) {
        self.sent.retain(|s| s.until > now && (s.unit, s.function) != (unit, function));
        self.sent.push(Suspect { unit, function, until: now + LATEST.max(10 * timeout) });
    }

    /// A unit answered to this function: what it was sent before that is over. False when nothing of the kind was
    /// waited for.
    pub(super) fn handle_answer(&mut self, unit: u8, function: u8) -> bool {
        let Some(place) = self.sent.iter().position(|s| (s.unit, s.function) == (unit, function)) else {
            return false;
        };
        let mut number = 0;
        self.sent.retain(|s| {
            number += 1;
            s.unit != unit || number > place + 1
        });
        true
    }

    /// Whether an answer to this function could be an old one.
    pub(super) fn contains(&self, unit: u8, function: u8, now: Instant) -> bool {
        self.sent.iter().any(|s| (s.unit, s.function) == (unit, function) && s.until > now)
    }

    /// A read whose answer cannot be an old one; none when all are waited for.
    pub(super) fn proof(&self, unit: u8, now: Instant) -> Option<u8> {
        PROOFS.into_iter().find(|function| !self.contains(unit, *function, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME_OUT: Duration = Duration::from_millis(100);

    #[test]
    fn an_answer_clears_what_was_sent_to_that_unit_before_it() {
        let (mut suspects, now) = (Suspects::default(), Instant::now());
        for (unit, function) in [(1, 3), (2, 3), (1, 4), (1, 6)] {
            suspects.handle_sent(unit, function, TIME_OUT, now);
        }
        assert!(suspects.handle_answer(1, 4));
        assert!(!suspects.contains(1, 3, now) && !suspects.contains(1, 4, now));
        assert!(suspects.contains(2, 3, now) && suspects.contains(1, 6, now));
        assert!(!suspects.handle_answer(1, 3), "nobody waits for it any more");
    }

    #[test]
    fn a_proof_is_a_read_that_nobody_waits_for_and_old_requests_are_forgotten() {
        let (mut suspects, now) = (Suspects::default(), Instant::now());
        for function in [3, 4, 1] {
            suspects.handle_sent(1, function, TIME_OUT, now);
        }
        assert_eq!(suspects.proof(1, now), Some(2));
        suspects.handle_sent(1, 2, TIME_OUT, now);
        assert_eq!(suspects.proof(1, now), None);
        assert_eq!(suspects.proof(1, now + LATEST), Some(3));
    }
}
