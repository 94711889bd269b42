//! What real devices offer, as zigbee-herdsman-converters 25.120 defines it: everything is taken, with the right meaning, both ways.
//!
//! The corpus holds as few of its 4,130 definitions as show every form of a feature; `tests/peers/exposes.cjs` makes it, and with `all`
//! a file with all of them for `TWINSPAN_EXPOSES`.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value as Json;
use twin_core::Value;
use zigbee::zigbee2mqtt::{Feature, features};

/// Every leaf with a property, by its name with what it lies in; read in another way than the driver does.
fn leaves(exposes: &Json, inside: &str, found: &mut BTreeMap<String, Json>) {
    for item in exposes.as_array().unwrap() {
        let own = item["property"].as_str().filter(|name| !name.is_empty());
        match (item["type"].as_str().unwrap(), own) {
            ("composite", Some(name)) => leaves(&item["features"], &format!("{inside}{name}."), found),
            (_, _) if item["features"].is_array() => leaves(&item["features"], inside, found),
            (_, Some(name)) => {
                found.insert(format!("{inside}{name}"), item.clone());
            }
            (_, None) => {}
        }
    }
}

/// Every value that the definition names goes in and comes out as it was.
fn check(feature: &Feature, item: &Json) -> Result<(), String> {
    let mut examples: Vec<(Json, Option<Value>)> = Vec::new();
    match item["type"].as_str().unwrap() {
        "binary" => {
            examples.push((item["value_on"].clone(), Some(Value::Bool(true))));
            examples.push((item["value_off"].clone(), Some(Value::Bool(false))));
        }
        "numeric" => {
            let named = ["value_min", "value_max"].iter().filter_map(|key| item.get(*key).cloned());
            examples.extend(named.chain([Json::from(12.5)]).map(|number| (number, None)));
        }
        "enum" => {
            examples.extend(item["values"].as_array().unwrap().iter().map(|value| (value.clone(), None)));
        }
        "text" => examples.push((Json::from("some text"), None)),
        _ => examples.push((serde_json::json!({"any": [1, 2]}), None)),
    }
    for (json, expected) in examples {
        let value = feature.decode(&json).map_err(|fault| format!("{json}: {fault}"))?;
        if expected.as_ref().is_some_and(|expected| *expected != value) {
            return Err(format!("{json} is {value}"));
        }
        if feature.is_writable() {
            let back = feature.encode(&value).map_err(|fault| format!("{value}: {fault}"))?;
            if back != json && back.as_f64() != json.as_f64() {
                return Err(format!("{json} comes back as {back}"));
            }
        }
    }
    Ok(())
}

#[test]
fn every_form_of_a_feature_of_real_devices_is_taken_both_ways() {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/exposes.json");
    let path = std::env::var_os("TWINSPAN_EXPOSES").map_or(own, PathBuf::from);
    let definitions: Vec<Json> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut faults, mut count) = (Vec::new(), 0);
    for definition in &definitions {
        let found = features(&definition["exposes"]);
        let mut wanted = BTreeMap::new();
        leaves(&definition["exposes"], "", &mut wanted);
        for (name, item) in &wanted {
            count += 1;
            let what = || format!("{} {} {name}", definition["vendor"], definition["model"]);
            match found.get(name) {
                None => faults.push(format!("{} is not taken", what())),
                Some(feature) => {
                    if let Err(fault) = check(feature, item) {
                        faults.push(format!("{}: {fault}", what()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults[..faults.len().min(40)].join("\n"));
    assert!(definitions.len() >= 100 && count > 1_000, "{} definitions, {count} features", definitions.len());
}
