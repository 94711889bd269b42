//! The edge's end of the link: enrols once, keeps one WebSocket to the cloud open, and carries messages between the
//! service that owns the twins and the cloud.
#![warn(missing_docs)]

mod carry;
mod clock;
mod connect;
mod enrol;
mod error;
mod examine;
mod hub;
mod identity;
mod port;
mod renew;
mod settings;
mod status;
mod tls;

pub use error::{Error, LinkError};
pub use examine::{Examined, examine};
pub use hub::EdgeHub;
pub use settings::{CloudUrl, InvalidUrl, Settings};
pub use status::{LinkState, LinkStatus};
