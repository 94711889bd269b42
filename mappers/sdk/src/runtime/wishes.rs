//! What is to be written to a device: the newest value of each property, each executed once.

use std::collections::BTreeMap;

use mapper_contract::WriteOutcome;
use twin_core::{Part, Revision, Timestamp, Value, WriteResult};

/// A value that is to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wish {
    pub(crate) part: Part,
    pub(crate) revision: Revision,
    pub(crate) value: Value,
    pub(crate) until: Option<Timestamp>,
}

impl Wish {
    /// Whether the two are the same wish. The value counts: after a restored backup a revision may come again.
    fn is(&self, other: &Self) -> bool {
        self.part == other.part && self.revision == other.revision && self.value == other.value
    }
}

impl Wish {
    /// The answer to it.
    pub(crate) fn outcome(&self, result: WriteResult, at: Timestamp) -> WriteOutcome {
        let value = (&self.value).into();
        WriteOutcome { part: self.part, revision: self.revision, value, result, at: Some(at) }
    }
}

/// The wishes for one device, by the number of the property.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    slots: BTreeMap<usize, Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    waiting: Option<Wish>,
    running: Option<Wish>,
    answered: Option<Wish>,
    /// The failure that was reported of the one waiting.
    failed: Option<String>,
}

impl Wishes {
    /// Takes all that is wanted now: what is missing is no longer wanted. True when there is something to do.
    pub(crate) fn handle_wanted(&mut self, mut wanted: BTreeMap<usize, Wish>) -> bool {
        for property in wanted.keys() {
            self.slots.entry(*property).or_default();
        }
        for (property, slot) in &mut self.slots {
            let Some(wish) = wanted.remove(property) else {
                slot.waiting = None;
                continue;
            };
            let known = [&slot.answered, &slot.running].into_iter().flatten().any(|known| known.is(&wish));
            if known {
                slot.waiting = None;
            } else if !slot.waiting.as_ref().is_some_and(|waiting| waiting.is(&wish)) {
                slot.failed = None;
                slot.waiting = Some(wish);
            } else {
                slot.waiting = Some(wish);
            }
        }
        self.is_waiting()
    }

    /// Whether something waits.
    pub(crate) fn is_waiting(&self) -> bool {
        self.slots.values().any(|slot| slot.waiting.is_some())
    }

    /// The next wish to execute. One whose time has run out is forgotten.
    pub(crate) fn poll_wish(&mut self, now: Timestamp) -> Option<(usize, Wish)> {
        for (property, slot) in &mut self.slots {
            if slot.waiting.as_ref().is_some_and(|wish| wish.until.is_some_and(|until| until <= now)) {
                slot.waiting = None;
            }
            if let Some(wish) = slot.waiting.take() {
                slot.running = Some(wish.clone());
                return Some((*property, wish));
            }
        }
        None
    }

    /// The running wish was answered for good.
    pub(crate) fn handle_answered(&mut self, property: usize) {
        if let Some(slot) = self.slots.get_mut(&property)
            && let Some(wish) = slot.running.take()
        {
            slot.answered = Some(wish);
            slot.failed = None;
        }
    }

    /// The running wish is to be tried again, unless a newer one waits already.
    pub(crate) fn handle_put_back(&mut self, property: usize) {
        if let Some(slot) = self.slots.get_mut(&property) {
            let running = slot.running.take();
            if slot.waiting.is_none() {
                slot.waiting = running;
            }
        }
    }

    /// Those waiting of which this failure has not been reported yet.
    pub(crate) fn handle_failure(&mut self, reason: &str, now: Timestamp) -> Vec<(usize, Wish)> {
        let mut unreported = Vec::new();
        for (property, slot) in &mut self.slots {
            let Some(wish) = &slot.waiting else { continue };
            if wish.until.is_some_and(|until| until <= now) || slot.failed.as_deref() == Some(reason) {
                continue;
            }
            slot.failed = Some(reason.to_owned());
            unreported.push((*property, wish.clone()));
        }
        unreported
    }

