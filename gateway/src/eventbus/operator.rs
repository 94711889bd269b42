//! What people and applications ask for: a local operator's values.

use std::collections::{BTreeMap, BTreeSet};

use audit::{Action, Record};
use device_twin::OverrideRequest;
use mapper_contract::{
    ContractError, DeviceTopic, End, OverrideUpdate, Refusal, Topic, TwinChange, TwinDocument, UpdateResult,
};
use twin_core::{DeviceDefinition, DeviceId, Override, PropertyId, PropertyName, Timestamp};

use super::bus::EventBus;
use super::speaker::Speaker;
use super::translate;
use crate::clock::now;

impl EventBus {
    /// `twin/override/update`: sets and releases a local operator's values, all or none.
    pub(super) async fn override_update(
        &self,
        speaker: &Speaker,
        device: &DeviceId,
        payload: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let mut body = OverrideUpdate::parse(payload)?;
        body.by = speaker.name(std::mem::take(&mut body.by));
        let event_id = body.event_id.clone();
        let refuse = |error| Refusal { event_id: event_id.clone(), error };
        let unknown = || ContractError::UnknownDevice { device: device.clone() };
        let definition = self.inner.catalog.get(device).ok_or_else(|| refuse(unknown()))?;
        speaker.check_wants().map_err(&refuse)?;
        let by = body.by.clone();
        let requests = requests(device, &definition, body, now()).map_err(&refuse)?;
        self.set_overrides(device, event_id, &by, requests, Vec::new()).await
    }

    /// Sets overrides and gives the body of the result, in which the properties `also` stand as well.
    pub(super) async fn set_overrides(
        &self,
        device: &DeviceId,
        event_id: String,
        by: &str,
        requests: Vec<OverrideRequest>,
        also: Vec<PropertyName>,
    ) -> Result<Vec<u8>, Refusal> {
        let refuse = |error| Refusal { event_id: event_id.clone(), error };
        let mut before = self.stored(device, now()).await.map_err(&refuse)?;
        let wanted = requests.iter().map(|request| {
            let value = request.set.as_ref().map_or(serde_json::Value::Null, |set| set.value.to_json());
            (request.id.property.to_string(), value)
        });
        let subject = format!("twin/update {device}");
        self.write_down(by, subject, wanted.collect()).await.map_err(&refuse)?;
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

impl EventBus {
    /// Nothing is asked for that is not in the audit before.
    pub(super) async fn write_down(
        &self,
        by: &str,
        subject: String,
        new: serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), ContractError> {
        let mut record = Record::new(Action::Request);
        record.by = Some(by.strip_suffix("@mqtt").unwrap_or(by).to_owned());
        record.from = Some("mqtt".to_owned());
        record.subject = Some(subject);
        record.new = Some(new.into_iter().collect());
        let written = self.inner.audit.write(record).await;
        written.map(drop).map_err(|error| ContractError::Unavailable { reason: error.to_string() })
    }
}

/// The body in the service's words.
fn requests(
    device: &DeviceId,
    definition: &DeviceDefinition,
    body: OverrideUpdate,
    now: Timestamp,
) -> Result<Vec<OverrideRequest>, ContractError> {
    let by = body.by;
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
                Some(Override { value, set_by: by.clone(), set_at: now, expires_at })
            }
        };
        requests.push(OverrideRequest { id: PropertyId::new(device.clone(), property), set, if_match: None });
    }
    Ok(requests)
}
