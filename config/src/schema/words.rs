//! The word alone for a choice whose body may be empty: `mqtt: embedded` for `mqtt: { embedded: {} }`.

use serde_json::{Map, Value, json};

/// Adds the word to every choice that takes it.
pub(super) fn admit(definitions: &mut Map<String, Value>) {
    let all = definitions.clone();
    for definition in definitions.values_mut() {
        let Some(choices) = definition.get_mut("oneOf").and_then(Value::as_array_mut) else { continue };
        let words = choices.iter().filter_map(|choice| word(choice, &all)).collect::<Vec<_>>();
        choices.extend(words);
    }
}

/// The word of a choice whose body may be empty.
fn word(choice: &Value, definitions: &Map<String, Value>) -> Option<Value> {
    let properties = choice.get("properties")?.as_object()?;
    let (name, body) = properties.iter().next().filter(|_| properties.len() == 1)?;
    let required = choice.get("required")?.as_array()?;
    let body = match body.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/")) {
        Some(name) => definitions.get(name)?,
        None => body,
    };
    let may_be_empty = body.get("type")? == "object" && body.get("required").is_none();
    let mut choice = json!({ "type": "string", "const": name });
    if let (Some(object), Some(description)) = (choice.as_object_mut(), body.get("description")) {
        object.insert("description".into(), description.clone());
    }
    (may_be_empty && required.len() == 1).then_some(choice)
}
