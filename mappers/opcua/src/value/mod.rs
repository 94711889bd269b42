//! Values of OPC UA and values of a twin, both ways.

mod from_variant;
mod into_variant;
mod json;

pub(crate) use from_variant::moment;
pub use from_variant::value_of;
pub use into_variant::{Shape, variant_of};
