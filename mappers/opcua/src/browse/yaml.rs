//! A mapping made from what was found.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Found, Kind, Variable};
use crate::link::Link;

/// A model with a property for each variable and method, and a device of it, as YAML.
#[must_use]
pub fn yaml(found: &[Found], link: &Link, wanted_path: Option<&str>) -> String {
    let path = wanted_path.filter(|path| !path.contains('=')).unwrap_or_default();
    let last = path.rsplit('/').find(|step| !step.is_empty()).unwrap_or("server");
    let name = label(last);
    let mut text = String::new();
    let _ = writeln!(text, "models:\n  {name}:\n    properties:");
    let mut taken = BTreeSet::new();
    let mut any = false;
    for node in found {
        let line = match (&node.kind, &node.variable) {
            (Kind::Variable, Some(variable)) if variable.readable || variable.writable => {
                property(node, variable)
            }
            (Kind::Method, _) => {
                format!(
                    "{{type: json, access: write, opcua: {{node: {}, method: {}}}}}",
                    quoted(&node.parent),
                    quoted(&node.node)
                )
            }
            (Kind::Object | Kind::Variable, _) => continue,
        };
        any = true;
        let _ = writeln!(text, "      {}: {line}", unique(&node.path, &mut taken));
    }
    if !any {
        // A mapping without properties is none.
        return "# nothing that can be read, written or called was found\n".to_owned();
    }
    let _ = writeln!(text, "devices:\n  {name}-1:\n    model: {name}\n    opcua: {}", body(link));
    text
}

fn property(node: &Found, variable: &Variable) -> String {
    let mut line = format!("{{type: {}", variable.value_type);
    match (variable.readable, variable.writable) {
        (true, true) => line.push_str(", access: read_write"),
        (false, true) => line.push_str(", access: write"),
        (true | false, false) => {}
    }
    if !variable.unit.is_empty() {
        let _ = write!(line, ", unit: {}", quoted(&variable.unit));
    }
    let is_number = matches!(variable.value_type, twin_core::ValueType::Int | twin_core::ValueType::Float);
    if let Some((low, high)) = variable.range.filter(|_| is_number) {
        let _ = write!(line, ", range: [{low}, {high}]");
    }
    let _ = write!(line, ", opcua: {{node: {}", quoted(&node.node));
    if variable.named && variable.value_type == twin_core::ValueType::String {
        line.push_str(", server_enum: true");
    }
    line.push_str("}}");
    line
}

/// The link as it was given, without what is secret.
fn body(link: &Link) -> String {
    let mut text = format!("{{url: {}", quoted(&link.url));
    if link.security != crate::link::Security::Auto {
        let _ = write!(text, ", security: {}", link.security);
    }
    if let Some(mode) = link.mode {
        let _ = write!(text, ", mode: {mode}");
    }
    if let Some(user) = &link.user {
        let _ = write!(text, ", user: {}, password: \"${{file:/etc/twinspan/secrets/opcua}}\"", quoted(user));
    }
    if !link.check_host {
        text.push_str(", check_host: false");
    }
    text.push('}');
    text
}

/// A name that a property may have, and that no other has: as few of the last names of the path as are needed.
fn unique(path: &[String], taken: &mut BTreeSet<String>) -> String {
    for length in 1..=path.len() {
        let name = path[path.len() - length..].iter().map(|step| snake(step)).collect::<Vec<_>>().join("_");
        let name: String = name.chars().take(100).collect();
        if taken.insert(name.clone()) {
            return name;
        }
    }
    let base = snake(path.last().map_or("property", String::as_str));
    let mut number = 2;
    loop {
        let name = format!("{base}_{number}");
        if taken.insert(name.clone()) {
            return name;
        }
        number += 1;
    }
}

/// `SetPoint 2` as `set_point_2`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    let mut last_is_small = false;
    for c in name.chars().take(60) {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && last_is_small {
                text.push('_');
            }
            text.push(c.to_ascii_lowercase());
            last_is_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        } else if !text.is_empty() && !text.ends_with('_') {
            text.push('_');
            last_is_small = false;
        }
    }
    let text = text.trim_end_matches('_');
    // A name that begins with a letter is a text in YAML, and not `on` or `no` either.
    match text {
        "" => "property".to_owned(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" => format!("{text}_"),
        text if text.starts_with(|c: char| c.is_ascii_digit()) => format!("p{text}"),
        text => text.to_owned(),
    }
}

/// A name for a model and a device.
fn label(name: &str) -> String {
    let label: String = snake(name).replace('_', "-").chars().take(50).collect();
    let label = label.trim_matches('-');
    if label.is_empty() { "server".to_owned() } else { label.to_owned() }
}

/// A text in double quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_properties_are_short_and_each_its_own() {
        let mut taken = BTreeSet::new();
        let path = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(unique(&path("Boiler/SetPoint"), &mut taken), "set_point");
        assert_eq!(unique(&path("Tank/SetPoint"), &mut taken), "tank_set_point");
        assert_eq!(unique(&path("Tank/SetPoint"), &mut taken), "set_point_2");
        assert_eq!(snake("Drehzahl 1/min (ist)"), "drehzahl_1_min_ist");
        assert_eq!(snake("123"), "p123");
        assert_eq!(snake("温度"), "property");
        assert_eq!(snake("On"), "on_");
        assert_eq!(label("My_Boiler"), "my-boiler");
    }
}
