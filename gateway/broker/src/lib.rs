//! The MQTT broker inside the gateway: rmqtt as a library behind one small module.
//!
//! MQTT 3.1.1 and 5 on one port. [`Rights`] say who may do what, a [`Tap`] gets every message that was allowed before
//! it is acknowledged, and [`Publisher`] publishes from inside. Nothing of rmqtt shows through.
#![warn(missing_docs)]

mod access;
mod broker;
mod filter;
mod hooks;
mod publisher;
mod retained;
mod rights;
mod sessions;
mod tls;

pub use access::{Access, MapperLogin, Says, User, UserRights};
pub use broker::{Broker, BrokerSettings, Error, StartError, TlsSettings};
pub use bytes::Bytes;
pub use publisher::{NotPublished, Publisher};
pub use rights::{Peer, Principal, Qos, Rights, Tap};
