//! What an integrator may write, as plain types: their field names are the keys of the file, their documentation is
//! that of the JSON Schema.

pub(crate) mod device;
pub(crate) mod gateway;
pub(crate) mod guard;
pub(crate) mod history;
pub(crate) mod parameter;
pub(crate) mod property;
pub(crate) mod rights;
