//! From what was written to what is meant: defaults, models, references, and the rules between keys.

mod alarms;
mod device;
mod gateway;
mod guard;
mod model;
mod parameter;
mod placeholder;
mod property;
mod rights;
mod secrets;
mod shares;
mod table;

use twin_core::InvalidId;

use crate::decode::{Sink, Spot};

pub(crate) use device::{Devices, Shop, devices};
pub(crate) use gateway::gateway;
pub(crate) use guard::interlocks;
pub(crate) use model::models;
pub(crate) use secrets::Secrets;
pub(crate) use table::{Tables, tables};

/// A key that must be a name; a fault where it is none.
fn name<T: std::str::FromStr<Err = InvalidId>>(spot: &Spot<'_>, key: &str, sink: &mut Sink) -> Option<T> {
    key.parse::<T>()
        .map_err(|error| {
            let message = format!("`{}` is not a {}", crate::scalar::cut(&error.text), error.what);
            sink.fault(spot.head_finding(message).hint(error.rule));
        })
        .ok()
}
