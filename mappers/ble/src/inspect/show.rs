//! For people to read.

use std::fmt::Write as _;

use crate::inspect::{Characteristic, Found, Inspected};
use crate::radio::Flags;

impl Found {
    /// The device in one line: address, strength, name, services and data.
    #[must_use]
    pub fn line(&self) -> String {
        let seen = &self.seen;
        let rssi = seen.rssi.map_or_else(|| "-".to_owned(), |(rssi, _)| rssi.to_string());
        let name = printable(seen.name.as_deref().unwrap_or("-"));
        let mut line = format!("{}  {rssi:>4} dBm  {name:<24}", self.address);
        if !seen.services.is_empty() {
            let services: Vec<String> = seen.services.iter().map(ToString::to_string).collect();
            let _ = write!(line, "  services {}", services.join(" "));
        }
        for (company, heard) in &seen.manufacturer {
            let _ = write!(line, "  manufacturer {company:#06x}: {}", hex(&heard.bytes));
        }
        for (service, heard) in &seen.service_data {
            let _ = write!(line, "  service data {service}: {}", hex(&heard.bytes));
        }
        line.trim_end().to_owned()
    }
}

impl Inspected {
    /// The device and its characteristics, by service.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.found.line());
        let characteristics = match &self.characteristics {
            Ok(characteristics) => characteristics,
            Err(fault) => {
                let _ = writeln!(text, "it cannot be connected to: {fault}");
                return text;
            }
        };
        let mut service = None;
        for characteristic in characteristics {
            let attribute = &characteristic.attribute;
            if service != Some(attribute.service) {
                service = Some(attribute.service);
                let _ = writeln!(text, "service {}", attribute.service);
            }
            let name = characteristic.assigned.map_or("", |assigned| assigned.name);
            let flags = flags(attribute.flags);
            let _ =
                writeln!(text, "  {} {name:<24} {flags:<24} {}", attribute.uuid, characteristic.content());
        }
        text
    }
}

impl Characteristic {
    fn content(&self) -> String {
        match &self.bytes {
            None => String::new(),
            Some(Err(fault)) => format!("({fault})"),
            Some(Ok(bytes)) => {
                let raw = hex(bytes);
                let known = self.assigned.and_then(|assigned| {
                    let field = &assigned.fields[0];
                    let value = field.codec().decode(bytes).ok()?;
                    Some(format!("{} {}", printable(&value.to_string()), field.unit))
                });
                known.map_or(raw.clone(), |known| format!("{} ({raw})", known.trim_end()))
            }
        }
    }
}

fn flags(flags: Flags) -> String {
    let words = [
        (flags.read, "read"),
        (flags.write, "write"),
        (flags.command, "write_without_response"),
        (flags.tells, "notify"),
    ];
    let words: Vec<&str> = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    words.join(" ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a device says of itself, without what would move the cursor of a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).take(80).collect()
}
