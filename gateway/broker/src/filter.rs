//! Which subscriptions stay within the devices of a mapper.

use std::collections::BTreeSet;

use mapper_contract::Topic;
use twin_core::DeviceId;

/// Whether everything that a filter can match concerns these devices, or which devices there are.
pub(crate) fn is_within(filter: &str, devices: &BTreeSet<DeviceId>) -> bool {
    let filter = match filter.strip_prefix("$share/") {
        Some(shared) => shared.split_once('/').map_or("", |(_, filter)| filter),
        None => filter,
    };
    let levels: Vec<&str> = filter.split('/').collect();
    match levels.as_slice() {
        ["$hw", "events", "node", ..] => true,
        // In the older form without a namespace nothing may be left open: it could match another device in the newer form.
        ["$hw", "events", "device", ..] if !levels.iter().any(|level| matches!(*level, "+" | "#")) => {
            filter.parse::<Topic>().is_ok_and(|topic| topic.device().is_some_and(|id| devices.contains(id)))
        }
        ["$hw", "events", "device", namespace, name, _, ..] => {
            DeviceId::new(namespace, name).is_ok_and(|id| devices.contains(&id))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_could_match_another_device_is_not_within() {
        let devices: BTreeSet<DeviceId> = ["oven", "hall/fan"].map(|name| name.parse().unwrap()).into();
        for filter in [
            "$hw/events/device/default/oven/twin/update/delta",
            "$hw/events/device/oven/twin/update/delta",
            "$hw/events/device/hall/fan/#",
            "$hw/events/device/hall/fan/twin/+/result",
            "$hw/events/node/edge-1/membership/updated",
            "$hw/events/node/+/#",
            "$share/two/$hw/events/device/hall/fan/#",
        ] {
            assert!(is_within(filter, &devices), "{filter}");
        }
        for filter in [
            "",
            "#",
            "$hw/#",
            "$hw/events/#",
            "$hw/events/+/hall/fan/#",
            "$hw/events/device/#",
            "$hw/events/device/+/fan/twin/update",
            "$hw/events/device/hall/+/twin/update",
            "$hw/events/device/hall/#",
            "$hw/events/device/hall/pump/#",
            "$hw/events/device/oven/#",
            "$hw/events/device/oven/twin/#",
            "$hw/events/device/oven/twin/+/delta",
            "$share/two/$hw/#",
            "$share/two",
            "plant/#",
        ] {
            assert!(!is_within(filter, &devices), "{filter}");
        }
    }
}
