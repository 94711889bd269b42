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
