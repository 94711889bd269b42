//! The JSON Schema of the file, for editors: made of the same types that read it.

mod in_models;
mod references;
mod words;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::protocol::{BodyType, Protocol};
use crate::written::device::{DeviceWritten, ModelWritten, TableWritten};
use crate::written::gateway::GatewayWritten;
use crate::written::guard::AlarmWritten;
use crate::written::history::{HistoryAge, HistoryWritten};
use crate::written::parameter::ParameterWritten;
use crate::written::property::PropertyWritten;
use references::{Instead, admit};

/// The JSON Schema (draft 2020-12) of a configuration file, with the bodies of `protocols`.
#[must_use]
pub fn json_schema(protocols: &[Protocol]) -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut gateway = generator.subschema_for::<GatewayWritten>().to_value();
    for schema in [
        generator.subschema_for::<PropertyWritten>(),
        generator.subschema_for::<ModelWritten>(),
        generator.subschema_for::<DeviceWritten>(),
        generator.subschema_for::<ParameterWritten>(),
        generator.subschema_for::<TableWritten>(),
        generator.subschema_for::<AlarmWritten>(),
        generator.subschema_for::<HistoryWritten>(),
    ] {
        // They are definitions now; the references to them are written below.
        drop(schema);
    }
    let history_age = generator.subschema_for::<HistoryAge>().to_value();
    let mut bodies = |body: fn(&Protocol) -> BodyType| -> Vec<(String, Value)> {
        protocols
            .iter()
            .map(|protocol| (protocol.name().to_owned(), (body(protocol).schema)(&mut generator).to_value()))
            .collect()
    };
    let (mut links, points) = (bodies(|protocol| protocol.link), bodies(|protocol| protocol.point));
    let mut definitions = generator.take_definitions(true);
    words::admit(&mut definitions);
    for (_, link) in &mut links {
        admit(Instead::Reference, link, &mut definitions);
    }
    admit(Instead::Reference, &mut gateway, &mut definitions);

    let properties = json!({
        "type": "object",
        "description": "The properties by name: 1 to 128 of A-Z, a-z, 0-9 and - _ . , : / @ #",
        "propertyNames": { "pattern": "^[-A-Za-z0-9_.,:/@#]{1,128}$" },
        "additionalProperties": { "$ref": "#/$defs/PropertyWritten" },
    });
    let one_of = json!({ "type": "array", "description": "The values allowed, when they can be counted." });
    let alarms = json!({
        "type": ["object", "null"],
        "description": "Its alarms by name: 1 to 63 of a-z, A-Z, 0-9, _ and -",
        "propertyNames": { "pattern": "^[A-Za-z0-9_-]{1,63}$" },
        "additionalProperties": { "$ref": "#/$defs/AlarmWritten" },
    });
    let equals = json!({ "description": "Raised when the value is this one." });
    extend(&mut definitions, "AlarmWritten", [("equals".into(), equals)]);
    let history = json!({
        "description": "Keep a history: for how long, such as 30d, or `for` and the most `rows`. Default: none",
        "anyOf": [history_age, { "$ref": "#/$defs/HistoryWritten" }],
    });
    let special = [("one_of".into(), one_of), ("alarms".into(), alarms), ("history".into(), history)];
    extend(&mut definitions, "PropertyWritten", special.into_iter().chain(points));
    let in_model = [("properties".into(), properties.clone())].into_iter().chain(links.clone());
    extend(&mut definitions, "ModelWritten", in_model);
    extend(&mut definitions, "DeviceWritten", [("properties".into(), properties)].into_iter().chain(links));
    let mut model = json!({ "$ref": "#/$defs/ModelWritten" });
    in_models::copy(&mut definitions);
    admit(Instead::Placeholder, &mut model, &mut definitions);
    let given = json!({ "type": ["object", "null"], "description": "The values of the model's parameters, by name." });
    let parameters = json!({
        "type": ["object", "null"],
        "description": "What each device of the model may say by itself, by name: 1 to 63 of a-z, 0-9 and _",
        "propertyNames": { "pattern": "^[a-z][a-z0-9_]{0,62}$" },
        "additionalProperties": { "$ref": "#/$defs/ParameterWritten" },
    });
    let default = json!({ "type": ["string", "number", "boolean"], "description": "The value where a device gives none." });
    extend(&mut definitions, "ModelWritten", [("parameters".into(), parameters)]);
    extend(&mut definitions, "ParameterWritten", [("default".into(), default)]);
    extend(&mut definitions, "DeviceWritten", [("with".into(), given.clone())]);
    extend(&mut definitions, "TableWritten", [("with".into(), given)]);
    references::define(&mut definitions);
    for definition in definitions.values_mut() {
        close(definition);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Twinspan configuration",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "gateway": gateway,
            "models": {
                "type": ["object", "null"],
                "description": "What several devices have in common, by name.",
                "additionalProperties": model,
            },
            "devices": {
                "type": ["object", "null"],
                "description": "The devices by name, or by namespace/name.",
                "propertyNames": { "pattern": "^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" },
                "additionalProperties": { "$ref": "#/$defs/DeviceWritten" },
            },
            "devices_from": {
                "description": "Devices from tables.",
                "anyOf": [
                    { "$ref": "#/$defs/TableWritten" },
                    { "type": "array", "items": { "$ref": "#/$defs/TableWritten" } },
                    { "type": "null" },
                ],
            },
        },
        "$defs": definitions,
    })
}

/// Adds keys to a definition.
fn extend(definitions: &mut Map<String, Value>, name: &str, keys: impl IntoIterator<Item = (String, Value)>) {
    let Some(definition) = definitions.get_mut(name).and_then(Value::as_object_mut) else { return };
    let known = definition.entry("properties").or_insert_with(|| json!({}));
    if let Some(known) = known.as_object_mut() {
        known.extend(keys);
    }
}

/// Refuses other keys than those of the types, as the decoder does.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".into(), false.into());
            }
            for (key, below) in object.iter_mut() {
                match below {
                    // What lies under these are names, not words of the schema.
                    Value::Object(named) if key == "properties" => named.values_mut().for_each(close),
                    Value::Object(_)
                    | Value::Array(_)
                    | Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_) => close(below),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::json_schema;
    use crate::decode::{Sink, Spot, decode};
    use crate::path::Path;
    use crate::{Check, Protocol, Source};

    #[derive(PartialEq, Deserialize, JsonSchema)]
    struct Anything(serde_json::Value);
    impl Check for Anything {}

    #[test]
    fn the_example_files_fit_the_schema() {
        let schema = json_schema(&[Protocol::of::<Anything, Anything>("modbus")]);
        let validator = jsonschema::validator_for(&schema).unwrap();
        for (text, device) in [
            (include_str!("../../examples/plant.yaml"), "/devices/pump-1/modbus/tcp"),
            (include_str!("../../examples/meters.yaml"), "/models/meter/modbus/tcp"),
        ] {
            let mut sink = Sink::default();
            let node = crate::parse::parse(0, &Source::new("example.yaml", text), &mut sink).unwrap();
            let spot = Spot { node: &node, head: node.at, path: Path::root("") };
            let example = decode::<serde_json::Value>(&spot, &[], &mut sink).if_clean().unwrap();
            let errors = validator.iter_errors(&example).map(|error| error.to_string()).collect::<Vec<_>>();
            assert_eq!(errors, Vec::<String>::new());
            assert!(example.pointer(device).is_some());
        }
    }
}
