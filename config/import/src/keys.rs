//! The keys of the configuration as tables for people, from the JSON Schema of the types.

use serde_json::{Map, Value};

/// The keys of one place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The place: `gateway`, `a property`, `modbus in a device`.
    pub title: String,
    /// A table in Markdown, with a row for each key.
    pub table: String,
}

/// How deep the keys of a map are shown in the table of the map above it.
const DEPTH: usize = 4;

/// The tables of every key, from the schema that [`config::json_schema`] gives.
#[must_use]
pub fn key_tables(schema: &Value) -> Vec<Section> {
    let doc = Doc { definitions: schema["$defs"].as_object() };
    let def = |name: &str| doc.definitions.and_then(|all| all.get(name)).unwrap_or(&Value::Null);
    let mut sections = Vec::new();
    let mut add = |title: &str, node: &Value, but: &[String]| {
        let rows = doc.rows(node, but);
        if !rows.is_empty() {
            let table =
                format!("| key | what may stand there | what it is |\n|---|---|---|\n{}", rows.concat());
            sections.push(Section { title: title.to_owned(), table });
        }
    };
    let protocols: Vec<String> = {
        let own = ["model", "description", "labels", "with", "properties"];
        let keys = def("DeviceWritten")["properties"]
            .as_object()
            .map(|keys| keys.keys().cloned().collect::<Vec<_>>());
        keys.unwrap_or_default().into_iter().filter(|key| !own.contains(&key.as_str())).collect()
    };
    add("gateway", def("GatewayWritten"), &[]);
    add(
        "a model",
        def("ModelWritten"),
        &[&protocols[..], &["properties".to_owned(), "parameters".to_owned()]].concat(),
    );
    add("a parameter of a model", def("ParameterWritten"), &[]);
    add("a device", def("DeviceWritten"), &[&protocols[..], &["properties".to_owned()]].concat());
    add("devices_from", def("TableWritten"), &[]);
    add("a property", def("PropertyWritten"), &protocols);
    for protocol in &protocols {
        add(&format!("{protocol} in a device"), &def("DeviceWritten")["properties"][protocol], &[]);
        add(&format!("{protocol} in a property"), &def("PropertyWritten")["properties"][protocol], &[]);
    }
    sections
}

struct Doc<'a> {
    definitions: Option<&'a Map<String, Value>>,
}

