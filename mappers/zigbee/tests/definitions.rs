//! The tables of clusters beside those of zigbee-herdsman: the same numbers and types, and what is written can be.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value as Json;
use zigbee::zcl::clusters::{self, Writing};

/// What zigbee-herdsman knows; none when the test is to be skipped.
fn definitions() -> Option<Json> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.node");
    let prefix = std::env::var_os("TWINSPAN_NODE").map_or_else(own, PathBuf::from);
    let modules = prefix.join("node_modules");
    if !modules.join("zigbee-herdsman").exists() {
        let may = std::env::var_os("TWINSPAN_SKIP_PEERS").is_some_and(|v| v == "1");
        let prefix = prefix.display();
        assert!(may, "this test needs zigbee-herdsman: npm install --prefix {prefix} zigbee-herdsman@10.9.5");
        println!("skipped: there is no zigbee-herdsman");
        return None;
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peers/definitions.cjs");
    let run = Command::new("node").arg(script).env("NODE_PATH", modules).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    Some(serde_json::from_slice(&run.stdout).unwrap())
}

/// Names that are shortened there.
const SHORTENED: [&str; 6] = [
    "appVersion",
    "globalSceneCtrl",
    "pirOToUDelay",
    "currentSummDelivered",
    "currentSummReceived",
    "ctrlSeqeOfOper",
];

#[test]
fn every_attribute_has_the_number_and_the_type_that_zigbee_herdsman_gives_it() {
    let Some(known) = definitions() else { return };
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for cluster in clusters::all().into_iter().flatten() {
        for attribute in cluster.attributes {
            let what =
                format!("{} ({:#06x}) {} ({:#06x})", cluster.name, cluster.id, attribute.name, attribute.id);
            let Some(theirs) = known[cluster.id.to_string()].get(attribute.id.to_string()) else {
                wrong.push(format!("{what} is not known there"));
                continue;
            };
            seen += 1;
            if theirs["type"] != attribute.kind.0 {
                wrong.push(format!("{what} is of type {} there", theirs));
            }
            // The name there is the same in camel case; bits of an attribute have names of their own.
            let plain = |name: &str| name.replace('_', "").to_lowercase();
            let name = theirs["name"].as_str().unwrap();
            let same =
                plain(name).contains(&plain(attribute.name)) || plain(attribute.name).contains(&plain(name));
            if attribute.bit.is_none() && !same && !SHORTENED.contains(&name) {
                wrong.push(format!("{what} is called {name} there"));
            }
            if attribute.writing == Writing::Attribute && theirs["writable"] == false {
                wrong.push(format!("{what} is not written there"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 50, "only {seen} attributes");
}
