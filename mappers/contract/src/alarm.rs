//! `alarm/update`, its result, and `alarm/state/{property}/{rule}` (retained): alarms.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use twin_core::{Alarm, AlarmId, AlarmState, DeviceId, PropertyName, RuleName, Severity, Timestamp};

use crate::error::{ContractError, Refusal};
use crate::result::{Answer, answer};
use crate::wire;

/// The body of `alarm/update`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmUpdate {
    /// Echoed in the answer; may be empty.
    pub event_id: String,
    /// The property that has the rule.
    pub property: PropertyName,
    /// The rule.
    pub rule: RuleName,
    /// What is to be done about the alarm.
    pub action: AlarmAction,
    /// Who does it; empty where nobody is named.
    pub by: String,
    /// What they have to say.
    pub comment: Option<String>,
}

/// What can be done about an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmAction {
    /// Somebody knows of it.
    Acknowledge,
    /// It is put away for so many milliseconds.
    Shelve(u64),
    /// It is taken from the shelf.
    Unshelve,
}

/// One alarm as it stands: the body of `alarm/state/{property}/{rule}`, and in a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmFields {
    /// `namespace/name`.
    pub device: DeviceId,
    /// The property.
    pub property: PropertyName,
    /// The rule.
    pub rule: RuleName,
    /// The one word.
    pub state: AlarmState,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, for people.
    pub message: String,
    /// Whether the rule is broken, on the shelf as well.
    pub active: bool,
    /// How often it was raised.
    pub raised: u64,
    /// When it was raised last, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_at: Option<i64>,
    /// The value that raised it, as JSON of its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// When it was cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_at: Option<i64>,
    /// Why it cannot be judged now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// When it was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<i64>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// Until when it is shelved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelved_until: Option<i64>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelved_by: Option<String>,
    /// What whoever shelved or acknowledged it had to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The body of `alarm/state/{property}/{rule}`. An empty body: there is no such alarm (any more).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmMessage {
    /// The gateway's id of this message.
    #[serde(default, deserialize_with = "wire::text")]
    pub event_id: String,
    /// When it was sent, in milliseconds since 1970.
    pub timestamp: i64,
    /// The alarm.
    pub alarm: AlarmFields,
}

/// The body of `alarm/update/result`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmResult {
    /// The event id of the request.
    #[serde(default, deserialize_with = "wire::text")]
    pub event_id: String,
    /// When it was answered, in milliseconds since 1970.
    pub timestamp: i64,
    /// The alarm as it now stands; none when nothing is left of it.
    #[serde(default)]
    pub alarm: Option<AlarmFields>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default, deserialize_with = "wire::text")]
    event_id: String,
    #[serde(default, deserialize_with = "wire::text")]
    property: String,
    #[serde(default, deserialize_with = "wire::text")]
    rule: String,
    #[serde(default, deserialize_with = "wire::text")]
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    for_ms: Option<u64>,
    #[serde(default, deserialize_with = "wire::text", skip_serializing_if = "String::is_empty")]
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

impl AlarmAction {
    /// The one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Shelve(_) => "shelve",
            Self::Unshelve => "unshelve",
        }
    }
}

