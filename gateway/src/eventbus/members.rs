//! Which devices there are, as KubeEdge's membership topics say it.

use mapper_contract::membership::Member;
use mapper_contract::{
    ContractError, DeviceTopic, GetRequest, MembershipResult, MembershipUpdated, NodeTopic, Refusal, Topic,
};
use twin_core::{Change, DeviceId, DeviceState};

use super::bus::EventBus;
use crate::clock::now;

impl EventBus {
    /// Tells which devices came and went, and lets the broker forget what was wanted of those that went.
    pub(super) fn publish_membership(&self, commit: &twin_core::replica::Commit) {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for entry in &commit.authored {
            match &entry.change {
                Change::Device(id, Some(device)) if self.inner.catalog.get(id).is_none() => {
                    added.push(member(id, device));
                }
                Change::Device(id, None) => removed.push(Member::new(id, None, DeviceState::Unknown)),
                Change::Device(..)
                | Change::Reported(..)
                | Change::Override(..)
                | Change::Desired(..)
                | Change::Alarm(..) => {}
            }
        }
        if added.is_empty() && removed.is_empty() {
            return;
        }
        for member in &removed {
            // An empty retained message is how MQTT forgets one.
            self.say_retained(&Topic::Device(member.id.clone(), DeviceTopic::TwinUpdateDelta), Vec::new());
        }
        let some = |members: Vec<Member>| (!members.is_empty()).then_some(members);
        let body = MembershipUpdated {
            event_id: self.event_id(),
            timestamp: now(),
            added_devices: some(added),
            removed_devices: some(removed),
        };
        self.say(&Topic::Node(self.inner.node.clone(), NodeTopic::MembershipUpdated), body.encode());
    }

    /// All devices of this node.
    pub(super) async fn members(&self, payload: &[u8]) -> Result<Vec<u8>, Refusal> {
        let GetRequest { event_id, .. } = GetRequest::parse(payload)?;
        match self.inner.reader.devices().await {
            Ok(devices) => {
                let devices = devices.iter().map(|(id, device, _)| member(id, device)).collect();
                Ok(MembershipResult { event_id, timestamp: now(), devices }.encode())
            }
            Err(error) => {
                Err(Refusal { event_id, error: ContractError::Internal { reason: error.to_string() } })
            }
        }
    }
}

fn member(id: &DeviceId, device: &twin_core::Device) -> Member {
    Member::new(id, device.definition.description.as_deref(), device.state)
}