    /// What was being executed when the driver broke down: answered for good, so that it does so only once.
    pub(crate) fn handle_breakdown(&mut self) -> Vec<(usize, Wish)> {
        let mut broken = Vec::new();
        for (property, slot) in &mut self.slots {
            if let Some(wish) = slot.running.take() {
                slot.answered = Some(wish.clone());
                broken.push((*property, wish));
            }
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn wish(revision: u64, value: i64) -> Wish {
        Wish { part: Part::Desired, revision: Revision::new(revision), value: Value::Int(value), until: None }
    }

    fn wanted(wish: Wish) -> BTreeMap<usize, Wish> {
        BTreeMap::from([(0, wish)])
    }

    #[test]
    fn an_answered_or_running_wish_is_not_executed_twice() {
        let mut wishes = Wishes::default();
        assert!(wishes.handle_wanted(wanted(wish(1, 5))));
        assert_eq!(wishes.poll_wish(at(0)), Some((0, wish(1, 5))));
        assert!(!wishes.handle_wanted(wanted(wish(1, 5))), "it is running");
        wishes.handle_answered(0);
        assert!(!wishes.handle_wanted(wanted(wish(1, 5))), "it was answered");
        assert!(
            wishes.handle_wanted(wanted(wish(1, 6))),
            "the same revision with another value is another wish"
        );
    }

    #[test]
    fn only_the_newest_value_is_written() {
        let mut wishes = Wishes::default();
        for n in 1..100 {
            wishes.handle_wanted(wanted(wish(n, i64::try_from(n).unwrap())));
        }
        assert_eq!(wishes.poll_wish(at(0)), Some((0, wish(99, 99))));
        assert_eq!(wishes.poll_wish(at(0)), None);
    }

    #[test]
    fn what_is_no_longer_wanted_or_has_run_out_is_not_written() {
        let mut wishes = Wishes::default();
        wishes.handle_wanted(wanted(wish(1, 5)));
        assert!(!wishes.handle_wanted(BTreeMap::new()));
        wishes.handle_wanted(wanted(Wish { until: Some(at(10)), ..wish(2, 6) }));
        assert_eq!(wishes.poll_wish(at(10)), None);
        assert!(!wishes.is_waiting());
    }

    #[test]
    fn a_failed_wish_waits_again_and_its_failure_is_told_once() {
        let mut wishes = Wishes::default();
        wishes.handle_wanted(wanted(wish(1, 5)));
        wishes.poll_wish(at(0));
        wishes.handle_put_back(0);
        assert_eq!(wishes.handle_failure("gone", at(1)).len(), 1);
        assert_eq!(wishes.handle_failure("gone", at(2)).len(), 0);
        assert!(wishes.handle_wanted(wanted(wish(1, 5))));
        assert_eq!(wishes.handle_failure("gone", at(3)).len(), 0, "the same wish came again");
        assert_eq!(wishes.handle_failure("refused", at(3)).len(), 1, "another state");
        wishes.handle_wanted(wanted(wish(2, 5)));
        assert_eq!(wishes.handle_failure("refused", at(4)).len(), 1, "another wish");
    }

    #[test]
    fn a_newer_wish_that_came_while_one_was_running_is_not_lost_when_that_fails() {
        let mut wishes = Wishes::default();
        wishes.handle_wanted(wanted(wish(1, 5)));
        wishes.poll_wish(at(0));
        wishes.handle_wanted(wanted(wish(2, 6)));
        wishes.handle_put_back(0);
        assert_eq!(wishes.poll_wish(at(0)), Some((0, wish(2, 6))));
    }

    proptest! {
        #[test]
        fn no_wish_is_answered_twice(events in proptest::collection::vec((0u8..4, 0u64..4), 1..200)) {
            let mut wishes = Wishes::default();
            let (mut running, mut newest) = (None, 0);
            let mut answered: Vec<u64> = Vec::new();
            for (event, revision) in events {
                match event {
                    // As a gateway does it: revisions only grow, the newest may come again.
                    0 => { newest += revision; wishes.handle_wanted(wanted(wish(newest, 0))); }
                    1 if running.is_none() => running = wishes.poll_wish(at(0)),
                    2 => if let Some((property, wish)) = running.take() {
                        prop_assert!(!answered.contains(&wish.revision.get()));
                        answered.push(wish.revision.get());
                        wishes.handle_answered(property);
                    },
                    _ => if let Some((property, _)) = running.take() { wishes.handle_put_back(property); },
                }
            }
        }
    }
}
