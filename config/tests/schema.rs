//! The JSON Schema takes what the reader takes.

mod common;

use common::{protocols, read};
use config::json_schema;
use serde_json::{Value, json};

fn validator() -> jsonschema::Validator {
    let schema = json_schema(&protocols());
    jsonschema::meta::validate(&schema).expect("a schema");
    jsonschema::validator_for(&schema).expect("a schema")
}

#[test]
fn the_example_fits_the_schema() {
    // The text is YAML; this is the same as JSON.
    let example = json!({
        "gateway": { "node": "plant-7", "mqtt": { "external": { "url": "mqtts://broker", "password": "${env:P}" } },
            "cloud": { "url": "wss://cloud.example:7443" }, "log": { "level": "debug" }, "shutdown_grace": "5s" },
        "models": { "pump": { "properties": { "pressure": {
            "type": "float", "unit": "bar", "range": [0, 16], "one_of": [1, 2], "modbus": { "input": 0 },
            "every": "1s", "report": { "deadband": 0.05, "max_silence": "60s" } } } } },
        "devices": { "pump-1": { "model": "pump", "labels": { "line": "a" }, "modbus": { "tcp": "h", "unit": 1 },
            "properties": { "mode": { "type": "int", "modbus": { "holding": { "at": 1, "order": "cdab" } } } } } },
    });
    let validator = validator();
    let errors = validator.iter_errors(&example).map(|error| error.to_string()).collect::<Vec<_>>();
    assert_eq!(errors, Vec::<String>::new());
    // JSON is YAML, so the reader takes the very same text, but for the secret.
    let text = example.to_string().replace("${env:P}", "p").replace("\"password\":\"p\",", "");
    if let Err(faults) = read(&[("example.yaml", &text.replace(",\"password\":\"p\"", ""))]) {
        panic!("{faults}");
    }
}

#[test]
fn slips_do_not_fit_the_schema() {
    let validator = validator();
    let fits = |value: Value| validator.is_valid(&value);
    assert!(fits(json!({ "gateway": { "node": "a" } })));
    assert!(!fits(json!({ "gatewy": { "node": "a" } })));
    assert!(!fits(json!({ "gateway": { "nod": "a" } })));
    assert!(!fits(
        json!({ "gateway": { "node": "a", "mqtt": { "embedded": {}, "external": { "url": "mqtt://h" } } } })
    ));
    assert!(!fits(json!({ "devices": { "Pump": {} } })));
    assert!(!fits(json!({ "devices": { "p": { "zigbee": {} } } })));
    assert!(!fits(json!({ "devices": { "p": { "modbus": { "unit": "x" } } } })));
    assert!(!fits(json!({ "devices": { "p": { "properties": { "x": { "type": "flot" } } } } })));
    assert!(!fits(json!({ "devices": { "p": { "properties": { "x": { "unit": "bar" } } } } })));
    assert!(!fits(
        json!({ "devices": { "p": { "properties": { "x": { "type": "int", "modbus": { "holdin": 1 } } } } } })
    ));
}

#[test]
fn a_reference_fits_wherever_the_reader_takes_it_and_nowhere_else() {
    let fits = |value: &Value| validator().is_valid(value);
    for gateway in [
        json!({ "node": "${env:NODE}" }),
        json!({ "node": "a", "log": { "level": "${env:LEVEL}" } }),
        json!({ "node": "a", "shutdown_grace": "${env:GRACE}" }),
        json!({ "node": "a", "mqtt": { "external": { "url": "${env:URL}" } } }),
    ] {
        let whole = json!({ "gateway": gateway, "devices": { "d": {} } });
        assert!(fits(&whole), "{whole}");
        let checked =
            config::Loader::new(&protocols()).check(&[config::Source::new("a.yaml", whole.to_string())]);
        assert_eq!(
            checked.map(|checked| checked.unread).map_err(|faults| faults.to_string()),
            Ok(1),
            "{whole}"
        );
    }
    assert!(fits(
        &json!({ "devices": { "d": { "modbus": { "tcp": "h", "unit": "${file:/unit}", "keep_open": "${env:K}" } } } })
    ));
    assert!(!fits(&json!({ "gateway": { "node": "${vault:x}" } })));
    assert!(!fits(&json!({ "devices": { "d": { "properties": { "x": { "type": "${env:TYPE}" } } } } })));
}

#[test]
fn the_word_alone_fits_where_the_rest_has_defaults() {
    for (mqtt, right) in [("embedded", true), ("external", false), ("extern", false)] {
        let whole = json!({ "gateway": { "node": "a", "mqtt": mqtt }, "devices": { "d": {} } });
        assert_eq!(validator().is_valid(&whole), right, "{whole}");
        assert_eq!(read(&[("a.yaml", &whole.to_string())]).is_ok(), right, "{whole}");
    }
}

#[test]
fn placeholders_fit_in_models_and_nowhere_else() {
    let validator = validator();
    let fits = |value: Value| validator.is_valid(&value);
    let properties = json!({ "x": { "type": "$(type)", "every": "$(every)", "range": ["$(low)", 1],
        "modbus": { "holding": { "at": "$( base + 1 )", "order": "$(order)" } } } });
    let parameters = json!({ "base": { "type": "int", "default": 1, "range": [0, 9], "description": "d" } });
    let model = json!({ "parameters": parameters, "modbus": { "tcp": "$(h)", "unit": "$(u)", "keep_open": "${env:K}" }, "properties": properties });
    assert!(fits(json!({ "models": { "m": model } })));
    assert!(!fits(json!({ "devices": { "d": { "properties": properties } } })));
    assert!(!fits(json!({ "models": { "m": { "parameters": { "Base": { "type": "int" } } } } })));
    assert!(!fits(json!({ "models": { "m": { "parameters": { "base": { "typ": "int" } } } } })));
    assert!(fits(json!({ "devices": { "d": { "model": "m", "with": { "base": 1 } } } })));
    let table = json!({ "file": "m.csv", "model": "m", "name": "m-$(id)", "labels": { "a": "b" }, "with": { "h": "h" } });
    assert!(fits(json!({ "devices_from": table })));
    assert!(fits(json!({ "devices_from": [table, table] })));
    assert!(!fits(json!({ "devices_from": { "file": "m.csv" } })));
}
