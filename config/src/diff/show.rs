//! A difference as people read it: `+` what comes, `-` what goes, `~` what changes.

use std::fmt::{Display, Formatter, Result};

use super::{DeviceDiff, Diff, FieldDiff, PropertyDiff, Values};
use crate::scalar::cut;

impl Display for Diff {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if !self.gateway.is_empty() {
            writeln!(f, "~ gateway")?;
            fields(&self.gateway, "    ", f)?;
        }
        let (mut added, mut removed, mut changed) = (0, 0, 0);
        for (id, device) in &self.devices {
            match device {
                DeviceDiff::Added { protocol, properties } => {
                    added += 1;
                    let protocol = protocol.as_deref().unwrap_or("over MQTT");
                    let many = if *properties == 1 { "property" } else { "properties" };
                    writeln!(f, "+ {id} ({protocol}, {properties} {many})")?;
                }
                DeviceDiff::Removed => {
                    removed += 1;
                    writeln!(f, "- {id}")?;
                }
                DeviceDiff::Changed { fields: own, properties } => {
                    changed += 1;
                    writeln!(f, "~ {id}")?;
                    fields(own, "    ", f)?;
                    for (name, property) in properties {
                        match property {
                            PropertyDiff::Added => writeln!(f, "    + {name}")?,
                            PropertyDiff::Removed => writeln!(f, "    - {name}")?,
                            PropertyDiff::Changed(own) => {
                                writeln!(f, "    ~ {name}")?;
                                fields(own, "        ", f)?;
                            }
                        }
                    }
                }
            }
        }
        let same = self.same_devices;
        write!(f, "devices: {added} added, {removed} removed, {changed} changed, {same} as before")
    }
}

fn fields(all: &[FieldDiff], indent: &str, f: &mut Formatter<'_>) -> Result {
    for FieldDiff { field, values } in all {
        match values {
            None => writeln!(f, "{indent}{field}: changed")?,
            Some(Values { old, new }) => {
                let word =
                    |value: &Option<String>| value.as_deref().map_or_else(|| "not set".to_owned(), cut);
                writeln!(f, "{indent}{field}: {} -> {}", word(old), word(new))?;
            }
        }
    }
    Ok(())
}
