//! What has been heard of all devices.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use twin_core::Timestamp;

use crate::address::Address;
use crate::radio::News;
use crate::uuid::Uuid;

/// So many devices are remembered; a phone that changes its address is a new one every quarter of an hour.
const MOST_DEVICES: usize = 2_000;

/// What has been heard of all devices.
#[derive(Debug, Default)]
pub struct Air {
    devices: BTreeMap<Address, Seen>,
}

/// What is known of a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Its name.
    pub name: Option<String>,
    /// The strength of the signal in dBm, and when it was measured.
    pub rssi: Option<(i16, Timestamp)>,
    /// The power with which it says it sends, in dBm.
    pub tx_power: Option<i16>,
    /// The services that it advertises or has.
    pub services: BTreeSet<Uuid>,
    /// Manufacturer data by company identifier.
    pub manufacturer: BTreeMap<u16, Heard>,
    /// Service data by service.
    pub service_data: BTreeMap<Uuid, Heard>,
    /// When an advertisement of it was last heard.
    pub heard_at: Option<Timestamp>,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether its services are known.
    pub resolved: bool,
    /// Whether there is a bond.
    pub bonded: bool,
}

/// Bytes of an advertisement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The bytes, without the identifier before them.
    pub bytes: Vec<u8>,
    /// When they were last heard; none when nobody knows.
    pub at: Option<Timestamp>,
}

/// The device that is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// The one with this address.
    Address(Address),
    /// The one that advertises all of this.
    Match {
        /// Its name, or how that begins when there is a `*` at the end.
        name: Option<String>,
        /// A service.
        service: Option<Uuid>,
        /// A company identifier.
        manufacturer: Option<u16>,
    },
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Match { name, service, manufacturer } => {
                let parts = [
                    name.as_ref().map(|name| format!("name {name}")),
                    service.map(|service| format!("service {service}")),
                    manufacturer.map(|company| format!("manufacturer {company:#06x}")),
                ];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                f.write_str(&parts.join(", "))
            }
        }
    }
}

impl Air {
    /// Takes in what has changed of a device.
    pub fn handle_news(&mut self, address: Address, news: News, now: Timestamp) {
        if self.devices.len() >= MOST_DEVICES && !self.devices.contains_key(&address) {
            let oldest = self.devices.iter().filter(|(_, seen)| !seen.connected);
            if let Some((&oldest, _)) = oldest.min_by_key(|(_, seen)| seen.heard_at) {
                self.devices.remove(&oldest);
            }
        }
        let seen = self.devices.entry(address).or_default();
        let at = news.heard.then_some(now);
        seen.heard_at = at.or(seen.heard_at);
        seen.name = news.name.or(seen.name.take());
        seen.tx_power = news.tx_power.or(seen.tx_power);
        if let (Some(rssi), Some(now)) = (news.rssi, at) {
            seen.rssi = Some((rssi, now));
        } else if let (Some((_, measured)), Some(now)) = (&mut seen.rssi, at) {
            // The adapter tells the strength when it changes: with an advertisement that does not, it is what it was.
            *measured = now;
        }
        seen.services = news.services.unwrap_or(std::mem::take(&mut seen.services));
        for (company, bytes) in news.manufacturer.into_iter().flatten() {
            seen.manufacturer.insert(company, Heard { bytes, at });
        }
        for (service, bytes) in news.service_data.into_iter().flatten() {
            seen.service_data.insert(service, Heard { bytes, at });
        }
        seen.connected = news.connected.unwrap_or(seen.connected);
        seen.resolved = news.resolved.unwrap_or(seen.resolved) && seen.connected;
        seen.bonded = news.bonded.unwrap_or(seen.bonded);
    }

    /// The adapter has forgotten a device.
    pub fn handle_forgotten(&mut self, address: Address) {
        self.devices.remove(&address);
    }

    /// What is known of a device.
    #[must_use]
    pub fn seen(&self, address: Address) -> Option<&Seen> {
        self.devices.get(&address)
    }

    /// All devices.
    pub fn devices(&self) -> impl Iterator<Item = (Address, &Seen)> {
        self.devices.iter().map(|(address, seen)| (*address, seen))
    }

