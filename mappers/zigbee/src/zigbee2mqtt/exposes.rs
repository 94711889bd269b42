//! What a device offers: the `exposes` of zigbee2mqtt, as features by the name of their property.
//! (zigbee2mqtt guide, "Exposes")

use std::collections::BTreeMap;

use mapper_sdk::Fault;
use serde_json::{Map, Value as Json};
use twin_core::Value;

/// Features in each other that are read; deeper ones are left out.
const MOST_DEPTH: u8 = 6;
/// Features of one device.
const MOST_FEATURES: usize = 512;

/// Bits of `access`.
const PUBLISHED: u64 = 1;
const SET: u64 = 2;
const GET: u64 = 4;

/// What the values of a feature mean.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// One of two values.
    Binary {
        /// What stands for true.
        on: Json,
        /// What stands for false.
        off: Json,
    },
    /// A number.
    Numeric,
    /// One of several texts, or of several numbers.
    Choice(Vec<Json>),
    /// Text.
    Text,
    /// Anything else, as it is.
    Other,
}

/// One feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// What its values mean.
    pub meaning: Meaning,
    /// The unit; empty where there is none.
    pub unit: String,
    access: u64,
}

/// The features of a device by the name of their property; those of a composite after its name and a dot.
#[must_use]
pub fn features(exposes: &Json) -> BTreeMap<String, Feature> {
    let mut found = BTreeMap::new();
    walk(exposes, "", 0, &mut found);
    found
}

fn walk(exposes: &Json, prefix: &str, depth: u8, found: &mut BTreeMap<String, Feature>) {
    if depth >= MOST_DEPTH {
        return;
    }
    for item in exposes.as_array().into_iter().flatten() {
        let text = |key: &str| item.get(key).and_then(Json::as_str);
        let name = text("property").filter(|name| !name.is_empty() && name.len() <= 100);
        let kind = text("type").unwrap_or_default();
        let parts = item.get("features");
        if let Some(parts) = parts.filter(|_| kind != "composite" || name.is_none()) {
            // A light, a switch, a lock: its features are those of the device.
            walk(parts, prefix, depth + 1, found);
            continue;
        }
        let Some(name) = name else { continue };
        if found.len() >= MOST_FEATURES {
            return;
        }
        let whole = format!("{prefix}{name}");
        if let Some(parts) = parts {
            walk(parts, &format!("{whole}."), depth + 1, found);
        }
        let unit = text("unit").unwrap_or_default().chars().take(20).collect();
        let access = item.get("access").and_then(Json::as_u64).unwrap_or(PUBLISHED);
        found.insert(whole, Feature { meaning: meaning(kind, item), unit, access });
    }
}

fn meaning(kind: &str, item: &Json) -> Meaning {
    let given = |key: &str, usual: bool| item.get(key).cloned().unwrap_or(Json::Bool(usual));
    match kind {
        "binary" => Meaning::Binary { on: given("value_on", true), off: given("value_off", false) },
        "numeric" => Meaning::Numeric,
        "enum" => {
            let values = item.get("values").and_then(Json::as_array).into_iter().flatten();
            let plain = |value: &&Json| value.is_string() || value.is_number();
            Meaning::Choice(values.filter(plain).take(256).cloned().collect())
        }
        "text" => Meaning::Text,
        _ => Meaning::Other,
    }
}

impl Feature {
    /// Whether the device tells it by itself.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.access & PUBLISHED != 0
    }

    /// Whether it can be written.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.access & SET != 0
    }

    /// Whether it can be asked for.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.access & GET != 0
    }

    /// The value of what zigbee2mqtt says.
    ///
    /// # Errors
    /// [`Fault::NotAValue`] when it is not one.
    pub fn decode(&self, json: &Json) -> Result<Value, Fault> {
        let wrong = || {
            let shown: String = json.to_string().chars().take(60).collect();
            Fault::NotAValue(format!("zigbee2mqtt says {shown}, which is not a value of the property"))
        };
        match (&self.meaning, json) {
            (_, Json::Null) => Err(Fault::NotAValue("the device has no value now".to_owned())),
            (Meaning::Binary { on, off }, json) => {
                if json == on {
                    Ok(Value::Bool(true))
                } else if json == off {
                    Ok(Value::Bool(false))
                } else {
                    Err(wrong())
                }
            }
            (Meaning::Numeric, Json::Number(_)) => number(json).ok_or_else(wrong),
            (Meaning::Choice(values), Json::Number(_)) if values.contains(json) => {
                number(json).ok_or_else(wrong)
            }
            (Meaning::Choice(_) | Meaning::Text, Json::String(text)) if text.len() <= Value::MAX_BYTES => {
                Ok(Value::String(text.clone()))
            }
            (Meaning::Other, json) => Ok(Value::Json(json.clone())),
            (Meaning::Numeric | Meaning::Choice(_) | Meaning::Text, _) => Err(wrong()),
        }
    }

    /// What is to be said for a value.
    ///
    /// # Errors
    /// [`Fault::Refused`] when it can only be read, [`Fault::Unsuitable`] when it cannot hold the value.
    pub fn encode(&self, value: &Value) -> Result<Json, Fault> {
        if !self.is_writable() {
            return Err(Fault::Refused(
                "zigbee2mqtt exposes the property as one that can only be read".to_owned(),
            ));
        }
        let wrong = || Fault::Unsuitable(format!("the property cannot hold {value}"));
        match (&self.meaning, value) {
            (Meaning::Binary { on, off }, Value::Bool(bit)) => Ok(if *bit { on } else { off }.clone()),
            (Meaning::Numeric, Value::Int(number)) => Ok(Json::from(*number)),
            (Meaning::Numeric, Value::Float(number)) => Ok(Json::from(number.get())),
            (Meaning::Choice(values), Value::String(_) | Value::Int(_) | Value::Float(_)) => {
                let json = value.to_json();
                if values.contains(&json) {
                    return Ok(json);
                }
                let shown = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let values: Vec<String> = values.iter().map(shown).collect();
                Err(Fault::Unsuitable(format!("the property takes one of {}", values.join(", "))))
            }
            (Meaning::Text, Value::String(text)) => Ok(Json::from(text.as_str())),
            (Meaning::Other, Value::Json(json)) => Ok(json.clone()),
            (
                Meaning::Binary { .. }
                | Meaning::Numeric
                | Meaning::Choice(_)
                | Meaning::Text
                | Meaning::Other,
                _,
            ) => Err(wrong()),
        }
    }
}

