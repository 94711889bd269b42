//! What a client writes to set values: a JSON merge patch (RFC 7396) of property names.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use twin_core::{
    Desired, DeviceDefinition, DeviceId, Override, PropertyDefinition, PropertyName, Timestamp, Value,
    ValueType,
};
use utoipa::ToSchema;

use crate::problem::{FieldFault, Problem, ProblemKind};

/// A value with its end. A value alone may stand for it, except an object of a `json` property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LongWish {
    /// What the device should hold, as JSON of the property's type.
    pub value: Json,
    /// Until when; left out: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<i64>,
}

/// What one member of the patch asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The property.
    pub property: PropertyName,
    /// What it should hold; none to want nothing (any more).
    pub wanted: Option<Wanted>,
}

/// A value that was checked against its property.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// What the device should hold.
    pub value: Value,
    /// Until when; none: no end is set.
    pub until: Option<Timestamp>,
}

impl Wanted {
    /// As the cloud's value.
    #[must_use]
    pub fn into_desired(self, set_by: &str, now: Timestamp) -> Desired {
        Desired { value: self.value, set_by: set_by.to_owned(), set_at: now, valid_until: self.until }
    }

    /// As a local operator's value.
    #[must_use]
    pub fn into_override(self, set_by: &str, now: Timestamp) -> Override {
        Override { value: self.value, set_by: set_by.to_owned(), set_at: now, expires_at: self.until }
    }
}

/// The most properties in one request.
const MOST: usize = 1000;
/// How many faults the line for people tells; the list has them all.
const MOST_TOLD: usize = 5;

/// Reads a merge patch of a device's values: for each property the value and its end, or none to delete it. Every
/// fault is found, not only the first.
///
/// # Errors
/// A [`Problem`] that says which member breaks which rule.
pub fn read_wishes(
    id: &DeviceId,
    definition: &DeviceDefinition,
    patch: &Json,
    now: Timestamp,
) -> Result<Vec<Wish>, Problem> {
    let Json::Object(members) = patch else {
        let detail = "the body must be a JSON object: {\"PROPERTY\": value, \"OTHER\": null}";
        return Err(Problem::new(ProblemKind::BadRequest, detail));
    };
    if members.len() > MOST {
        let detail = format!("the body must name at most {MOST} properties");
        return Err(Problem::new(ProblemKind::BadRequest, detail));
    }
    let mut wishes = Vec::with_capacity(members.len());
    let mut unknown = Vec::new();
    let mut unacceptable = Vec::new();
    for (name, wanted) in members {
        let parsed: Option<PropertyName> = name.parse().ok();
        let Some((property, defined)) = parsed.map(|p| (p.clone(), definition.properties.get(&p))) else {
            unknown.push(FieldFault { name: cut(name), detail: "this is not a property name".to_owned() });
            continue;
        };
        match (wanted, defined) {
            // What is stored of a property that the device no longer has can be deleted.
            (Json::Null, _) => wishes.push(Wish { property, wanted: None }),
            (_, None) => {
                let known = definition.properties.keys().take(20).map(PropertyName::as_str);
                let detail =
                    format!("{id} has no such property; it has {}", known.collect::<Vec<_>>().join(", "));
                unknown.push(FieldFault { name: cut(name), detail });
            }
            (_, Some(defined)) => match read_wish(defined, wanted, now) {
                Ok(wanted) => wishes.push(Wish { property, wanted: Some(wanted) }),
                Err(detail) => {
                    // What a parser says may quote all that it was given.
                    let detail = detail.chars().take(400).collect();
                    unacceptable.push(FieldFault { name: cut(name), detail });
                }
            },
        }
    }
    let (kind, faults) = match (unknown.is_empty(), unacceptable.is_empty()) {
        (true, true) => return Ok(wishes),
        (false, _) => (ProblemKind::UnknownProperty, unknown),
        (true, false) => (ProblemKind::UnacceptableValue, unacceptable),
    };
    let mut detail: Vec<_> =
        faults.iter().take(MOST_TOLD).map(|f| format!("{}: {}", f.name, f.detail)).collect();
    if faults.len() > MOST_TOLD {
        detail.push(format!("and {} more", faults.len() - MOST_TOLD));
    }
    let detail = detail.join("; ");
    Err(Problem::new(kind, detail).with_faults(faults))
}

