//! The cloud's end of the link: a CA of its own, enrolment, one WebSocket per node, and the list of connected nodes.
#![warn(missing_docs)]

mod ca;
mod carry;
mod clock;
mod enrol;
mod hub;
mod inbox;
mod listener;
mod opening;
mod registry;
mod replicas;
mod revoked;
mod router;
mod settings;
mod tls;
mod token;

pub use ca::{Ca, CaError};
pub use hub::{CloudHub, Error};
pub use registry::{ConnectedNode, NodeRegistry};
pub use revoked::{RevokeError, revoke_node};
pub use settings::{Listen, Settings};
pub use token::{TokenError, create_join_token};
