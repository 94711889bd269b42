//! Alarms, and what can be asked of them.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use twin_core::{Alarm, AlarmId, AlarmState, Revision, Severity, Timestamp};
use utoipa::ToSchema;

use crate::problem::{Problem, ProblemKind};

/// One alarm as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlarmView {
    /// The node; left out at the edge, which has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The device, `namespace/name`.
    pub device: String,
    /// The property.
    pub property: String,
    /// The rule of the property that gave it.
    pub rule: String,
    /// `active`, `acknowledged`, `cleared_unacknowledged`, `cleared` or `shelved`.
    #[schema(value_type = String)]
    pub state: AlarmState,
    /// `info`, `warning` or `critical`.
    #[schema(value_type = String)]
    pub severity: Severity,
    /// What is wrong, for people.
    pub message: String,
    /// Whether the rule is broken, on the shelf as well.
    pub active: bool,
    /// How often it was raised.
    pub raised: u64,
    /// When it was raised last; left out when it was shelved before it ever was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_at: Option<i64>,
    /// The value that raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// When it was cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_at: Option<i64>,
    /// Why it cannot be judged now: the quality of the property. It stays as it is until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Who knows of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<PersonView>,
    /// Who has put it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelved: Option<ShelvingView>,
    /// Its revision.
    pub revision: u64,
}

/// Somebody who did something about an alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PersonView {
    /// When.
    pub at: i64,
    /// Who.
    pub by: String,
    /// What they had to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Somebody who has put an alarm away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShelvingView {
    /// When.
    pub at: i64,
    /// Until when.
    pub until: i64,
    /// Who.
    pub by: String,
    /// What they had to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Alarms in order of node, device and name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlarmPage {
    /// The alarms.
    pub items: Vec<AlarmView>,
    /// To be given as `after` for the alarms that follow; left out on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What is said when something is done about an alarm.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmNote {
    /// Who does it, where the gateway does not know it from a token or certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What they have to say, at most 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// For how many milliseconds it is shelved, at most 30 days; only for `shelve`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

impl AlarmView {
    /// An alarm as it stands; `node` in the cloud.
    #[must_use]
    pub fn new(node: Option<&str>, id: &AlarmId, alarm: &Alarm, revision: Revision) -> Self {
        Self {
            node: node.map(str::to_owned),
            device: id.device().to_string(),
            property: id.property().property.to_string(),
            rule: id.rule().to_string(),
            state: alarm.state(),
            severity: alarm.severity,
            message: alarm.message.clone(),
            active: alarm.active,
            raised: alarm.raised,
            raised_at: alarm.raised_at.map(Timestamp::as_millis),
            value: alarm.value.as_ref().map(twin_core::Value::to_json),
            cleared_at: alarm.cleared_at.map(Timestamp::as_millis),
            held: alarm.held.as_ref().map(|why| why.word().to_owned()),
            acknowledged: alarm.acknowledged.as_ref().map(|a| PersonView {
                at: a.at.as_millis(),
                by: a.by.clone(),
                comment: a.comment.clone(),
            }),
            shelved: alarm.shelved.as_ref().map(|s| ShelvingView {
                at: s.at.as_millis(),
                until: s.until.as_millis(),
                by: s.by.clone(),
                comment: s.comment.clone(),
            }),
            revision: revision.get(),
        }
    }
}

/// Reads words with commas between them: `active,acknowledged`.
///
/// # Errors
/// A [`Problem`] that names the word and what there is.
pub fn read_words<T: std::str::FromStr<Err = twin_core::InvalidId>>(
    text: Option<&str>,
) -> Result<Vec<T>, Problem> {
    let words = text.into_iter().flat_map(|text| text.split(',')).map(str::parse);
    words
        .collect::<Result<_, _>>()
        .map_err(|error: twin_core::InvalidId| Problem::new(ProblemKind::BadRequest, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_or_named() {
        assert_eq!(read_words::<AlarmState>(None).unwrap(), []);
        let read = read_words::<AlarmState>(Some("active,shelved")).unwrap();
        assert_eq!(read, [AlarmState::Active, AlarmState::Shelved]);
        let problem = read_words::<Severity>(Some("loud")).unwrap_err();
        assert!(problem.detail.contains("`loud` is not a severity: use `info`"), "{}", problem.detail);
    }
}
