//! How a device is reached.

use std::time::Duration;

use config::{BoundedDuration, Check, CheckFault};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::address::Address;
use crate::air::Wanted;
use crate::uuid::Uuid;

/// How a device is reached: `ble: {address: "C4:7C:8D:6A:12:34"}`, or `ble: {match: {name: "Env*", service: 181A}}`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The address of the device, for one that keeps it.
    #[serde(default)]
    address: Option<Address>,
    /// What the device advertises, for one that changes its address. Exactly one device may fit.
    #[serde(default, rename = "match")]
    matching: Option<Match>,
    /// The adapter, for example hci0. Default: the first there is
    #[serde(default)]
    adapter: Option<String>,
    /// Whether the device is connected to, or only listened to.
    #[serde(default)]
    mode: Mode,
    /// Whether a bond is made with the device when there is none.
    #[serde(default)]
    bond: bool,
    /// How long an answer may take. Default: 5s
    #[serde(default)]
    timeout: Option<BoundedDuration<50, 30_000>>,
    /// How long finding the device, and then connecting to it, may take. Default: 20s
    #[serde(default)]
    connect_timeout: Option<BoundedDuration<100, 30_000>>,
    /// How old an advertisement, or a notification of what cannot be read, may be. Default: 1m
    #[serde(default)]
    max_age: Option<BoundedDuration<100, 86_400_000>>,
    /// How long a connection is kept at least when other devices wait for one. Default: 10s
    #[serde(default)]
    hold: Option<BoundedDuration<100, 3_600_000>>,
    /// How many devices the adapter connects to at the same time, 1 to 32; the least that any of its devices says
    /// counts. Default: as many as there are
    #[serde(default)]
    max_links: Option<u8>,
}

/// Whether a device is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is: its characteristics can be read and written.
    #[default]
    Connected,
    /// It is only listened to.
    Advertisement,
}

/// What a device advertises.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Its name, or how that begins when there is a `*` at the end.
    #[serde(default)]
    name: Option<String>,
    /// A service that it has: its number such as 181A, or a whole UUID.
    #[serde(default)]
    service: Option<String>,
    /// The company identifier of its manufacturer data, for example 0x0499.
    #[serde(default)]
    manufacturer: Option<u16>,
}

impl Link {
    /// The device with this address, with everything else as it is when nothing is written.
    #[must_use]
    pub fn to(address: Address) -> Self {
        Self {
            address: Some(address),
            matching: None,
            adapter: None,
            mode: Mode::Connected,
            bond: false,
            timeout: None,
            connect_timeout: None,
            max_age: None,
            hold: None,
            max_links: None,
        }
    }

    /// The same, only listened to.
    #[must_use]
    pub fn listening(mut self) -> Self {
        self.mode = Mode::Advertisement;
        self
    }

    /// The same through the adapter with this name.
    #[must_use]
    pub fn through(mut self, adapter: Option<String>) -> Self {
        self.adapter = adapter;
        self
    }

    /// The same with other times for an answer and for a connection; what is out of bounds is as if nothing were written.
    #[must_use]
    pub fn with_timeouts(mut self, timeout: Duration, connect: Duration) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.timeout = BoundedDuration::from_millis(ms(timeout)).ok();
        self.connect_timeout = BoundedDuration::from_millis(ms(connect)).ok();
        self
    }

    /// The device that is meant.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn wanted(&self) -> Result<Wanted, CheckFault> {
        match (&self.address, &self.matching) {
            (Some(address), None) => Ok(Wanted::Address(*address)),
            (None, Some(matching)) => matching.wanted(),
            (Some(_), Some(_)) => Err(CheckFault::new(
                "match",
                "`address` says already which device is meant",
                "write one of the two",
            )),
            (None, None) => Err(CheckFault::new(
                "",
                "it does not say which device is meant",
                "write address: \"C4:7C:8D:6A:12:34\" or match: {name: ..., service: ..., manufacturer: ...}; \
                 `twinspan ble scan` shows what there is",
            )),
        }
    }

    /// The adapter, where one is named.
    #[must_use]
    pub fn adapter(&self) -> Option<&str> {
        self.adapter.as_deref()
    }

    /// Whether the device is connected to.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether a bond is wanted.
    #[must_use]
    pub fn bond(&self) -> bool {
        self.bond
    }

    /// How long an answer may take, 50 ms to 30 s.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(Duration::from_secs(5), BoundedDuration::get)
    }

    /// How long finding, and then connecting, may take, 100 ms to 30 s.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout.map_or(Duration::from_secs(20), BoundedDuration::get)
    }

    /// How old an advertisement may be, 100 ms to a day.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.max_age.map_or(Duration::from_secs(60), BoundedDuration::get)
    }

    /// How long a connection is kept when others wait, 100 ms to an hour.
    #[must_use]
    pub fn hold(&self) -> Duration {
        self.hold.map_or(Duration::from_secs(10), BoundedDuration::get)
    }

    /// How many connections the adapter has, 1 to 32; none where the device does not say.
    #[must_use]
    pub fn max_links(&self) -> Option<usize> {
        self.max_links.map(usize::from)
    }
}

