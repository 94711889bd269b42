//! What differs between two configurations.

mod common;

use common::read;
use config::{Config, Diff};
use proptest::prelude::*;

const EXAMPLE: &str = include_str!("common/plant.yaml");

fn config(text: &str) -> Config {
    read(&[("plant.yaml", text)]).unwrap_or_else(|faults| panic!("{faults}")).config
}

fn shown(old: &str, new: &str) -> String {
    Diff::between(&config(old), &config(new)).to_string()
}

#[test]
fn two_ways_to_write_the_same_do_not_differ() {
    let other = EXAMPLE.replace("every: 1s", "every: 1000ms").replace("coil: 0", "coil: 0x0");
    let diff = Diff::between(&config(EXAMPLE), &config(&other));
    assert!(diff.is_empty() && diff.same_devices == 3, "{diff}");
    assert_eq!(diff.to_string(), "devices: 0 added, 0 removed, 0 changed, 3 as before");
}

#[test]
fn a_change_is_named_by_device_property_and_field() {
    let new = EXAMPLE
        .replace("level: info", "level: debug")
        .replace("labels: { line: a }", "labels: { hall: x }")
        .replace("tcp: \"127.0.0.1:502\", unit: 2", "tcp: \"127.0.0.1:502\", unit: 3")
        .replace("mode:", "kind:")
        .replace("  weather:", "  rain:")
        .replace("range: [0, 16]", "range: [0, 10]")
        .replace("report: { deadband: 0.05, max_silence: 60s }", "description: of water")
        .replace("{ coil: 0 }", "{ coil: 1 }");
    let pressure = "    ~ pressure\n        description: not set -> of water\n        range: [0, 16] -> [0, 10]\n        \
                    report.deadband: 0.05 -> 0\n    ~ running\n        modbus: changed\n";
    assert_eq!(
        shown(EXAMPLE, &new),
        format!(
            "~ gateway\n    log.level: info -> debug\n\
             ~ default/pump-1\n    labels.hall: not set -> x\n    labels.line: a -> not set\n    + kind\n    - mode\n{pressure}\
             + default/rain (over MQTT, 1 property)\n- default/weather\n\
             ~ line-b/pump-1\n    modbus: changed\n{pressure}\
             devices: 1 added, 1 removed, 2 changed, 0 as before"
        )
    );
}

#[test]
fn secrets_that_differ_are_never_shown() {
    let with = |key: &str| {
        format!(
            "gateway: {{node: a, cloud: {{url: 'wss://c', token: {key}}}}}\n\
             devices: {{d: {{modbus: {{tcp: h, key: {key}}}, properties: {{x: {{type: int, modbus: {{input: 1}}}}}}}}}}\n"
        )
    };
    assert_eq!(
        shown(&with("hush"), &with("quiet")),
        "~ gateway\n    cloud.token: changed\n~ default/d\n    modbus: changed\ndevices: 0 added, 0 removed, 1 changed, 0 as before"
    );
}

/// Changes of the example that each make it another configuration.
const CHANGES: [(&str, &str); 27] = [
    ("deadband: 0.05", "deadband_percent: 5"),
    ("node: plant-7", "node: plant-8"),
    ("data_dir: ./data", "data_dir: ./other"),
    ("embedded: { listen: 127.0.0.1:1883 }", "embedded: { listen: 127.0.0.1:1884 }"),
    ("embedded: { listen: 127.0.0.1:1883 }", "external: { url: 'mqtts://h', username: u, ca_file: f }"),
    ("api: { listen: 127.0.0.1:7480 }", "api: { listen: 127.0.0.1:7481 }"),
    ("format: auto", "format: json"),
    ("shutdown_grace: 10s", "shutdown_grace: 11s"),
    ("shutdown_grace: 10s", "reload_on_change: true"),
    ("shutdown_grace: 10s", "history: { max_bytes: 64MiB, max_age: 90d }"),
    ("stale_after: 10s", "history: 30d"),
    ("stale_after: 10s", "history: { rows: 100 }"),
    ("shutdown_grace: 10s", "cloud: { url: 'wss://c' }"),
    ("type: float\n        unit: bar", "type: int\n        unit: bar"),
    ("unit: bar", "unit: Pa"),
    ("[0, 16]", "[1, 16]"),
    ("every: 1s", "every: 2s"),
    ("stale_after: 10s", "stale_after: 20s"),
    ("deadband: 0.05", "deadband: 0.06"),
    ("max_silence: 60s", "max_silence: 2s"),
    ("max_silence: 60s", "min_interval: 1s"),
    ("access: read_write\n        range", "access: read\n        range"),
    ("tolerance: 0.5", "tolerance: 0.6"),
    ("one_of: [0, 1, 2]", "one_of: [0, 1]"),
    ("model: pump\n    labels: { line: b }", "model: pump\n    description: d"),
    ("order: cdab", "order: abcd"),
    ("  weather:", "  rain:"),
];

proptest! {
    #[test]
    fn a_diff_is_empty_exactly_where_the_two_are_equal(
        one in prop::sample::subsequence(CHANGES.to_vec(), 0..4),
        two in prop::sample::subsequence(CHANGES.to_vec(), 0..4),
    ) {
        let change = |changes: Vec<(&str, &str)>| {
            config(&changes.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| text.replacen(from, to, 1)))
        };
        let (one, two) = (change(one), change(two));
        let diff = Diff::between(&one, &two);
        prop_assert_eq!(diff.is_empty(), one == two, "{}", diff);
        // Every device and property that is said to differ says in what.
        let shown = diff.to_string();
        for (line, next) in shown.lines().zip(shown.lines().skip(1)) {
            let indent = |line: &str| line.len() - line.trim_start().len();
            prop_assert!(!line.trim_start().starts_with('~') || indent(next) > indent(line), "{}", shown);
        }
    }
}

#[test]
fn every_one_of_the_changes_is_seen() {
    for (from, to) in CHANGES {
        let changed = EXAMPLE.replacen(from, to, 1);
        assert_ne!(changed, EXAMPLE, "{from}");
        let diff = Diff::between(&config(EXAMPLE), &config(&changed));
        assert!(!diff.is_empty(), "{from} -> {to}");
    }
}