fn read_wish(definition: &PropertyDefinition, wanted: &Json, now: Timestamp) -> Result<Wanted, String> {
    let (value, until) = match wanted {
        Json::Object(_) => {
            let long: LongWish = serde_json::from_value(wanted.clone()).map_err(|error| {
                let hint = "write {\"value\": ..., \"valid_until\": MILLISECONDS}";
                if definition.value_type == ValueType::Json {
                    format!("{error}; {hint}, also around an object that is the value itself")
                } else {
                    format!("{error}; {hint}, or the value alone")
                }
            })?;
            (long.value, long.valid_until.map(Timestamp::from_millis))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            (wanted.clone(), None)
        }
    };
    if let Some(until) = until.filter(|until| *until <= now) {
        return Err(format!(
            "valid_until {} is past, it is {} now: write a moment to come, in milliseconds since 1970",
            until.as_millis(),
            now.as_millis()
        ));
    }
    if definition.value_type == ValueType::Json && value.to_string().len() > Value::MAX_BYTES {
        return Err(format!("write JSON of at most {} KiB", Value::MAX_BYTES / 1024));
    }
    let value = Value::from_json(definition.value_type, &value).map_err(|error| error.to_string())?;
    definition.check_wanted(&value).map_err(|error| error.to_string())?;
    Ok(Wanted { value, until })
}

fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use twin_core::{Access, Range};

    fn definition() -> DeviceDefinition {
        let mut speed = PropertyDefinition::new(ValueType::Int, Access::ReadWrite);
        speed.range = Some(Range { min: 0.0, max: 100.0 });
        let recipe = PropertyDefinition::new(ValueType::Json, Access::Write);
        let heat = PropertyDefinition::new(ValueType::Float, Access::Read);
        let properties = [("speed", speed), ("recipe", recipe), ("heat", heat)];
        DeviceDefinition {
            properties: properties.into_iter().map(|(n, d)| (n.parse().unwrap(), d)).collect(),
            ..DeviceDefinition::default()
        }
    }

    fn read(patch: &Json) -> Result<Vec<String>, Problem> {
        let id = "pump".parse().unwrap();
        let wishes = read_wishes(&id, &definition(), patch, Timestamp::from_millis(1000))?;
        Ok(wishes
            .iter()
            .map(|w| format!("{} {:?}", w.property, w.wanted.as_ref().map(|w| (&w.value, w.until))))
            .collect())
    }

    #[test]
    fn a_value_a_deletion_and_a_value_with_an_end_are_read() {
        assert_eq!(read(&json!({"speed": 5})).unwrap(), ["speed Some((Int(5), None))"]);
        assert_eq!(read(&json!({"gone": null})).unwrap(), ["gone None"]);
        assert!(read(&json!({})).unwrap().is_empty());
        assert_eq!(
            read(&json!({"speed": {"value": 5, "valid_until": 1001}})).unwrap(),
            ["speed Some((Int(5), Some(Timestamp(1001))))"]
        );
        assert_eq!(
            read(&json!({"recipe": {"value": {"steps": []}}})).unwrap(),
            ["recipe Some((Json(Object {\"steps\": Array []}), None))"]
        );
    }

    #[test]
    fn whatever_breaks_a_rule_is_named_with_what_to_do() {
        for (patch, status, words) in [
            (json!([]), 400, "must be a JSON object"),
            (json!({"colour": 1}), 404, "it has heat, recipe, speed"),
            (json!({"a b": 1}), 404, "not a property name"),
            (json!({"speed": "fast"}), 422, "write a whole number"),
            (json!({"speed": 101}), 422, "outside the range 0 to 100"),
            (json!({"heat": 1.0}), 422, "read only"),
            (json!({"speed": {"value": 5, "valid_until": 1000}}), 422, "write a moment to come"),
            (json!({"speed": {"value": 5, "until": 1}}), 422, "unknown field"),
            (json!({"recipe": {"steps": []}}), 422, "around an object"),
            (json!({"recipe": "x".repeat(65_536)}), 422, "at most 64 KiB"),
        ] {
            let problem = read(&patch).unwrap_err();
            assert_eq!(problem.status, status, "{patch}");
            assert!(problem.detail.contains(words), "{patch}: {}", problem.detail);
        }
        assert_eq!(read(&json!({"speed": 101, "heat": 1})).unwrap_err().faults.len(), 2);
    }
}
