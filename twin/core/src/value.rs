//! Typed values: typed inside, never a string inside.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

/// A float that is neither NaN nor infinite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Finite(f64);

/// A float that is NaN or infinite cannot be a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value must be a finite number, not NaN or infinity")]
pub struct NotFinite;

impl Finite {
    /// Takes a finite number.
    ///
    /// # Errors
    /// [`NotFinite`] for NaN and the infinities.
    pub fn new(number: f64) -> Result<Self, NotFinite> {
        if number.is_finite() { Ok(Self(number)) } else { Err(NotFinite) }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Finite {
    type Error = NotFinite;
    fn try_from(number: f64) -> Result<Self, NotFinite> {
        Self::new(number)
    }
}

impl From<Finite> for f64 {
    fn from(finite: Finite) -> Self {
        finite.0
    }
}

/// What a device holds or should hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// On or off.
    Bool(bool),
    /// A 64-bit signed integer.
    Int(i64),
    /// A finite 64-bit float.
    Float(Finite),
    /// Text, at most [`Value::MAX_BYTES`].
    String(String),
    /// Raw bytes, at most [`Value::MAX_BYTES`]; base64 in JSON.
    Bytes(#[serde(with = "base64_in_text")] Vec<u8>),
    /// Anything structured.
    Json(serde_json::Value),
}

/// The type of a [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// See [`Value::Bool`].
    Bool,
    /// See [`Value::Int`].
    Int,
    /// See [`Value::Float`].
    Float,
    /// See [`Value::String`].
    String,
    /// See [`Value::Bytes`].
    Bytes,
    /// See [`Value::Json`].
    Json,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Json => "json",
        })
    }
}

/// A value that is not of the type it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a value of type {wanted}: {rule}")]
pub struct TypeMismatch {
    /// What came, cut at 80 characters.
    pub found: String,
    /// What it should have been.
    pub wanted: ValueType,
    /// How such a value is written.
    pub rule: &'static str,
}

impl Value {
    /// The longest string, byte string or JSON document that is taken, in bytes.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// The deepest JSON that is taken, in arrays and objects around each other. A database keeps values as JSON with a
    /// few objects around them, and reads no more than 127 levels back.
    pub const MAX_DEPTH: usize = 64;

    /// The type of this value.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Bool(_) => ValueType::Bool,
            Self::Int(_) => ValueType::Int,
            Self::Float(_) => ValueType::Float,
            Self::String(_) => ValueType::String,
            Self::Bytes(_) => ValueType::Bytes,
            Self::Json(_) => ValueType::Json,
        }
    }

    /// A float value.
    ///
    /// # Errors
    /// [`NotFinite`] for NaN and the infinities.
    pub fn float(number: f64) -> Result<Self, NotFinite> {
        Finite::new(number).map(Self::Float)
    }

    /// This value as a number, where it is one (a bool is 0 or 1).
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Bool(b) => Some(f64::from(u8::from(*b))),
            #[expect(clippy::cast_precision_loss, reason = "for comparing against ranges and deadbands only")]
            Self::Int(i) => Some(*i as f64),
            Self::Float(f) => Some(f.get()),
            Self::String(_) | Self::Bytes(_) | Self::Json(_) => None,
        }
    }

    /// The value as plain JSON of its type; bytes as base64 text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Bool(b) => (*b).into(),
            Self::Int(i) => (*i).into(),
            Self::Float(f) => f.get().into(),
            Self::String(s) => s.as_str().into(),
            Self::Bytes(b) => BASE64.encode(b).into(),
            Self::Json(j) => j.clone(),
        }
    }

    /// Reads plain JSON, or a string that parses to the type (as KubeEdge mappers send every value).
    ///
    /// # Errors
    /// [`TypeMismatch`] says what came and how a value of the type is written.
    pub fn from_json(wanted: ValueType, json: &serde_json::Value) -> Result<Self, TypeMismatch> {
        use serde_json::Value as J;
        let fail = |rule| TypeMismatch { found: json.to_string().chars().take(80).collect(), wanted, rule };
        match wanted {
            ValueType::Bool => match json {
                J::Bool(b) => Some(*b),
                J::String(s) if s.eq_ignore_ascii_case("true") => Some(true),
                J::String(s) if s.eq_ignore_ascii_case("false") => Some(false),
                J::Null | J::Number(_) | J::String(_) | J::Array(_) | J::Object(_) => None,
            }
            .map(Self::Bool)
            .ok_or_else(|| fail("write true or false")),
            ValueType::Int => match json {
                J::Number(n) => n.as_i64().or_else(|| n.as_f64().and_then(whole)),
                J::String(s) => s.trim().parse().ok(),
                J::Null | J::Bool(_) | J::Array(_) | J::Object(_) => None,
            }
            .map(Self::Int)
            .ok_or_else(|| fail("write a whole number of at most 64 bits")),
            ValueType::Float => match json {
                J::Number(n) => n.as_f64(),
                J::String(s) => s.trim().parse().ok(),
                J::Null | J::Bool(_) | J::Array(_) | J::Object(_) => None,
            }
            .and_then(|n| Finite::new(n).ok())
            .map(Self::Float)
            .ok_or_else(|| fail("write a finite number")),
            ValueType::String => match json {
                J::String(s) if s.len() <= Self::MAX_BYTES => Ok(Self::String(s.clone())),
                J::Number(_) | J::Bool(_) => Ok(Self::String(json.to_string())),
                J::Null | J::String(_) | J::Array(_) | J::Object(_) => {
                    Err(fail("write a text of at most 64 KiB"))
                }
            },
            ValueType::Bytes => match json {
                J::String(s) if s.len() <= Self::MAX_BYTES.div_ceil(3) * 4 => {
                    BASE64.decode(s).ok().filter(|bytes| bytes.len() <= Self::MAX_BYTES)
                }
                J::Null | J::Bool(_) | J::Number(_) | J::String(_) | J::Array(_) | J::Object(_) => None,
            }
            .map(Self::Bytes)
            .ok_or_else(|| fail("write base64 of at most 64 KiB")),
            ValueType::Json if !is_shallow(json, Self::MAX_DEPTH) => {
                Err(fail("write JSON of at most 64 arrays and objects around each other"))
            }
            ValueType::Json if !is_short(json, Self::MAX_BYTES) => Err(fail("write JSON of at most 64 KiB")),
            ValueType::Json => Ok(Self::Json(json.clone())),
        }
    }

    /// Whether a value read back is the value that was wanted. Floats may differ by `tolerance`, or by one part in a
    /// million where none is given, since a register of 16 or 32 bits cannot hold every float.
    #[must_use]
    pub fn matches(&self, wanted: &Self, tolerance: Option<f64>) -> bool {
        let float = matches!(self, Self::Float(_)) || matches!(wanted, Self::Float(_));
        if let (true, Some(a), Some(b)) = (float, self.as_number(), wanted.as_number()) {
            (a - b).abs() <= tolerance.unwrap_or_else(|| 1e-6 * a.abs().max(b.abs()).max(1e-6))
        } else {
            self == wanted
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(s) => f.write_str(s),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Bytes(_) | Self::Json(_) => {
                write!(f, "{}", self.to_json())
            }
        }
    }
}

