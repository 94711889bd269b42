//! Definitions of their own for what stands in a model, where placeholders are taken.

use serde_json::{Map, Value};

const WHOLE: &str = "ModelWritten";

/// Gives the definition of a model copies of all that it refers to, `XInModel` for `X`.
pub(super) fn copy(definitions: &mut Map<String, Value>) {
    let mut copied = Vec::new();
    let Some(mut model) = definitions.get(WHOLE).cloned() else { return };
    rename(&mut model, &mut copied);
    definitions.insert(WHOLE.into(), model);
    let mut next = 0;
    while let Some(name) = copied.get(next).cloned() {
        next += 1;
        let Some(mut definition) = definitions.get(&name).cloned() else { continue };
        rename(&mut definition, &mut copied);
        definitions.insert(format!("{name}InModel"), definition);
    }
}

/// Points every reference at the copy, and notes which there must be.
fn rename(schema: &mut Value, copied: &mut Vec<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(path)) = object.get_mut("$ref")
                && let Some(name) = path.strip_prefix("#/$defs/").map(str::to_owned)
                && name != "Reference"
            {
                *path = format!("#/$defs/{name}InModel");
                if !copied.contains(&name) {
                    copied.push(name);
                }
            }
            object.values_mut().for_each(|below| rename(below, copied));
        }
        Value::Array(items) => items.iter_mut().for_each(|below| rename(below, copied)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
