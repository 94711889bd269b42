//! MQTT as a typed stream: it reconnects by itself, renews its subscriptions after every reconnect and keeps no state.
//!
//! [`MqttLink::connect`] gives three things: the [`MqttLink`] to run, a [`Handle`] to publish with and the [`Events`] to
//! listen to. Nothing is queued while the link is down: a publish is then refused at once, and the caller, who has the
//! newest state, sends that after the next [`Event::Connected`].
#![warn(missing_docs)]

mod acks;
mod backoff;
mod handle;
mod link;
mod settings;

pub use bytes::Bytes;
pub use handle::{Handle, PublishError, Qos};
pub use link::{Error, Event, Events, MqttLink};
pub use settings::{ClientIdentity, InvalidSettings, LastWill, LinkSettings};