fn is_shallow(json: &serde_json::Value, levels: usize) -> bool {
    let inside = |json| levels.checked_sub(1).is_some_and(|rest| is_shallow(json, rest));
    match json {
        serde_json::Value::Array(items) => levels > 0 && items.iter().all(inside),
        serde_json::Value::Object(members) => levels > 0 && members.values().all(inside),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => true,
    }
}

/// Whether the JSON as text has at most so many bytes. Writing stops there.
fn is_short(json: &serde_json::Value, bytes: usize) -> bool {
    struct Left(usize);
    impl std::io::Write for Left {
        fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(part.len()).ok_or(std::io::ErrorKind::FileTooLarge)?;
            Ok(part.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(Left(bytes), json).is_ok()
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range before")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(number as i64)
}

/// Bytes as base64 text where the format is for people, as bytes where it is binary.
mod base64_in_text {
    use super::BASE64;
    use base64::Engine as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    pub(crate) fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter_map("finite", |f| Value::float(f).ok()),
            ".{0,40}".prop_map(Value::String),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
            (any::<i32>(), ".{0,8}").prop_map(|(n, s)| Value::Json(json!({"n": n, "s": [s]}))),
        ]
    }

    proptest! {
        #[test]
        fn plain_json_and_back_gives_the_same_value(value in any_value()) {
            prop_assert_eq!(Value::from_json(value.value_type(), &value.to_json()).unwrap(), value);
        }

        #[test]
        fn a_stored_value_reads_back_the_same(value in any_value()) {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }

        #[test]
        fn strings_that_parse_are_taken_as_kubeedge_mappers_send_them(n in any::<i64>(), f in -1e12f64..1e12) {
            prop_assert_eq!(Value::from_json(ValueType::Int, &json!(n.to_string())).unwrap(), Value::Int(n));
            prop_assert_eq!(Value::from_json(ValueType::Float, &json!(f.to_string())).unwrap(), Value::float(f).unwrap());
        }
    }

    #[test]
    fn what_is_not_of_the_type_is_refused_with_the_rule() {
        for (wanted, json) in [
            (ValueType::Bool, json!(1)),
            (ValueType::Int, json!(1.5)),
            (ValueType::Int, json!("abc")),
            (ValueType::Int, json!(u64::MAX)),
            (ValueType::Float, json!("NaN")),
            (ValueType::Float, json!("inf")),
            (ValueType::Float, json!(null)),
            (ValueType::String, json!({})),
            (ValueType::Bytes, json!("%%")),
        ] {
            let error = Value::from_json(wanted, &json).unwrap_err();
            assert!(error.to_string().contains("write"), "{error}");
        }
    }

    #[test]
    fn json_that_is_too_long_or_too_deep_is_refused_before_it_is_copied() {
        let nested = |depth| (1..depth).fold(json!([]), |inner, _| json!([inner]));
        let text = |bytes: usize| json!("x".repeat(bytes - 2));
        for good in [nested(Value::MAX_DEPTH), text(Value::MAX_BYTES), json!(null)] {
            assert!(Value::from_json(ValueType::Json, &good).is_ok());
        }
        for bad in [nested(Value::MAX_DEPTH + 1), text(Value::MAX_BYTES + 1), json!({"a": nested(64)})] {
            let error = Value::from_json(ValueType::Json, &bad).unwrap_err();
            assert!(error.to_string().contains("write JSON of at most 64"), "{error}");
            assert!(error.found.len() <= 80);
        }
    }

    #[test]
    fn bytes_over_the_bound_are_refused() {
        let base64 = |bytes: usize| json!(BASE64.encode(vec![7; bytes]));
        assert!(Value::from_json(ValueType::Bytes, &base64(Value::MAX_BYTES)).is_ok());
        assert!(Value::from_json(ValueType::Bytes, &base64(Value::MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn a_float_read_back_from_a_smaller_register_still_matches() {
        let wanted = Value::float(21.3).unwrap();
        assert!(Value::float(f64::from(21.3f32)).unwrap().matches(&wanted, None));
        assert!(!Value::float(21.4).unwrap().matches(&wanted, None));
        assert!(Value::float(21.4).unwrap().matches(&wanted, Some(0.11)));
        assert!(!Value::Int(3).matches(&Value::Int(4), Some(5.0)), "integers are exact");
    }
}