impl<'a> Doc<'a> {
    /// What a reference stands for; of several forms the one that is no secret and not nothing.
    fn meant(&self, node: &'a Value) -> &'a Value {
        if let Some(name) = node["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return self.definitions.and_then(|all| all.get(name)).map_or(node, |node| self.meant(node));
        }
        let forms = node["anyOf"].as_array().filter(|_| node.get("properties").is_none());
        let useful = |form: &&Value| {
            form["type"] != "null" && !form["$ref"].as_str().is_some_and(|path| path.ends_with("/Reference"))
        };
        match forms.map(|forms| forms.iter().filter(useful).collect::<Vec<_>>()).as_deref() {
            Some([only]) => self.meant(only),
            Some(_) | None => node,
        }
    }

    fn rows(&self, node: &'a Value, but: &[String]) -> Vec<String> {
        let mut rows = Vec::new();
        self.add(node, "", DEPTH, but, &mut rows);
        rows
    }

    fn add(&self, node: &'a Value, prefix: &str, depth: usize, but: &[String], rows: &mut Vec<String>) {
        let node = self.meant(node);
        // Of one of several maps the keys of all are shown.
        for form in
            node["oneOf"].as_array().into_iter().flatten().filter(|form| form["properties"].is_object())
        {
            self.add(form, prefix, depth, but, rows);
        }
        let Some(keys) = node["properties"].as_object() else { return };
        let must =
            |key: &str| node["required"].as_array().is_some_and(|all| all.iter().any(|name| name == key));
        for (key, written) in keys.iter().filter(|(key, _)| !prefix.is_empty() || !but.contains(key)) {
            let below = self.meant(written);
            let path = format!("{prefix}{key}");
            let is_map = below["properties"].is_object()
                || below["oneOf"]
                    .as_array()
                    .is_some_and(|forms| forms.iter().any(|form| form["properties"].is_object()));
            let what = description(written).or(description(below)).unwrap_or_default();
            let mut what = what.replace('\n', " ").replace('|', "\\|");
            if must(key) && !is_map {
                what.push_str(if what.is_empty() { "must be written" } else { " Must be written." });
            }
            if let Some(default) =
                written.get("default").filter(|default| !default.is_object() && !what.contains("Default:"))
            {
                let empty = default.is_null() || default.as_array().is_some_and(Vec::is_empty);
                if !empty {
                    what.push_str(&format!(
                        " Default: {}",
                        default.as_str().map_or(default.to_string(), str::to_owned)
                    ));
                }
            }
            let forms = if is_map { "a map".to_owned() } else { self.forms(below) };
            rows.push(format!("| `{path}` | {} | {} |\n", forms.replace('|', "\\|"), what.trim()));
            if is_map && depth > 1 {
                self.add(below, &format!("{path}."), depth - 1, but, rows);
            }
        }
    }

    /// What may stand there, in words.
    fn forms(&self, node: &'a Value) -> String {
        let node = self.meant(node);
        if let Some(words) = node["enum"].as_array() {
            return words
                .iter()
                .filter_map(Value::as_str)
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(", ");
        }
        if let Some(forms) = node["oneOf"].as_array().or(node["anyOf"].as_array()) {
            let words: Vec<String> = forms
                .iter()
                .flat_map(|form| match (form["const"].as_str(), form["enum"].as_array()) {
                    (Some(word), _) => vec![format!("`{word}`")],
                    (None, Some(words)) => {
                        words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect()
                    }
                    (None, None) if form["type"] == "null" => Vec::new(),
                    (None, None) => vec![self.forms(form)],
                })
                .collect();
            return words.join(", ");
        }
        let kind = |name: &str| {
            node["type"] == name || node["type"].as_array().is_some_and(|all| all.iter().any(|n| n == name))
        };
        if kind("string") {
            let time = node["pattern"].as_str().is_some_and(|pattern| pattern.contains("(ms|s|m|h|d)"));
            return if time { "a time" } else { "a text" }.to_owned();
        }
        if kind("boolean") {
            return "`true`, `false`".to_owned();
        }
        if kind("integer") || kind("number") {
            let what = if kind("integer") { "a whole number" } else { "a number" };
            return match (node["minimum"].as_f64(), node["maximum"].as_f64()) {
                // The bounds of the type alone say nothing that the text does not say better.
                (Some(least), Some(most)) if ![255.0, 65_535.0].contains(&most) => {
                    format!("{what}, {least} to {most}")
                }
                (Some(_), Some(_) | None) | (None, Some(_) | None) => what.to_owned(),
            };
        }
        if let Some(items) = node["prefixItems"].as_array() {
            return format!("[{}]", items.iter().map(|item| self.forms(item)).collect::<Vec<_>>().join(", "));
        }
        if kind("array") {
            let items = node.get("items").map(|items| self.forms(items)).filter(|items| !items.is_empty());
            return items.map_or_else(|| "a list".to_owned(), |items| format!("a list of {items}"));
        }
        if kind("object") { "a map" } else { "anything" }.to_owned()
    }
}

fn description(node: &Value) -> Option<&str> {
    node["description"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_row_with_its_type_and_default() {
        let schema = config::json_schema(&[modbus::protocol()]);
        let sections = key_tables(&schema);
        let table = |title: &str| &sections.iter().find(|section| section.title == title).unwrap().table;
        let has = |title: &str, row: &str| assert!(table(title).contains(row), "{row} in\n{}", table(title));
        has("gateway", "| `mqtt.embedded.listen` | a text | ");
        has("gateway", "Default: 127.0.0.1:1883 |");
        has("gateway", "| `log.level` | `error`, `warn`, `info`, `debug`, `trace` |");
        has("gateway", "| `node` | a text | The node's name");
        has("a property", "| `type` | `bool`, `int`, `float`, `string`, `bytes`, `json` |");
        has("a property", "| `report.deadband` | a number |");
        has("a property", "| `every` | a time |");
        has("modbus in a device", "| `unit` | a whole number");
        has("modbus in a property", "| `word_order` | `big`, `little` |");
        has("devices_from", "| `file` | a text |");
        assert!(!table("a device").contains("| `modbus`"));
    }
}
