//! What is to be written down when a wish or an outcome is not what was known of it.

use audit::{Action, Outcome, Record};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twin_core::{Change, Part, PropertyId, Revision, Timestamp, WriteResult};

/// The parts that are looked at.
pub(super) const PARTS: [&str; 3] = [DESIRED, OVERRIDE, OUTCOME];
const DESIRED: &str = "desired";
const OVERRIDE: &str = "override";
const OUTCOME: &str = "outcome";

/// What is known of a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    /// Of the wish.
    revision: u64,
    value: Value,
    /// Whose wish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// Until when it holds, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    /// How its write ended; the reason is not compared, so that a device that is tried again and again is one record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<End>,
}

/// How a write ended. All ends of one kind are equal.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct End {
    of: String,
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
}

impl PartialEq for End {
    fn eq(&self, other: &Self) -> bool {
        (&self.of, &self.kind) == (&other.of, &other.kind)
    }
}

/// The part with this word.
pub(super) fn part(word: &str) -> Option<&'static str> {
    PARTS.into_iter().find(|part| *part == word)
}

/// What a change says of a wish or an outcome; none when it says nothing of either.
pub(super) fn of_change(
    change: &Change,
    revision: Revision,
) -> Option<(&PropertyId, &'static str, Option<Known>)> {
    match change {
        // Who acknowledges an alarm is in the audit as a request.
        Change::Device(..) | Change::Alarm(..) => None,
        Change::Desired(id, desired) => {
            let known = desired.as_ref().map(|desired| Known {
                revision: revision.get(),
                value: desired.value.to_json(),
                by: Some(desired.set_by.clone()),
                until: desired.valid_until.map(Timestamp::as_millis),
                result: None,
            });
            Some((id, DESIRED, known))
        }
        Change::Override(id, set) => {
            let known = set.as_ref().map(|set| Known {
                revision: revision.get(),
                value: set.value.to_json(),
                by: Some(set.set_by.clone()),
                until: set.expires_at.map(Timestamp::as_millis),
                result: None,
            });
            Some((id, OVERRIDE, known))
        }
        Change::Reported(id, reported) => {
            let outcome = reported.as_ref()?.outcome.as_ref()?;
            let (kind, reason) = match &outcome.result {
                WriteResult::Sent => return None,
                WriteResult::Applied => ("applied", ""),
                WriteResult::Refused { reason } => ("refused", reason.as_str()),
                WriteResult::Failed { reason, .. } => ("failed", reason.as_str()),
            };
            let of = match outcome.part {
                Part::Override => OVERRIDE,
                Part::Desired | Part::Reported | Part::Device | Part::Alarm => DESIRED,
            };
            let known = Known {
                revision: outcome.revision.get(),
                value: outcome.value.to_json(),
                by: None,
                until: None,
                result: Some(End { of: of.to_owned(), kind: kind.to_owned(), reason: reason.to_owned() }),
            };
            Some((id, OUTCOME, Some(known)))
        }
    }
}

/// The record of the step from what was known to what is found; none when it is worth none.
pub(super) fn compare(
    subject: &str,
    part: &'static str,
    known: Option<&Known>,
    found: Option<&Known>,
    now: Timestamp,
) -> Option<Record> {
    let action = match (part, found) {
        (DESIRED, Some(_)) => Action::DesiredSet,
        (DESIRED, None) => Action::DesiredRemoved,
        (OVERRIDE, Some(_)) => Action::OverrideSet,
        (OVERRIDE, None) => Action::OverrideReleased,
        (_, Some(_)) => Action::Write,
        // The device is gone, and with it what it has answered.
        (_, None) => return None,
    };
    let mut record = Record::new(action);
    record.subject = Some(subject.to_owned());
    let Some(found) = found else {
        record.old = known.map(|known| known.value.clone());
        record.revision = known.map(|known| known.revision);
        let over = known.and_then(|known| known.until).is_some_and(|until| until <= now.as_millis());
        record.note = over.then(|| "its time was over".to_owned());
        record.from = (part == DESIRED).then(|| "cloud".to_owned());
        return Some(record);
    };
    record.new = Some(found.value.clone());
    record.revision = Some(found.revision);
    if let Some(end) = &found.result {
        let reason = end.reason.clone();
        record.outcome = Some(match end.kind.as_str() {
            "applied" => Outcome::Applied,
            "refused" => Outcome::Refused(reason),
            _ => Outcome::Failed(reason),
        });
        record.note = Some(format!("of {}", end.of));
        return Some(record);
    }
    record.old = known.map(|known| known.value.clone());
    (record.by, record.from) = who(part, found.by.as_deref());
    record.note = found.until.map(|until| format!("until {until} ms"));
    Some(record)
}

