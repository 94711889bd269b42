//! Whether edge and cloud hold the same.

use serde_json::Value;

/// A twin as REST shows it, without what only the cloud can know.
#[must_use]
pub fn comparable(twin: &Value) -> Value {
    let mut twin = twin.clone();
    if let Some(object) = twin.as_object_mut() {
        // Of the deleted wishes the edge keeps no revision.
        object.remove("desired_revision");
    }
    strip(&mut twin);
    twin
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("cloud_time");
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The first property in which two twins differ; none when they are equal.
#[must_use]
pub fn difference(edge: &Value, cloud: &Value) -> Option<String> {
    let (edge, cloud) = (comparable(edge), comparable(cloud));
    if edge == cloud {
        return None;
    }
    let names = |twin: &Value| twin["properties"].as_object().map(|p| p.keys().cloned().collect::<Vec<_>>());
    let mut all = [names(&edge), names(&cloud)].into_iter().flatten().flatten();
    let found = all.find(|name| edge["properties"][name] != cloud["properties"][name]);
    let (edge, cloud, name) = match &found {
        Some(name) => (&edge["properties"][name], &cloud["properties"][name], name.as_str()),
        None => (&edge["device"], &cloud["device"], "the device"),
    };
    Some(format!("{name}: at the edge {edge}, in the cloud {cloud}"))
}