impl Match {
    fn wanted(&self) -> Result<Wanted, CheckFault> {
        if *self == Self::default() {
            let hint = "write one or more of name, service and manufacturer";
            return Err(CheckFault::new("match", "every device fits", hint));
        }
        if self.name.as_ref().is_some_and(|name| name.is_empty() || name == "*") {
            return Err(CheckFault::new(
                "match.name",
                "every name fits",
                "write the name, or how it begins and `*`",
            ));
        }
        let service = self.service.as_ref().map(|text| text.parse::<Uuid>());
        let service = service
            .transpose()
            .map_err(|wrong| CheckFault::new("match.service", wrong.to_string(), "write for example 181A"))?;
        Ok(Wanted::Match { name: self.name.clone(), service, manufacturer: self.manufacturer })
    }
}

impl Check for Link {
    fn check(&self) -> Result<(), CheckFault> {
        self.wanted()?;
        if self.max_links.is_some_and(|links| !(1..=32).contains(&links)) {
            let message = "an adapter has 1 to 32 connections";
            return Err(CheckFault::new("max_links", message, "many have 5 to 8; try with fewer"));
        }
        if self.adapter.as_ref().is_some_and(|name| name.is_empty() || name.contains('/')) {
            return Err(CheckFault::new("adapter", "that is no name of an adapter", "write it like hci0"));
        }
        let listens = self.mode == Mode::Advertisement;
        for (field, is_written) in
            [("bond", self.bond), ("hold", self.hold.is_some()), ("max_links", self.max_links.is_some())]
        {
            if listens && is_written {
                let message = "a device that is only listened to is never connected to";
                return Err(CheckFault::new(field, message, "take it out, or write `mode: connected`"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use config::{NoSecrets, Source, load};

    fn said(body: &str) -> String {
        let point = "{type: int, ble: {link: rssi}}";
        let text =
            format!("gateway: {{node: n}}\ndevices: {{d: {{ble: {body}, properties: {{p: {point}}}}}}}\n");
        match load(&[Source::new("t.yaml", &text)], &[crate::protocol()], &NoSecrets) {
            Ok(_) => String::new(),
            Err(faults) => {
                let hint = |fault: &config::Fault| fault.hint.clone().unwrap_or_default();
                faults.faults.iter().map(|fault| format!("{fault} {}", hint(fault))).collect()
            }
        }
    }

    #[test]
    fn devices_are_meant_by_address_or_by_what_they_advertise() {
        assert_eq!(said("{address: C4:7C:8D:6A:12:34, mode: advertisement, max_age: 90s}"), "");
        assert_eq!(
            said("{match: {name: Env*, service: 181A, manufacturer: 0x0499}, adapter: hci1, bond: true}"),
            ""
        );
        assert_eq!(said("{match: {service: 1809}, hold: 5s, max_links: 1}"), "");
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_mend() {
        for (body, part) in [
            ("{}", "address"),
            ("{match: {}}", "every device fits"),
            ("{match: {name: \"*\"}}", "every name fits"),
            ("{match: {service: x}}", "UUID"),
            ("{address: C4:7C, match: {name: x}}", "C4:7C:8D:6A:12:34"),
            ("{address: C4:7C:8D:6A:12:34, match: {name: x}}", "already"),
            ("{address: C4:7C:8D:6A:12:34, max_links: 0}", "1 to 32"),
            ("{address: C4:7C:8D:6A:12:34, adapter: /org/bluez}", "hci0"),
            ("{address: C4:7C:8D:6A:12:34, mode: advertisement, bond: true}", "never connected"),
        ] {
            assert!(said(body).contains(part), "{body}: {}", said(body));
        }
    }
}