/// `NAME@ADDRESS` in its two parts; what the cloud says of its own is left as it is.
fn who(part: &str, by: Option<&str>) -> (Option<String>, Option<String>) {
    if part == DESIRED {
        return (by.map(str::to_owned), Some("cloud".to_owned()));
    }
    match by.and_then(|by| by.rsplit_once('@')) {
        Some((name, address)) => (Some(name.to_owned()), Some(address.to_owned())),
        None => (by.map(str::to_owned), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::{Override, Quality, Reported, Value as TwinValue};

    fn id() -> PropertyId {
        PropertyId::new("pump".parse().unwrap(), "speed".parse().unwrap())
    }

    fn set(value: i64, until: Option<i64>) -> Known {
        let set = Override {
            value: TwinValue::Int(value),
            set_by: "maria@10.0.0.5".into(),
            set_at: Timestamp::default(),
            expires_at: until.map(Timestamp::from_millis),
        };
        of_change(&Change::Override(id(), Some(set)), Revision::new(7)).unwrap().2.unwrap()
    }

    fn answered(result: WriteResult) -> Option<Known> {
        let outcome = twin_core::Outcome {
            part: Part::Override,
            revision: Revision::new(7),
            value: TwinValue::Int(5),
            result,
            at: Timestamp::default(),
        };
        let reported = Reported {
            value: None,
            quality: Quality::Good,
            source_time: None,
            gateway_time: None,
            outcome: Some(outcome),
        };
        of_change(&Change::Reported(id(), Some(reported)), Revision::new(9)).and_then(|(.., known)| known)
    }

    #[test]
    fn a_value_that_is_set_over_another_names_both_and_whose_it_is() {
        let (old, new) = (set(4, None), set(5, Some(99)));
        let record = compare("default/pump/speed", OVERRIDE, Some(&old), Some(&new), Timestamp::default());
        let record = record.unwrap();
        assert_eq!(record.action, Action::OverrideSet);
        assert_eq!((record.old, record.new), (Some(4.into()), Some(5.into())));
        assert_eq!((record.by.as_deref(), record.from.as_deref()), (Some("maria"), Some("10.0.0.5")));
        assert_eq!((record.revision, record.note.as_deref()), (Some(7), Some("until 99 ms")));
    }

    #[test]
    fn an_override_that_is_gone_says_whether_its_time_was_over() {
        let note = |until, now| {
            let known = set(4, until);
            compare("x", OVERRIDE, Some(&known), None, Timestamp::from_millis(now)).unwrap().note
        };
        assert_eq!(note(Some(99), 99).as_deref(), Some("its time was over"));
        assert_eq!(note(Some(99), 98), None);
        assert_eq!(note(None, 98), None);
    }

    #[test]
    fn a_write_that_fails_again_is_the_same_and_one_that_is_applied_is_not() {
        let failed = |reason: &str| {
            answered(WriteResult::Failed { reason: reason.into(), retry_at: Some(Timestamp::default()) })
        };
        assert_eq!(failed("no answer"), failed("connection refused"));
        assert_ne!(failed("no answer"), answered(WriteResult::Applied));
        assert_eq!(answered(WriteResult::Sent), None);
        let record = compare("x", OUTCOME, None, failed("no answer").as_ref(), Timestamp::default()).unwrap();
        assert_eq!(record.outcome, Some(Outcome::Failed("no answer".into())));
        assert_eq!((record.revision, record.note.as_deref()), (Some(7), Some("of override")));
    }
}
