//! One alarm as it is stored and sent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::InvalidId;
use crate::quality::Why;
use crate::time::Timestamp;
use crate::value::Value;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be known.
    Info,
    /// To be looked at.
    #[default]
    Warning,
    /// To be acted on at once.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What an alarm is in, as everybody shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// Its rule is broken, and nobody has acknowledged that.
    Active,
    /// Its rule is broken, and somebody knows.
    Acknowledged,
    /// Its rule is kept again, but nobody has acknowledged that it was broken.
    ClearedUnacknowledged,
    /// Its rule is kept again, and somebody knows that it was broken.
    Cleared,
    /// Somebody has put it away for a time, whatever its rule says.
    Shelved,
}

impl AlarmState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Active, Self::Acknowledged, Self::ClearedUnacknowledged, Self::Cleared, Self::Shelved];

    /// The one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Acknowledged => "acknowledged",
            Self::ClearedUnacknowledged => "cleared_unacknowledged",
            Self::Cleared => "cleared",
            Self::Shelved => "shelved",
        }
    }
}

macro_rules! word_enum {
    ($name:ident, $what:literal, $rule:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::ALL
                    .into_iter()
                    .find(|one| one.word() == text)
                    .ok_or_else(|| InvalidId::new(text, $what, $rule))
            }
        }
    };
}
word_enum!(Severity, "severity", "use `info`, `warning` or `critical`");
word_enum!(
    AlarmState,
    "state of an alarm",
    "use `active`, `acknowledged`, `cleared_unacknowledged`, `cleared` or `shelved`"
);

/// Somebody has taken note of an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What they had to say, at most [`Alarm::MAX_COMMENT_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Somebody has put an alarm away for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelving {
    /// When.
    pub at: Timestamp,
    /// Until when: never without an end.
    pub until: Timestamp,
    /// Who.
    pub by: String,
    /// What they had to say, at most [`Alarm::MAX_COMMENT_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The newest raise of a rule, and what people did about it. It stays after it was cleared, until the rule or the
/// device is gone: one document for each rule, however often it flaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, for people.
    pub message: String,
    /// Whether the rule is broken.
    pub active: bool,
    /// Since when it was broken, this time or the last; none when it was shelved before it ever was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_at: Option<Timestamp>,
    /// The value that broke it; none where there was none, as for one that got stale before the first read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// How often it was raised; counted from when the document was made.
    #[serde(default)]
    pub raised: u64,
    /// When the rule was kept again; none while it is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_at: Option<Timestamp>,
    /// Why the rule cannot be judged now, so that `active` stays as it was: the quality of the property is not good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Why>,
    /// Who knows of this raise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
    /// Who has put it away, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelved: Option<Shelving>,
}

impl Alarm {
    /// The longest comment that is taken, in bytes.
    pub const MAX_COMMENT_BYTES: usize = 1024;
    /// The longest message that is taken, in bytes.
    pub const MAX_MESSAGE_BYTES: usize = 1024;

    /// The one word.
    #[must_use]
    pub fn state(&self) -> AlarmState {
        match (&self.shelved, self.active, &self.acknowledged) {
            (Some(_), _, _) => AlarmState::Shelved,
            (None, true, None) => AlarmState::Active,
            (None, true, Some(_)) => AlarmState::Acknowledged,
            (None, false, None) => AlarmState::ClearedUnacknowledged,
            (None, false, Some(_)) => AlarmState::Cleared,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::value::tests::any_value;
    use proptest::option::of;
    use proptest::prelude::*;

    fn any_time() -> impl Strategy<Value = Timestamp> {
        any::<i64>().prop_map(Timestamp::from_millis)
    }

    fn any_why() -> impl Strategy<Value = Why> {
        prop_oneof![
            Just(Why::Stale),
            Just(Why::DeviceUnreachable),
            "[a-z ]{1,20}".prop_map(|w| Why::from_word(&w))
        ]
    }

    fn any_acknowledgement() -> impl Strategy<Value = Acknowledgement> {
        (any_time(), ".{0,20}", of(".{0,40}")).prop_map(|(at, by, comment)| Acknowledgement {
            at,
            by,
            comment,
        })
    }

    fn any_shelving() -> impl Strategy<Value = Shelving> {
        (any_time(), any_time(), ".{0,20}", of(".{0,40}")).prop_map(|(at, until, by, comment)| Shelving {
            at,
            until,
            by,
            comment,
        })
    }

    pub(crate) fn any_alarm() -> impl Strategy<Value = Alarm> {
        let process = (
            proptest::sample::select(Severity::ALL.to_vec()),
            ".{0,40}",
            any::<bool>(),
            of(any_time()),
            of(any_value()),
            any::<u64>(),
            of(any_time()),
            of(any_why()),
        );
        (process, of(any_acknowledgement()), of(any_shelving())).prop_map(
            |(
                (severity, message, active, raised_at, value, raised, cleared_at, held),
                acknowledged,
                shelved,
            )| Alarm {
                severity,
                message,
                active,
                raised_at,
                value,
                raised,
                cleared_at,
                held,
                acknowledged,
                shelved,
            },
        )
    }

    proptest! {
        #[test]
        fn an_alarm_survives_being_written_and_read(alarm in any_alarm()) {
            let json = serde_json::to_string(&alarm).unwrap();
            prop_assert_eq!(serde_json::from_str::<Alarm>(&json).unwrap(), alarm);
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for severity in Severity::ALL {
            assert_eq!(severity.word().parse(), Ok(severity));
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.word());
        }
        for state in AlarmState::ALL {
            assert_eq!(state.word().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
        assert!("loud".parse::<Severity>().unwrap_err().to_string().contains("`critical`"));
    }

    #[test]
    fn cleared_but_not_acknowledged_is_told_apart() {
        let at = Timestamp::from_millis(1);
        let mut alarm = Alarm {
            severity: Severity::Critical,
            message: "too hot".into(),
            active: true,
            raised_at: Some(at),
            value: Some(Value::Int(81)),
            raised: 1,
            cleared_at: None,
            held: None,
            acknowledged: None,
            shelved: None,
        };
        assert_eq!(alarm.state(), AlarmState::Active);
        alarm.active = false;
        assert_eq!(alarm.state(), AlarmState::ClearedUnacknowledged);
        alarm.acknowledged = Some(Acknowledgement { at, by: "anna".into(), comment: None });
        assert_eq!(alarm.state(), AlarmState::Cleared);
        alarm.active = true;
        assert_eq!(alarm.state(), AlarmState::Acknowledged);
        alarm.shelved = Some(Shelving { at, until: at, by: "anna".into(), comment: None });
        assert_eq!(alarm.state(), AlarmState::Shelved);
    }
}
