//! Names that are allowed here, and no two alike.

use std::collections::HashSet;

use twin_core::{DeviceId, PropertyName};

/// Names that are taken.
#[derive(Debug, Default)]
pub(crate) struct Names(HashSet<String>);

impl Names {
    /// The name, or the name with a number behind it where it is taken.
    pub(crate) fn take(&mut self, name: &str, separator: char, longest: usize) -> String {
        let mut free = name.to_owned();
        let mut number = 2;
        while self.0.contains(&free) {
            let tail = format!("{separator}{number}");
            let stem: String = name.chars().take(longest.saturating_sub(tail.len())).collect();
            free = format!("{stem}{tail}");
            number += 1;
        }
        self.0.insert(free.clone());
        free
    }
}

/// A device name as near to `text` as there is: a DNS label.
pub(crate) fn device_name(text: &str, names: &mut Names) -> String {
    let mut name = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
    }
    let cut: String = name.chars().take(63).collect();
    let name = cut.trim_matches('-');
    let name = if name.parse::<DeviceId>().is_ok() { name } else { "device" };
    names.take(name, '-', 63)
}

/// A property name as near to `text` as there is.
pub(crate) fn property_name(text: &str, names: &mut Names) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.,:/@#".contains(c);
    let clean: String = text.trim().chars().map(|c| if allowed(c) { c } else { '_' }).take(128).collect();
    let name = if clean.parse::<PropertyName>().is_ok() { &clean } else { "property" };
    names.take(name, '_', 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_is_allowed_and_stay_apart() {
        let mut names = Names::default();
        assert_eq!(device_name("Demo Device", &mut names), "demo-device");
        assert_eq!(device_name("demo_device", &mut names), "demo-device-2");
        assert_eq!(device_name("温度", &mut names), "device");
        assert_eq!(device_name(&"x".repeat(70), &mut names).len(), 63);
        assert_eq!(device_name(&"x".repeat(70), &mut names).len(), 63);
        let mut names = Names::default();
        assert_eq!(property_name("Room temp (°C)", &mut names), "Room_temp___C_");
        assert_eq!(property_name("", &mut names), "property");
        assert_eq!(property_name("a.b", &mut names), "a.b");
        assert_eq!(property_name("a.b", &mut names), "a.b_2");
    }
}
