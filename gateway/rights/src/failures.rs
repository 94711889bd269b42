//! How often anybody may show a wrong token, by address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use twin_core::Timestamp;

/// The most failures of one address in a window.
const MOST: u32 = 10;
/// How long they count.
const WINDOW: Duration = Duration::from_secs(60);
/// The most addresses that are remembered; of more, those that were quiet longest are forgotten.
const ADDRESSES: usize = 1024;

/// Counts failures by address and says who has to wait; cheap to clone, all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Failures(Arc<Mutex<Table>>);

impl Failures {
    /// How long an address has to wait before it is listened to again; none: not at all.
    #[must_use]
    pub fn wait(&self, address: IpAddr, now: Timestamp) -> Option<Duration> {
        let mut table = self.lock();
        let wait = table.wait(address, now);
        if wait.is_some() {
            table.note_refused(address, now);
        }
        wait
    }

    /// Takes note of a failure.
    pub fn note(&self, address: IpAddr, now: Timestamp) {
        self.lock().note(address, now);
    }

    /// Takes note of somebody known who asked for what they may not do: it is reported, and makes nobody wait.
    pub fn note_forbidden(&self, address: IpAddr, now: Timestamp) {
        self.lock().note_refused(address, now);
    }

    /// What has not been reported yet, by address; forgets those that no longer count.
    #[must_use]
    pub fn take_counts(&self, now: Timestamp) -> Vec<Count> {
        self.lock().take_counts(now)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Table {
    by_address: HashMap<IpAddr, Entry>,
    /// Of addresses that were forgotten before they were reported.
    forgotten: u64,
}

#[derive(Debug)]
struct Entry {
    count: u32,
    since: Timestamp,
    last: Timestamp,
    unreported: u64,
}

/// Failures since they were last asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// From where; none: from addresses that are forgotten.
    pub address: Option<IpAddr>,
    /// How many.
    pub failures: u64,
}

impl Table {
    fn wait(&self, address: IpAddr, now: Timestamp) -> Option<Duration> {
        let entry = self.by_address.get(&whole(address))?;
        if entry.count < MOST || !entry.counts(now) {
            return None;
        }
        Some(entry.since.after(WINDOW).since(now).max(Duration::from_secs(1)))
    }

    fn entry(&mut self, address: IpAddr, now: Timestamp) -> &mut Entry {
        let address = whole(address);
        if !self.by_address.contains_key(&address) && self.by_address.len() >= ADDRESSES {
            self.forget_one();
        }
        let fresh = || Entry { count: 0, since: now, last: now, unreported: 0 };
        self.by_address.entry(address).or_insert_with(fresh)
    }

    fn note(&mut self, address: IpAddr, now: Timestamp) {
        let entry = self.entry(address, now);
        if !entry.counts(now) {
            (entry.count, entry.since) = (0, now);
        }
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
        entry.unreported += 1;
    }

    /// Takes note of a refusal without having looked: it does not make the wait longer.
    fn note_refused(&mut self, address: IpAddr, now: Timestamp) {
        let entry = self.entry(address, now);
        entry.unreported += 1;
    }

    fn take_counts(&mut self, now: Timestamp) -> Vec<Count> {
        let mut counts = Vec::new();
        for (address, entry) in &mut self.by_address {
            let failures = std::mem::take(&mut entry.unreported);
            if failures > 0 {
                counts.push(Count { address: Some(*address), failures });
            }
        }
        let forgotten = std::mem::take(&mut self.forgotten);
        if forgotten > 0 {
            counts.push(Count { address: None, failures: forgotten });
        }
        counts.sort_by_key(|count| count.address);
        self.by_address.retain(|_, entry| entry.counts(now));
        counts
    }

    fn forget_one(&mut self) {
        let quietest =
            self.by_address.iter().min_by_key(|(_, entry)| entry.last).map(|(address, _)| *address);
        if let Some(entry) = quietest.and_then(|address| self.by_address.remove(&address)) {
            self.forgotten += entry.unreported;
        }
    }
}

impl Entry {
    /// Whether its window lasts. A clock that was set back ends it too.
    fn counts(&self, now: Timestamp) -> bool {
        self.since <= now && now.since(self.since) < WINDOW
    }
}

/// Whoever has one IPv6 address mostly has the whole /64.
fn whole(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        four @ IpAddr::V4(_) => four,
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1000)
    }

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn after_ten_failures_an_address_waits_for_the_rest_of_the_minute() {
        let mut failures = Table::default();
        for n in 0..10 {
            assert_eq!(failures.wait(address(1), at(n)), None);
            failures.note(address(1), at(n));
        }
        assert_eq!(failures.wait(address(1), at(9)), Some(Duration::from_secs(51)));
        assert_eq!(failures.wait(address(2), at(9)), None);
        assert_eq!(failures.wait(address(1), at(60)), None);
        failures.note(address(1), at(60));
        assert_eq!(failures.wait(address(1), at(61)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut failures = Table::default();
        for _ in 0..10 {
            failures.note(address(1), at(100_000));
        }
        assert!(failures.wait(address(1), at(100_001)).is_some());
        assert_eq!(failures.wait(address(1), at(0)), None);
    }

    #[test]
    fn a_neighbour_in_the_same_v6_network_is_the_same() {
        let mut failures = Table::default();
        for n in 0..10 {
            failures.note(format!("2001:db8::{n}").parse().unwrap(), at(0));
        }
        assert!(failures.wait("2001:db8::ffff".parse().unwrap(), at(1)).is_some());
        assert_eq!(failures.wait("2001:db8:0:1::1".parse().unwrap(), at(1)), None);
        failures.note("::ffff:10.0.0.1".parse().unwrap(), at(1));
        assert!(failures.take_counts(at(1)).iter().any(|c| c.address == Some("10.0.0.1".parse().unwrap())));
    }

    #[test]
    fn however_many_addresses_come_the_table_stays_bounded_and_no_failure_goes_uncounted() {
        let mut failures = Table::default();
        for n in 0..5000 {
            failures.note(address(n), at(0));
        }
        assert_eq!(failures.by_address.len(), ADDRESSES);
        let counts = failures.take_counts(at(1));
        assert_eq!(counts.iter().map(|count| count.failures).sum::<u64>(), 5000);
        assert!(failures.take_counts(at(2)).is_empty());
        assert!(failures.take_counts(at(70)).is_empty());
        assert!(failures.by_address.is_empty());
    }
}
