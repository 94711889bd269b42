//! `membership/get/result` and `membership/updated`: the devices of a node. The request is a
//! [`GetRequest`](crate::get::GetRequest).

use serde::{Deserialize, Serialize};
use twin_core::{DeviceId, DeviceState, Timestamp};

use crate::error::Refusal;
use crate::state::state_word;
use crate::wire;

/// A device in a membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// `namespace/name`.
    pub id: DeviceId,
    /// The name without the namespace, as in KubeEdge.
    pub name: String,
    /// A line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// `online`, `offline` or `unknown`; empty where nothing is said of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
}

/// The body of `membership/get/result`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MembershipResult {
    /// The event id of the request.
    #[serde(default, deserialize_with = "wire::text")]
    pub event_id: String,
    /// When it was answered.
    #[serde(default)]
    pub timestamp: Timestamp,
    /// All devices of the node.
    #[serde(default)]
    pub devices: Vec<Member>,
}

/// The body of `membership/updated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MembershipUpdated {
    /// The gateway's id of this message.
    #[serde(default, deserialize_with = "wire::text")]
    pub event_id: String,
    /// When it was sent.
    #[serde(default)]
    pub timestamp: Timestamp,
    /// Devices that came; absent when none did.
    #[serde(default)]
    pub added_devices: Option<Vec<Member>>,
    /// Devices that went; absent when none did.
    #[serde(default)]
    pub removed_devices: Option<Vec<Member>>,
}

impl Member {
    /// The member for `device`.
    #[must_use]
    pub fn new(device: &DeviceId, description: Option<&str>, state: DeviceState) -> Self {
        Self {
            id: device.clone(),
            name: device.name().to_owned(),
            description: description.unwrap_or_default().to_owned(),
            state: state_word(state).to_owned(),
        }
    }
}

impl MembershipResult {
    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal`] when it is no such result.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        wire::read(body)
    }
}

impl MembershipUpdated {
    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal`] when it is no such message.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        wire::read(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::property::tests::any_time;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    fn any_members() -> impl Strategy<Value = Vec<Member>> {
        let member =
            ("[a-z]{1,8}", "[a-z]{1,8}", option::of(".{0,20}")).prop_map(|(ns, name, description)| {
                Member::new(&DeviceId::new(&ns, &name).unwrap(), description.as_deref(), DeviceState::Online)
            });
        vec(member, 0..4)
    }

    proptest! {
        #[test]
        fn memberships_survive_the_wire(
            event_id in ".{0,20}", timestamp in any_time(), devices in any_members(),
            added_devices in option::of(any_members()), removed_devices in option::of(any_members())
        ) {
            let result = MembershipResult { event_id: event_id.clone(), timestamp, devices };
            prop_assert_eq!(MembershipResult::parse(&result.encode()).unwrap(), result);
            let updated = MembershipUpdated { event_id, timestamp, added_devices, removed_devices };
            prop_assert_eq!(MembershipUpdated::parse(&updated.encode()).unwrap(), updated);
        }

        #[test]
        fn no_bytes_make_a_membership_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = MembershipResult::parse(&bytes);
            let _ = MembershipUpdated::parse(&bytes);
        }
    }
}
