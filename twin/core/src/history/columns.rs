//! A reading as a database keeps it: numbers as numbers, so that SQL can reckon with them, and in few bytes.
//!
//! The low four bits of the tag are the type of the value, those above the quality: 0 good, odd bad, even uncertain.

use super::sample::Reading;
use crate::quality::{Quality, Why};
use crate::value::Value;

/// What keeps a value in a column of a database.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// No value.
    Null,
    /// A whole number, or a bool as 0 or 1.
    Integer(i64),
    /// A float.
    Real(f64),
    /// A text, or JSON.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// What a column of a database cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sample of the database is of type {kind}, which its value is not")]
pub struct WrongColumn {
    /// The number of the type.
    pub kind: i64,
}

/// Type and quality as one number, below 512.
#[must_use]
pub fn tag(reading: &Reading) -> i64 {
    let kind = match &reading.value {
        None => 0,
        Some(Value::Bool(_)) => 1,
        Some(Value::Int(_)) => 2,
        Some(Value::Float(_)) => 3,
        Some(Value::String(_)) => 4,
        Some(Value::Bytes(_)) => 5,
        Some(Value::Json(_)) => 6,
    };
    let quality = match &reading.quality {
        Quality::Good => 0,
        Quality::Bad(why) => why_number(why) * 2 + 1,
        Quality::Uncertain(why) => why_number(why) * 2 + 2,
    };
    kind | quality << 4
}

/// The reason of a quality, where no number stands for it.
#[must_use]
pub fn note(reading: &Reading) -> Option<&str> {
    match &reading.quality {
        Quality::Bad(Why::Other(text)) | Quality::Uncertain(Why::Other(text)) => Some(text.as_str()),
        Quality::Good | Quality::Bad(_) | Quality::Uncertain(_) => None,
    }
}

/// The value as a column.
#[must_use]
pub fn column(reading: &Reading) -> Column {
    match &reading.value {
        None => Column::Null,
        Some(Value::Bool(value)) => Column::Integer(i64::from(*value)),
        Some(Value::Int(value)) => Column::Integer(*value),
        Some(Value::Float(value)) => Column::Real(value.get()),
        Some(Value::String(value)) => Column::Text(value.clone()),
        Some(Value::Bytes(value)) => Column::Blob(value.clone()),
        Some(Value::Json(value)) => Column::Text(value.to_string()),
    }
}

/// The quality of a tag, with its note.
#[must_use]
pub fn quality(tag: i64, note: Option<String>) -> Quality {
    let why = |number: i64| match number {
        0 => Why::DeviceUnreachable,
        1 => Why::PointRefused,
        2 => Why::OutOfRange,
        3 => Why::WrongType,
        4 => Why::Stale,
        5 => Why::MapperDown,
        6 => Why::NotReadYet,
        8 => Why::Paused,
        _ => Why::Other(note.unwrap_or_default()),
    };
    match tag >> 4 {
        0 => Quality::Good,
        odd if odd & 1 == 1 => Quality::Bad(why(odd / 2)),
        even => Quality::Uncertain(why(even / 2 - 1)),
    }
}

/// The type of the value of a tag.
#[must_use]
pub fn kind(tag: i64) -> i64 {
    tag & 15
}

/// The value of a column of this type.
///
/// # Errors
/// [`WrongColumn`] when the column is not what such a value is kept as.
pub fn value(kind: i64, column: Column) -> Result<Option<Value>, WrongColumn> {
    let wrong = WrongColumn { kind };
    Ok(match (kind, column) {
        (0, _) => None,
        (1, Column::Integer(value)) => Some(Value::Bool(value != 0)),
        (2, Column::Integer(value)) => Some(Value::Int(value)),
        (3, Column::Real(value)) => Some(Value::float(value).map_err(|_| wrong)?),
        (4, Column::Text(value)) => Some(Value::String(value)),
        (5, Column::Blob(value)) => Some(Value::Bytes(value)),
        (6, Column::Text(value)) => Some(Value::Json(serde_json::from_str(&value).map_err(|_| wrong)?)),
        _ => return Err(wrong),
    })
}

fn why_number(why: &Why) -> i64 {
    match why {
        Why::DeviceUnreachable => 0,
        Why::PointRefused => 1,
        Why::OutOfRange => 2,
        Why::WrongType => 3,
        Why::Stale => 4,
        Why::MapperDown => 5,
        Why::NotReadYet => 6,
        Why::Other(_) => 7,
        Why::Paused => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn every_reading_reads_back_from_its_columns() {
        let whys = ["device_unreachable", "point_refused", "out_of_range", "wrong_type", "stale"];
        let qualities =
            whys.into_iter().chain(["mapper_down", "not_read_yet", "paused", "", "a word of its own"]);
        let qualities = qualities.flat_map(|why| {
            let why = Why::from_word(why);
            [Quality::Bad(why.clone()), Quality::Uncertain(why)]
        });
        let values = [
            None,
            Some(Value::Bool(true)),
            Some(Value::Int(i64::MIN)),
            Value::float(0.1).ok(),
            Some(Value::String("é".into())),
            Some(Value::Bytes(vec![0, 255])),
            Some(Value::Json(serde_json::json!({"a": [1, null]}))),
        ];
        for quality_ in qualities.chain([Quality::Good]) {
            for value_ in &values {
                let at = Timestamp::from_millis(0);
                let reading =
                    Reading { at, source_time: None, quality: quality_.clone(), value: value_.clone() };
                let tag = tag(&reading);
                assert_eq!(quality(tag, note(&reading).map(str::to_owned)), quality_);
                assert_eq!(value(kind(tag), column(&reading)), Ok(value_.clone()));
            }
        }
    }
}
