//! Documents as rows and back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use twin_core::{AlarmId, Change, DeviceId, Entry, Part, PropertyId, Revision};

use crate::error::StoreError;

/// The number that SQLite stores for a revision.
pub(crate) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(i64::MAX)
}

/// The revision that SQLite has stored as `number`.
pub(crate) fn revision(number: i64) -> Revision {
    Revision::new(u64::try_from(number).unwrap_or(0))
}

/// The body of a document as JSON text; none for a deletion.
pub(crate) fn body(change: &Change) -> Result<Option<String>, StoreError> {
    match change {
        Change::Device(_, body) => text(change, body.as_ref()),
        Change::Reported(_, body) => text(change, body.as_ref()),
        Change::Override(_, body) => text(change, body.as_ref()),
        Change::Desired(_, body) => text(change, body.as_ref()),
        Change::Alarm(_, body) => text(change, body.as_ref()),
    }
}

fn text<T: Serialize>(change: &Change, body: Option<&T>) -> Result<Option<String>, StoreError> {
    body.map(|body| {
        serde_json::to_string(body).map_err(|error| corrupt(&format!("{:?}", change.key()), &error))
    })
    .transpose()
}

/// A row's columns as an entry.
pub(crate) fn entry(
    part: i64,
    device: &str,
    property: &str,
    revision_number: i64,
    body: Option<&str>,
) -> Result<Entry, StoreError> {
    let what = || format!("part {part}, device {device}, property {property}");
    let device: DeviceId = device.parse().map_err(|error| corrupt(&what(), &error))?;
    let id = || -> Result<PropertyId, StoreError> {
        let property = property.parse().map_err(|error| corrupt(&what(), &error))?;
        Ok(PropertyId::new(device.clone(), property))
    };
    let change = match Part::from_number(part) {
        Some(Part::Device) => Change::Device(device.clone(), parsed(body, &what)?),
        Some(Part::Reported) => Change::Reported(id()?, parsed(body, &what)?),
        Some(Part::Override) => Change::Override(id()?, parsed(body, &what)?),
        Some(Part::Desired) => Change::Desired(id()?, parsed(body, &what)?),
        Some(Part::Alarm) => {
            let id =
                AlarmId::from_column(device.clone(), property).map_err(|error| corrupt(&what(), &error))?;
            Change::Alarm(id, parsed(body, &what)?)
        }
        None => return Err(corrupt(&what(), &"no such part")),
    };
    Ok(Entry { revision: revision(revision_number), change })
}

/// A body of one type.
pub(crate) fn parsed<T: DeserializeOwned>(
    body: Option<&str>,
    what: &dyn Fn() -> String,
) -> Result<Option<T>, StoreError> {
    body.map(|body| serde_json::from_str(body).map_err(|error| corrupt(&what(), &error))).transpose()
}

/// A row that cannot be read.
pub(crate) fn corrupt(what: &str, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what: what.to_owned(), reason: reason.to_string() }
}
