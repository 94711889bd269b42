//! What may stand in the place of a value: `${file:...}` and `${env:...}` in the gateway and in links, placeholders of
//! parameters in models.

use std::mem::take;

use serde_json::{Map, Value, json};

/// What may stand in the place of a value.
#[derive(Clone, Copy)]
pub(super) enum Instead {
    /// A reference to a secret.
    Reference,
    /// A placeholder of a parameter.
    Placeholder,
}

impl Instead {
    fn name(self) -> &'static str {
        match self {
            Self::Reference => "Reference",
            Self::Placeholder => "Placeholder",
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Reference => json!({
                "type": "string",
                "description": "Read when the gateway starts: ${file:/path} or ${env:NAME}",
                "pattern": "\\$\\{(file|env):[^}]+\\}",
            }),
            Self::Placeholder => json!({
                "type": "string",
                "description": "The value of a parameter of the model: $(name) or $(name+10)",
                "pattern": "\\$\\( *[a-z][a-z0-9_]*( *[-+] *[0-9]+)? *\\)",
            }),
        }
    }
}

/// Puts the definitions of both beside the others.
pub(super) fn define(definitions: &mut Map<String, Value>) {
    for instead in [Instead::Reference, Instead::Placeholder] {
        definitions.insert(instead.name().into(), instead.schema());
    }
}

/// Lets a reference or placeholder stand for every scalar at and below `schema`.
pub(super) fn admit(instead: Instead, schema: &mut Value, definitions: &mut Map<String, Value>) {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/"));
    if let Some(name) = name.map(str::to_owned) {
        // Taken out while it is walked, so that one that holds itself is walked once.
        if let Some(mut definition) = definitions.get_mut(&name).map(take).filter(|found| !found.is_null()) {
            admit(instead, &mut definition, definitions);
            definitions.insert(name, definition);
        }
        return;
    }
    let reference = json!({ "$ref": format!("#/$defs/{}", instead.name()) });
    let choices = schema.get_mut("anyOf").and_then(Value::as_array_mut);
    if let Some(choices) = choices.filter(|choices| choices.iter().any(is_instead)) {
        if !choices.contains(&reference) {
            choices.push(reference);
        }
        return;
    }
    if is_scalar(schema) {
        if !takes_any_text(schema) {
            let description = schema.as_object_mut().and_then(|object| object.remove("description"));
            let mut wrapped = json!({ "anyOf": [take(schema), reference] });
            if let (Some(object), Some(description)) = (wrapped.as_object_mut(), description) {
                object.insert("description".into(), description);
            }
            *schema = wrapped;
        }
        return;
    }
    let Some(object) = schema.as_object_mut() else { return };
    let mut each = |below: &mut Value| admit(instead, below, definitions);
    for (key, below) in object {
        match (key.as_str(), below) {
            ("properties", Value::Object(named)) => named.values_mut().for_each(&mut each),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(items)) => {
                items.iter_mut().for_each(&mut each);
            }
            ("items" | "additionalProperties", below @ Value::Object(_)) => each(below),
            (_, _) => {}
        }
    }
}

/// Whether the schema is one of those that [`admit`] adds.
fn is_instead(schema: &Value) -> bool {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/"));
    matches!(name, Some("Reference" | "Placeholder"))
}

/// Whether only single values fit, and not only nothing.
fn is_scalar(schema: &Value) -> bool {
    if schema.get("const").is_some() || schema.get("enum").is_some() {
        return true;
    }
    if let Some(Value::Array(choices)) = schema.get("oneOf") {
        return choices.iter().all(is_scalar);
    }
    let scalar = |word: &Value| matches!(word.as_str(), Some("string" | "integer" | "number" | "boolean"));
    match schema.get("type") {
        Some(Value::Array(words)) => words.iter().any(scalar),
        Some(word) => scalar(word),
        None => false,
    }
}

fn takes_any_text(schema: &Value) -> bool {
    let text = match schema.get("type") {
        Some(Value::Array(words)) => words.iter().any(|word| word == "string"),
        Some(word) => word == "string",
        None => false,
    };
    text && !["pattern", "enum", "const", "format", "maxLength"].iter().any(|rule| schema.get(rule).is_some())
}
