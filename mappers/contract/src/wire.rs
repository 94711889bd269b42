//! The JSON as it stands on the wire, and how it is read: bounded, tolerant, never panicking.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;
use serde_json::error::Category;

use crate::error::{ContractError, Refusal};
use crate::limits::{MAX_BODY_BYTES, MAX_EVENT_ID_BYTES, MAX_PROPERTIES};

/// A message with a `twin`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireTwin {
    #[serde(default, deserialize_with = "text")]
    pub(crate) event_id: String,
    #[serde(default, deserialize_with = "millis")]
    pub(crate) timestamp: Option<i64>,
    #[serde(default)]
    pub(crate) twin: Option<Entries<WireProperty>>,
}

/// What is said of one property.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireProperty {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<WireHeld>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "millis")]
    pub(crate) until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) actual: Option<WireHeld>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quality: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "millis")]
    pub(crate) source_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<WireOutcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) convergence: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) optional: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<WireMetadata>,
}

/// A value with its time.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireHeld {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) typed: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<WireTime>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireTime {
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "millis")]
    pub(crate) timestamp: Option<i64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireMetadata {
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) value_type: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireOutcome {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) typed: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "millis")]
    pub(crate) retry_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "millis")]
    pub(crate) at: Option<i64>,
}

/// The entries of a JSON object, in order, bounded: those past the bound are counted but not kept. `None` was `null`.
#[derive(Debug)]
pub(crate) struct Entries<T> {
    pub(crate) kept: Vec<(String, Option<T>)>,
    pub(crate) count: usize,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), count: 0 }
    }
}

impl<T> FromIterator<(String, Option<T>)> for Entries<T> {
    fn from_iter<I: IntoIterator<Item = (String, Option<T>)>>(entries: I) -> Self {
        let kept: Vec<_> = entries.into_iter().collect();
        Self { count: kept.len(), kept }
    }
}

impl<T> Entries<T> {
    pub(crate) fn bounded(self) -> Result<Vec<(String, Option<T>)>, ContractError> {
        if self.count > MAX_PROPERTIES {
            return Err(ContractError::TooManyProperties { count: self.count });
        }
        Ok(self.kept)
    }
}

impl<T: Serialize> Serialize for Entries<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.kept.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
            type Value = Entries<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of properties")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Entries::default();
                while entries.count < MAX_PROPERTIES {
                    let Some(entry) = map.next_entry()? else { return Ok(entries) };
                    entries.kept.push(entry);
                    entries.count += 1;
                }
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    entries.count += 1;
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Bounded(std::marker::PhantomData))
    }
}

/// Milliseconds since 1970, as a whole number, a float (`time.time() * 1000`) or either in a text.
pub(crate) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float out of range saturates, which is a time as well"
    )]
    let from_float = |number: f64| number as i64;
    match Json::deserialize(deserializer)? {
        Json::Null => Some(None),
        Json::Number(number) => Some(number.as_i64().or_else(|| number.as_f64().map(from_float))),
        Json::String(text) if text.is_empty() => Some(None),
        Json::String(text) => {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            number.map(|number| Some(text.trim().parse().unwrap_or_else(|_| from_float(number))))
        }
        Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
    .ok_or_else(|| serde::de::Error::custom("a time is a number of milliseconds since 1970"))
}

/// A text; a number as its text, `null` as the empty one.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Json::deserialize(deserializer)? {
        Json::Null => Ok(String::new()),
        Json::String(text) => Ok(text),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(_) | Json::Array(_) | Json::Object(_) => {
            Err(serde::de::Error::custom("event_id and names are texts"))
        }
    }
}

/// Reads a bounded body; what is wrong with it is said with its event id, wherever that stands.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    if body.len() > MAX_BODY_BYTES {
        return Err(refuse(body, ContractError::TooLarge { bytes: body.len() }));
    }
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        // serde would take a list for the fields in their order.
        let error = match serde_json::from_slice::<IgnoredAny>(body) {
            Ok(_) => ContractError::WrongShape { reason: "a list, where an object is expected".to_owned() },
            Err(error) => ContractError::NotJson { reason: error.to_string() },
        };
        return Err(Refusal { event_id: String::new(), error });
    }
    serde_json::from_slice(body).map_err(|error| {
        let reason = error.to_string();
        refuse(
            body,
            match error.classify() {
                Category::Data => ContractError::WrongShape { reason },
                Category::Syntax | Category::Eof | Category::Io => ContractError::NotJson { reason },
            },
        )
    })
}

/// Adds the event id of `body`, as far as one can be found, to what is wrong with it.
pub(crate) fn refuse(body: &[u8], error: ContractError) -> Refusal {
    let mut event_id = None;
    let head = &body[..body.len().min(MAX_BODY_BYTES)];
    // The id counts even when what comes after it cannot be read.
    let _ = FindEventId(&mut event_id).deserialize(&mut serde_json::Deserializer::from_slice(head));
    Refusal { event_id: event_id.unwrap_or_default(), error }
}

/// Checks the length of an event id.
pub(crate) fn checked_event_id(event_id: String) -> Result<String, Refusal> {
    if event_id.len() > MAX_EVENT_ID_BYTES {
        let error = ContractError::EventIdTooLong { bytes: event_id.len() };
        return Err(Refusal { event_id: String::new(), error });
    }
    Ok(event_id)
}

/// Writes a body. Our own types cannot fail to become JSON.
pub(crate) fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut body = Vec::with_capacity(512);
    // A map key that is no text is the only way to fail, and every key here is one.
    let _ = serde_json::to_writer(&mut body, message);
    body
}

/// Looks for `event_id` at the top level and keeps it even when the rest fails.
struct FindEventId<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for FindEventId<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FindEventId<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "event_id" {
                let id = match map.next_value::<Json>()? {
                    Json::String(id) => Some(id),
                    Json::Number(id) => Some(id.to_string()),
                    Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
                };
                *self.0 = id.filter(|id| id.len() <= MAX_EVENT_ID_BYTES);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_id_is_found_before_the_place_where_a_body_breaks() {
        for body in [
            r#"{"event_id":"7","twin":{"a":"#,
            r#"{"event_id":"7","twin":5}"#,
            r#"{"twin":5,"event_id":"7"}"#,
            r#"{"event_id":7,"twin":[]}"#,
        ] {
            assert_eq!(read::<WireTwin>(body.as_bytes()).unwrap_err().event_id, "7", "{body}");
        }
    }

    #[test]
    fn a_time_is_read_in_every_form_in_use() {
        for body in [
            r#"{"timestamp":1700000000000}"#,
            r#"{"timestamp":1700000000000.7}"#,
            r#"{"timestamp":"1700000000000"}"#,
        ] {
            let read: WireTwin = read(body.as_bytes()).unwrap();
            assert_eq!(read.timestamp, Some(1_700_000_000_000), "{body}");
        }
        assert!(read::<WireTwin>(br#"{"timestamp":"yesterday"}"#).is_err());
    }
}