    /// The devices that may be meant: by address also one that has not been heard, by a match only those that were
    /// heard within `max_age`, or are connected.
    #[must_use]
    pub fn find(&self, wanted: &Wanted, now: Timestamp, max_age: Duration) -> Vec<Address> {
        match wanted {
            Wanted::Address(address) => self.devices.get(address).map(|_| *address).into_iter().collect(),
            Wanted::Match { name, service, manufacturer } => {
                let fits = |seen: &Seen| {
                    name.as_ref().is_none_or(|name| seen.name.as_ref().is_some_and(|own| is_named(own, name)))
                        && service
                            .is_none_or(|s| seen.services.contains(&s) || seen.service_data.contains_key(&s))
                        && manufacturer.is_none_or(|company| seen.manufacturer.contains_key(&company))
                };
                let here = |seen: &Seen| seen.connected || seen.age(now).is_some_and(|age| age <= max_age);
                self.devices()
                    .filter(|(_, seen)| here(seen) && fits(seen))
                    .map(|(address, _)| address)
                    .collect()
            }
        }
    }
}

impl Seen {
    /// How long ago an advertisement was heard; none when none ever was.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.heard_at.map(|at| now.since(at))
    }
}

fn is_named(own: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => own.starts_with(start),
        None => own == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn address(n: u16) -> Address {
        let [high, low] = n.to_be_bytes();
        Address::new([0xC0, 0, 0, 0, high, low])
    }

    fn named(name: &str, heard: bool) -> News {
        News { heard, name: Some(name.into()), ..News::default() }
    }

    #[test]
    fn a_match_finds_those_that_advertise_all_of_it_and_were_heard_of_late() {
        let mut air = Air::default();
        let service = Uuid::assigned(0x181A);
        let env = News { services: Some([service].into()), ..named("Env 1", true) };
        air.handle_news(address(1), env, at(0));
        air.handle_news(address(2), named("Env 2", true), at(0));
        air.handle_news(address(3), named("Env 3", false), at(0));
        let find = |name: &str, service, now| {
            let wanted = Wanted::Match { name: Some(name.into()), service, manufacturer: None };
            air.find(&wanted, at(now), MINUTE)
        };
        assert_eq!(find("Env*", None, 1), [address(1), address(2)]);
        assert_eq!(find("Env*", Some(service), 1), [address(1)]);
        assert_eq!(find("Env", None, 1), []);
        assert_eq!(find("Env*", None, 61), []);
        assert_eq!(air.find(&Wanted::Address(address(3)), at(99), MINUTE), [address(3)]);
    }

    #[test]
    fn what_the_adapter_knew_before_has_no_age_and_what_is_heard_again_is_fresh() {
        let mut air = Air::default();
        let data = |heard| News {
            heard,
            rssi: Some(-60),
            manufacturer: Some([(0x0499, vec![1])].into()),
            ..News::default()
        };
        air.handle_news(address(1), data(false), at(5));
        let seen = air.seen(address(1)).unwrap();
        assert_eq!((seen.rssi, seen.manufacturer[&0x0499].at, seen.age(at(9))), (None, None, None));
        air.handle_news(address(1), data(true), at(6));
        air.handle_news(address(1), News { heard: true, ..News::default() }, at(8));
        let seen = air.seen(address(1)).unwrap();
        assert_eq!(seen.manufacturer[&0x0499].at, Some(at(6)));
        assert_eq!((seen.rssi, seen.heard_at), (Some((-60, at(8))), Some(at(8))));
    }

    #[test]
    fn services_are_not_known_any_more_when_the_connection_is_gone() {
        let mut air = Air::default();
        let up = News { connected: Some(true), resolved: Some(true), ..News::default() };
        air.handle_news(address(1), up, at(0));
        assert!(air.seen(address(1)).unwrap().resolved);
        air.handle_news(address(1), News { connected: Some(false), ..News::default() }, at(1));
        assert!(!air.seen(address(1)).unwrap().resolved);
    }

    #[test]
    fn passers_by_do_not_fill_the_memory_nor_push_out_what_is_connected() {
        let mut air = Air::default();
        air.handle_news(address(0), News { connected: Some(true), ..News::default() }, at(0));
        for n in 1..5_000 {
            air.handle_news(address(n), named("passer-by", true), at(n.into()));
        }
        assert_eq!(air.devices().count(), MOST_DEVICES);
        assert!(air.seen(address(0)).is_some() && air.seen(address(4_999)).is_some());
    }
}