impl AlarmUpdate {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Refusal`] with the event id as far as one can be found.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let wire: Wire = wire::read(body)?;
        let event_id = wire::checked_event_id(wire.event_id)?;
        let shape = |reason: &str| Refusal {
            event_id: event_id.clone(),
            error: ContractError::WrongShape { reason: reason.to_owned() },
        };
        let action = match (wire.action.as_str(), wire.for_ms) {
            ("acknowledge", None) => AlarmAction::Acknowledge,
            ("shelve", Some(ms)) => AlarmAction::Shelve(ms),
            ("unshelve", None) => AlarmAction::Unshelve,
            ("shelve", None) => return Err(shape("`for_ms` says for how many milliseconds it is shelved")),
            ("acknowledge" | "unshelve", Some(_)) => return Err(shape("`for_ms` is for `shelve`")),
            (_, _) => return Err(shape("`action` is acknowledge, shelve or unshelve")),
        };
        let name = |error: twin_core::InvalidId| Refusal { event_id: event_id.clone(), error: error.into() };
        let property = wire.property.parse().map_err(name)?;
        let rule = wire.rule.parse().map_err(name)?;
        Ok(Self { property, rule, action, by: wire.by, comment: wire.comment, event_id })
    }

    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&Wire {
            event_id: self.event_id.clone(),
            property: self.property.as_str().to_owned(),
            rule: self.rule.as_str().to_owned(),
            action: self.action.word().to_owned(),
            for_ms: match self.action {
                AlarmAction::Shelve(ms) => Some(ms),
                AlarmAction::Acknowledge | AlarmAction::Unshelve => None,
            },
            by: self.by.clone(),
            comment: self.comment.clone(),
        })
    }
}

impl AlarmFields {
    /// An alarm as it stands.
    #[must_use]
    pub fn new(id: &AlarmId, alarm: &Alarm) -> Self {
        let (acknowledged, shelved) = (alarm.acknowledged.as_ref(), alarm.shelved.as_ref());
        Self {
            device: id.device().clone(),
            property: id.property().property.clone(),
            rule: id.rule().clone(),
            state: alarm.state(),
            severity: alarm.severity,
            message: alarm.message.clone(),
            active: alarm.active,
            raised: alarm.raised,
            raised_at: alarm.raised_at.map(Timestamp::as_millis),
            value: alarm.value.as_ref().map(twin_core::Value::to_json),
            cleared_at: alarm.cleared_at.map(Timestamp::as_millis),
            held: alarm.held.as_ref().map(|why| why.word().to_owned()),
            acknowledged_at: acknowledged.map(|a| a.at.as_millis()),
            acknowledged_by: acknowledged.map(|a| a.by.clone()),
            shelved_until: shelved.map(|s| s.until.as_millis()),
            shelved_by: shelved.map(|s| s.by.clone()),
            comment: shelved.map_or_else(
                || acknowledged.and_then(|a| a.comment.clone()),
                |shelved| shelved.comment.clone(),
            ),
        }
    }
}

impl AlarmMessage {
    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads a body; none where it is empty.
    ///
    /// # Errors
    /// [`Refusal`] when it is no alarm.
    pub fn parse(body: &[u8]) -> Result<Option<Self>, Refusal> {
        if body.is_empty() { Ok(None) } else { wire::read(body).map(Some) }
    }
}

impl AlarmResult {
    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads a body, which may be an error.
    ///
    /// # Errors
    /// [`Refusal`] when it is neither.
    pub fn parse(body: &[u8]) -> Result<Answer<Self>, Refusal> {
        answer(body, wire::read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_alarm_update_survives_the_wire(
            event_id in ".{0,20}", by in ".{0,20}", comment in option::of(".{0,20}"),
            action in prop_oneof![Just(AlarmAction::Acknowledge), any::<u64>().prop_map(AlarmAction::Shelve), Just(AlarmAction::Unshelve)],
        ) {
            let (property, rule) = ("a/b".parse().unwrap(), "hot".parse().unwrap());
            let update = AlarmUpdate { event_id, property, rule, action, by, comment };
            prop_assert_eq!(AlarmUpdate::parse(&update.encode()).unwrap(), update);
        }

        #[test]
        fn no_bytes_make_an_alarm_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = AlarmUpdate::parse(&bytes);
            let _ = AlarmMessage::parse(&bytes);
            let _ = AlarmResult::parse(&bytes);
        }
    }

    #[test]
    fn an_alarm_is_read_as_it_is_written() {
        let id = AlarmId::from_column("pump".parse().unwrap(), "t/hot").unwrap();
        let at = Timestamp::from_millis(5);
        let alarm = Alarm {
            severity: Severity::Critical,
            message: "too hot".into(),
            active: true,
            raised_at: Some(at),
            value: Some(twin_core::Value::Int(81)),
            raised: 2,
            cleared_at: None,
            held: Some(twin_core::Why::Stale),
            acknowledged: None,
            shelved: Some(twin_core::Shelving { at, until: at, by: "anna".into(), comment: None }),
        };
        let message =
            AlarmMessage { event_id: "7".into(), timestamp: 9, alarm: AlarmFields::new(&id, &alarm) };
        let body = message.encode();
        assert_eq!(AlarmMessage::parse(&body).unwrap(), Some(message));
        let json: Json = serde_json::from_slice(&body).unwrap();
        assert_eq!((&json["alarm"]["state"], &json["alarm"]["value"]), (&"shelved".into(), &81.into()));
        assert_eq!(AlarmMessage::parse(b"").unwrap(), None);
    }
}
