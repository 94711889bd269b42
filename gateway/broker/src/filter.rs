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

    /// MQTT 5, 4.7: whether a topic matches a filter.
    fn matches(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], _) => true,
            (["+", filter @ ..], [_, topic @ ..]) => matches(filter, topic),
            ([level, filter @ ..], [other, topic @ ..]) => level == other && matches(filter, topic),
            ([], []) => true,
            (_, _) => false,
        }
    }

    #[test]
    fn no_filter_that_is_within_matches_a_topic_of_another_device() {
        let devices: BTreeSet<DeviceId> = ["oven", "hall/fan"].map(|name| name.parse().unwrap()).into();
        let words = ["default", "hall", "oven", "fan", "twin", "state", "update", "delta", "get", "+", "#"];
        let ends = [
            &["twin", "update"][..],
            &["twin", "update", "delta"],
            &["state", "update"],
            &["twin", "get", "result"],
        ];
        let names = ["default", "hall", "oven", "fan", "twin", "state", "update"];
        let mut topics = Vec::new();
        for end in ends {
            for name in names {
                topics.push([&["$hw", "events", "device", name][..], end].concat());
                for namespace in names {
                    topics.push([&["$hw", "events", "device", namespace, name][..], end].concat());
                }
            }
        }
        let mut random = fastrand::Rng::with_seed(7);
        let (mut within, mut matched) = (0, 0);
        for _ in 0..200_000 {
            let mut filter = vec!["$hw", "events", "device"];
            filter.extend((0..random.usize(0..=6)).map(|_| words[random.usize(0..words.len())]));
            if !is_within(&filter.join("/"), &devices) {
                continue;
            }
            within += 1;
            for topic in topics.iter().filter(|topic| matches(&filter, topic)) {
                let parsed: Topic = topic.join("/").parse().unwrap();
                assert!(devices.contains(parsed.device().unwrap()), "{filter:?} matches {topic:?}");
                matched += 1;
            }
        }
        assert!(within > 500 && matched > 100, "{within} filters, {matched} topics");
    }
}
