//! What comes with a request, read as its route reads it, without a gateway behind: what every parser of outside bytes has
//! to stand can be tried on it.

use axum::extract::Query;
use http::Uri;
use twin_api::{Problem, ProblemKind};
use twin_core::{Access, DeviceDefinition, PropertyDefinition, Timestamp, ValueType};
use twin_store::ChangesToken;

use super::actions::PauseRequest;
use super::chosen::Filter;
use super::config::{ApplyRequest, RollbackRequest};
use super::{input, values};

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The query of the list of devices.
    Devices,
    /// The query of many values.
    Values,
    /// The place in the changes.
    Changes,
    /// The body that sets overrides.
    Patch,
    /// The body that pauses a device.
    Pause,
    /// The body with a configuration.
    Apply,
    /// The body that names an earlier configuration.
    Rollback,
}

/// Reads it.
///
/// # Errors
/// The [`Problem`] that the route would answer.
pub fn ask(kind: Kind, bytes: &[u8]) -> Result<(), Problem> {
    let bad = |detail: String| Problem::new(ProblemKind::BadRequest, detail);
    let text = || std::str::from_utf8(bytes).map_err(|error| bad(error.to_string()));
    match kind {
        Kind::Devices => {
            let uri: Uri = format!("/?{}", text()?).parse().map_err(|_| bad("no path".to_owned()))?;
            let read = Query::<Filter>::try_from_uri(&uri);
            read.map(|_| ()).map_err(|error| bad(super::problem::short(&error.body_text())))
        }
        Kind::Values => values::asked(text()?).map(|_| ()).map_err(|rejection| rejection.0),
        Kind::Changes => text()?.parse::<ChangesToken>().map(|_| ()).map_err(|error| bad(error.to_string())),
        Kind::Patch => {
            let patch = read(bytes)?;
            let property = |name: &str, value_type| {
                Some((name.parse().ok()?, PropertyDefinition::new(value_type, Access::ReadWrite)))
            };
            let properties = [property("speed", ValueType::Int), property("recipe", ValueType::Json)];
            let definition = DeviceDefinition {
                properties: properties.into_iter().flatten().collect(),
                ..DeviceDefinition::default()
            };
            let id = "pump".parse().map_err(|error: twin_core::InvalidId| bad(error.to_string()))?;
            twin_api::read_wishes(&id, &definition, &patch, Timestamp::from_millis(1000)).map(|_| ())
        }
        Kind::Pause => read::<PauseRequest>(bytes).map(|_| ()),
        Kind::Apply => read::<ApplyRequest>(bytes).map(|_| ()),
        Kind::Rollback => read::<RollbackRequest>(bytes).map(|_| ()),
    }
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    input::parse(bytes).map_err(|rejection| rejection.0)
}
