//! Values of OPC UA and values of a twin, both ways.

mod from_variant;
mod into_variant;
mod json;

pub use from_variant::value_of;
pub(crate) use from_variant::{moment, plain_value};
pub use into_variant::{Shape, variant_of};
