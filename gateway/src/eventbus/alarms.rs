//! Alarms over MQTT: each is retained on a topic of its own, and people say what they do about them.

use device_twin::{AlarmAct, AlarmError, AlarmRequest};
use mapper_contract::{
    AlarmAction, AlarmFields, AlarmMessage, AlarmResult, AlarmUpdate, ContractError, Refusal, Topic,
};
use tracing::warn;
use twin_core::alarm::Person;
use twin_core::replica::Commit;
use twin_core::{Alarm, AlarmId, Change, DeviceId, PropertyId};

use super::bus::EventBus;
use super::speaker::Speaker;
use crate::clock::now;

impl EventBus {
    /// Publishes the alarms that a commit has changed.
    pub(super) fn publish_alarms(&self, commit: &Commit) {
        for entry in &commit.authored {
            if let Change::Alarm(id, alarm) = &entry.change {
                self.publish_alarm(id, alarm.as_ref());
            }
        }
    }

    /// Publishes every alarm: another broker may have been started anew.
    pub(super) async fn publish_all_alarms(&self) {
        match self.inner.reader.alarms().await {
            Ok(alarms) => alarms.iter().for_each(|(id, alarm, _)| self.publish_alarm(id, Some(alarm))),
            Err(error) => warn!(%error, "cannot read the alarms to publish them"),
        }
    }

    /// An empty retained message is how MQTT forgets one.
    fn publish_alarm(&self, id: &AlarmId, alarm: Option<&Alarm>) {
        let body = alarm.map_or_else(Vec::new, |alarm| {
            let alarm = AlarmFields::new(id, alarm);
            AlarmMessage { event_id: self.event_id(), timestamp: now().as_millis(), alarm }.encode()
        });
        self.say_retained(&Topic::Alarm(id.clone()), body);
    }

    /// `alarm/update`: acknowledges, shelves or unshelves an alarm.
    pub(super) async fn alarm_update(
        &self,
        speaker: &Speaker,
        device: &DeviceId,
        payload: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let AlarmUpdate { event_id, property, rule, action, by, comment } = AlarmUpdate::parse(payload)?;
        let refuse = |error| Refusal { event_id: event_id.clone(), error };
        speaker.check_wants().map_err(&refuse)?;
        let by = speaker.name(by);
        let subject = format!("alarm/update {device}");
        let asked = [(format!("{property}/{rule}"), action.word().into())];
        self.write_down(&by, subject, asked.into_iter().collect()).await.map_err(&refuse)?;
        let who = Person { by, comment };
        let act = match action {
            AlarmAction::Acknowledge => AlarmAct::Acknowledge(who),
            AlarmAction::Shelve(ms) => {
                AlarmAct::Shelve { until: now().after(std::time::Duration::from_millis(ms)), who }
            }
            AlarmAction::Unshelve => AlarmAct::Unshelve,
        };
        let id = AlarmId::new(PropertyId::new(device.clone(), property.clone()), rule);
        match self.inner.service.act_on_alarm(AlarmRequest { id: id.clone(), act }).await {
            Ok(alarm) => {
                let alarm = alarm.map(|alarm| AlarmFields::new(&id, &alarm));
                Ok(AlarmResult { event_id, timestamp: now().as_millis(), alarm }.encode())
            }
            Err(error) => {
                let reason = error.to_string();
                let error = match error {
                    AlarmError::Unknown { .. } | AlarmError::NotDone { .. } => {
                        ContractError::NotAcceptable { property, reason }
                    }
                    AlarmError::NotStored { .. } | AlarmError::Stopping => {
                        ContractError::Unavailable { reason }
                    }
                };
                Err(Refusal { event_id, error })
            }
        }
    }
}
