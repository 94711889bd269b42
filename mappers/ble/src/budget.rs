//! Who may be connected: an adapter takes few connections, and those who wait for one get their turn.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use twin_core::Timestamp;

/// Shares a number of connections among those who want one: first come, first served, and who has held one for its time
/// gives it up when others wait.
#[derive(Debug)]
pub struct Budget<Who> {
    slots: usize,
    holders: BTreeMap<Who, Holding>,
    queue: VecDeque<(Who, Duration)>,
}

#[derive(Debug, Clone, Copy)]
struct Holding {
    since: Timestamp,
    hold: Duration,
}

impl<Who: Ord + Clone> Budget<Who> {
    /// So many connections, at least one.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self { slots: slots.max(1), holders: BTreeMap::new(), queue: VecDeque::new() }
    }

    /// There are no more connections than this; the least that was ever said counts.
    pub fn handle_limit(&mut self, slots: usize) {
        self.slots = self.slots.min(slots.max(1));
    }

    /// How many connections there are.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Somebody wants a connection, to keep it for `hold` at least.
    pub fn handle_wanted(&mut self, who: Who, hold: Duration) {
        if !self.holders.contains_key(&who) && !self.queue.iter().any(|(other, _)| *other == who) {
            self.queue.push_back((who, hold));
        }
    }

    /// Whether `who` has a connection now: takes one when it is their turn.
    pub fn poll_granted(&mut self, who: &Who, now: Timestamp) -> bool {
        if self.holders.contains_key(who) {
            return true;
        }
        let free = self.slots.saturating_sub(self.holders.len());
        let Some(place) = self.queue.iter().take(free).position(|(other, _)| other == who) else {
            return false;
        };
        if let Some((who, hold)) = self.queue.remove(place) {
            self.holders.insert(who, Holding { since: now, hold });
        }
        true
    }

    /// The connection is up: the time it may be held begins.
    pub fn handle_linked(&mut self, who: &Who, now: Timestamp) {
        if let Some(holding) = self.holders.get_mut(who) {
            holding.since = now;
        }
    }

    /// The connection is gone, or is not wanted any more.
    pub fn handle_freed(&mut self, who: &Who) {
        self.holders.remove(who);
        self.queue.retain(|(other, _)| other != who);
    }

    /// When `who` has to give its connection up; none while nobody waits for it.
    #[must_use]
    pub fn yields_at(&self, who: &Who) -> Option<Timestamp> {
        let waiting = self.queue.len().saturating_sub(self.slots.saturating_sub(self.holders.len()));
        let end = |holding: &Holding| holding.since.after(holding.hold);
        let own = end(self.holders.get(who)?);
        // Those whose time ends first make place for those who wait.
        let earlier = |(other, holding): (&Who, &Holding)| (end(holding), other) < (own, who);
        let before = self.holders.iter().filter(|holder| earlier(*holder)).count();
        (before < waiting).then_some(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOLD: Duration = Duration::from_secs(10);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn one_connection_goes_around_and_nobody_gives_it_up_while_nobody_waits() {
        let mut budget = Budget::new(1);
        budget.handle_wanted('a', HOLD);
        assert!(budget.poll_granted(&'a', at(0)));
        assert_eq!(budget.yields_at(&'a'), None);
        budget.handle_wanted('b', HOLD);
        budget.handle_wanted('c', HOLD);
        assert!(!budget.poll_granted(&'c', at(1)) && !budget.poll_granted(&'b', at(1)));
        budget.handle_linked(&'a', at(2));
        assert_eq!(budget.yields_at(&'a'), Some(at(12)));
        budget.handle_freed(&'a');
        budget.handle_wanted('a', HOLD);
        assert!(!budget.poll_granted(&'c', at(12)), "b came first");
        assert!(budget.poll_granted(&'b', at(12)));
        assert_eq!(budget.yields_at(&'b'), Some(at(22)));
        budget.handle_freed(&'b');
        assert!(!budget.poll_granted(&'a', at(22)) && budget.poll_granted(&'c', at(22)));
    }

    #[test]
    fn only_as_many_give_up_as_there_are_waiting() {
        let mut budget = Budget::new(2);
        for (who, now) in [('a', 0), ('b', 1)] {
            budget.handle_wanted(who, HOLD);
            assert!(budget.poll_granted(&who, at(now)));
        }
        budget.handle_wanted('c', HOLD);
        assert_eq!((budget.yields_at(&'a'), budget.yields_at(&'b')), (Some(at(10)), None));
        budget.handle_freed(&'c');
        assert_eq!(budget.yields_at(&'a'), None, "who waited has left");
    }

    proptest! {
        /// Whatever happens, there are never more connections than slots, and everybody who keeps asking gets one.
        #[test]
        fn the_budget_is_kept_and_everybody_gets_a_turn(slots in 1usize..4, steps in prop::collection::vec((0u8..6, 0u8..3), 1..200)) {
            let mut budget = Budget::new(slots);
            let mut now = 0;
            for (who, what) in steps {
                now += 1;
                match what {
                    0 => budget.handle_wanted(who, HOLD),
                    1 => { budget.poll_granted(&who, at(now)); }
                    _ => budget.handle_freed(&who),
                }
                prop_assert!(budget.holders.len() <= slots);
            }
            for who in 0..6 {
                budget.handle_wanted(who, HOLD);
            }
            let mut served = std::collections::BTreeSet::new();
            for _ in 0..20 {
                now += 10;
                for who in 0..6u8 {
                    if budget.poll_granted(&who, at(now)) {
                        served.insert(who);
                    }
                }
                for who in 0..6u8 {
                    if budget.yields_at(&who).is_some_and(|end| end <= at(now)) {
                        budget.handle_freed(&who);
                    }
                }
            }
            prop_assert_eq!(served.len(), 6);
        }
    }
}