fn number(json: &Json) -> Option<Value> {
    json.as_i64().map(Value::Int).or_else(|| Value::float(json.as_f64()?).ok())
}

/// What is in a state at a name with dots.
pub(super) fn at<'j>(state: &'j Map<String, Json>, name: &str) -> Option<&'j Json> {
    let mut parts = name.split('.');
    let first = state.get(parts.next()?)?;
    parts.try_fold(first, |inside, part| inside.get(part))
}

/// The message that sets what is at a name with dots.
pub(super) fn message(name: &str, value: Json) -> Json {
    name.rsplit('.').fold(value, |inside, part| Json::Object(Map::from_iter([(part.to_owned(), inside)])))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bulb() -> BTreeMap<String, Feature> {
        features(&json!([
            {"type": "light", "features": [
                {"type": "binary", "name": "state", "property": "state", "access": 7,
                 "value_on": "ON", "value_off": "OFF", "value_toggle": "TOGGLE"},
                {"type": "numeric", "name": "brightness", "property": "brightness", "access": 7,
                 "value_min": 0, "value_max": 254},
                {"type": "composite", "name": "color_xy", "property": "color", "access": 7, "features": [
                    {"type": "numeric", "name": "x", "property": "x", "access": 7}]}]},
            {"type": "enum", "name": "effect", "property": "effect", "access": 2, "values": ["blink", "breathe"]},
            {"type": "numeric", "name": "linkquality", "property": "linkquality", "access": 1, "unit": "lqi"}]))
    }

    #[test]
    fn the_features_of_a_bulb_are_found_however_deep_they_lie() {
        let bulb = bulb();
        let names: Vec<_> = bulb.keys().map(String::as_str).collect();
        assert_eq!(names, ["brightness", "color", "color.x", "effect", "linkquality", "state"]);
        assert!(bulb["state"].is_writable() && bulb["state"].is_readable());
        assert!(!bulb["linkquality"].is_writable());
        assert!(!bulb["effect"].is_published());
    }

    #[test]
    fn values_go_both_ways_and_what_is_none_is_refused() {
        let bulb = bulb();
        assert_eq!(bulb["state"].decode(&json!("ON")), Ok(Value::Bool(true)));
        assert!(matches!(bulb["state"].decode(&json!("TOGGLE")), Err(Fault::NotAValue(_))));
        assert!(matches!(bulb["brightness"].decode(&json!("bright")), Err(Fault::NotAValue(_))));
        assert!(matches!(bulb["brightness"].decode(&Json::Null), Err(Fault::NotAValue(_))));
        assert_eq!(bulb["state"].encode(&Value::Bool(false)), Ok(json!("OFF")));
        assert!(matches!(bulb["linkquality"].encode(&Value::Int(1)), Err(Fault::Refused(_))));
        assert!(matches!(bulb["effect"].encode(&Value::String("dance".into())), Err(Fault::Unsuitable(_))));
        assert_eq!(message("color.x", json!(0.3)), json!({"color": {"x": 0.3}}));
        let state = json!({"color": {"x": 0.3}});
        assert_eq!(at(state.as_object().unwrap(), "color.x"), Some(&json!(0.3)));
        assert_eq!(at(state.as_object().unwrap(), "color.y"), None);
    }

    #[test]
    fn features_without_end_do_not_end_the_mapper() {
        let mut deep = json!([]);
        for _ in 0..60 {
            deep = json!([{"type": "light", "features": deep}]);
        }
        assert!(features(&deep).is_empty());
        let many: Vec<_> =
            (0..5_000).map(|n| json!({"type": "numeric", "property": format!("p{n}")})).collect();
        assert_eq!(features(&Json::Array(many)).len(), MOST_FEATURES);
    }
}
