//! What people and applications ask for: a local operator's values.

use std::collections::{BTreeMap, BTreeSet};

use device_twin::OverrideRequest;
use mapper_contract::{
    ContractError, DeviceTopic, End, OverrideUpdate, Refusal, Topic, TwinChange, TwinDocument, UpdateResult,
};
use twin_core::{DeviceDefinition, DeviceId, Override, PropertyId, PropertyName, Timestamp};

use super::bus::EventBus;
use super::translate;
use crate::clock::now;

/// Who wants what comes over MQTT without a name.
pub(super) const NOBODY: &str = "mqtt";

impl EventBus {
    /// `twin/override/update`: sets and releases a local operator's values, all or none.
    pub(super) async fn override_update(
        &self,
        device: &DeviceId,
        payload: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let body = OverrideUpdate::parse(payload)?;
        let event_id = body.event_id.clone();
        let refuse = |error| Refusal { event_id: event_id.clone(), error };
        let unknown = || ContractError::UnknownDevice { device: device.clone() };
        let definition = self.inner.catalog.get(device).ok_or_else(|| refuse(unknown()))?;
        let requests = requests(device, &definition, body, now()).map_err(&refuse)?;
        self.set_overrides(device, event_id, requests, Vec::new()).await
    }

    /// Sets overrides and gives the body of the result, in which the properties `also` stand as well.
    pub(super) async fn set_overrides(
        &self,
        device: &DeviceId,
        event_id: String,
        requests: Vec<OverrideRequest>,
        also: Vec<PropertyName>,
    ) -> Result<Vec<u8>, Refusal> {
        let refuse = |error| Refusal { event_id: event_id.clone(), error };
        let mut before = self.stored(device, now()).await.map_err(&refuse)?;
        let names: Vec<_> = requests.iter().map(|request| request.id.property.clone()).collect();
        let set = self.inner.service.set_overrides(requests).await;
        set.map_err(|e| refuse(translate::refusal(e)))?;
        let timestamp = now();
        let mut after = self.stored(device, timestamp).await.map_err(&refuse)?;
        let mut document = TwinDocument { event_id: event_id.clone(), timestamp, twin: BTreeMap::new() };
        let mut twin = BTreeMap::new();
        for name in names.into_iter().chain(also).collect::<BTreeSet<_>>() {
            let current = after.remove(&name).flatten();
            let last = before.remove(&name).flatten();
            document.twin.insert(name.clone(), TwinChange { last, current: current.clone() });
            twin.insert(name, current);
        }
        self.say(&Topic::Device(device.clone(), DeviceTopic::TwinUpdateDocument), document.encode());
        Ok(UpdateResult { event_id, timestamp, twin }.encode())
    }
}

/// The body in the service's words.
fn requests(
    device: &DeviceId,
    definition: &DeviceDefinition,
    body: OverrideUpdate,
    now: Timestamp,
) -> Result<Vec<OverrideRequest>, ContractError> {
    let by = if body.by.is_empty() { NOBODY } else { body.by.as_str() };
    let mut requests = Vec::with_capacity(body.overrides.len());
    for (property, wanted) in body.overrides {
        let Some(known) = definition.properties.get(&property) else {
            return Err(ContractError::UnknownProperty { device: device.clone(), property });
        };
        let set = match wanted {
            None => None,
            Some(wanted) => {
                let wrong = |mismatch| ContractError::WrongType { property: property.clone(), mismatch };
                let value = wanted.value.decode(known.value_type).map_err(wrong)?;
                let expires_at = match wanted.end {
                    None => None,
                    Some(End::In(ms)) => Some(now.after(std::time::Duration::from_millis(ms))),
                    Some(End::At(at)) => Some(at),
                };
                if let Some(past) = expires_at.filter(|at| *at <= now) {
                    let reason =
                        format!("`until` {} is past, it is {} now", past.as_millis(), now.as_millis());
                    return Err(ContractError::NotAcceptable { property, reason });
                }
                Some(Override { value, set_by: by.to_owned(), set_at: now, expires_at })
            }
        };
        requests.push(OverrideRequest { id: PropertyId::new(device.clone(), property), set, if_match: None });
    }
    Ok(requests)
}
