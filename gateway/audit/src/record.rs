//! What is written down.

use serde::{Deserialize, Serialize};

/// What was done. The word is stored: never give one another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// The gateway began, or a process wrote for the first time.
    #[serde(rename = "gateway.started")]
    Started,
    /// Somebody asked for a change over REST; what came of it follows.
    #[serde(rename = "request")]
    Request,
    /// What came of a request over REST.
    #[serde(rename = "answer")]
    Answer,
    /// A local operator's value was set.
    #[serde(rename = "override.set")]
    OverrideSet,
    /// A local operator's value was released, or its time was over.
    #[serde(rename = "override.released")]
    OverrideReleased,
    /// The cloud wants a value.
    #[serde(rename = "desired.set")]
    DesiredSet,
    /// The cloud wants nothing any more.
    #[serde(rename = "desired.removed")]
    DesiredRemoved,
    /// How a write to a device ended.
    #[serde(rename = "write")]
    Write,
    /// A configuration is about to come into force.
    #[serde(rename = "config.begun")]
    ConfigBegun,
    /// A configuration came into force, or did not.
    #[serde(rename = "config.ended")]
    ConfigEnded,
    /// A token was made.
    #[serde(rename = "token.created")]
    TokenCreated,
    /// A token was revoked.
    #[serde(rename = "token.revoked")]
    TokenRevoked,
    /// Logins were refused.
    #[serde(rename = "login.refused")]
    LoginRefused,
    /// Old records were dropped.
    #[serde(rename = "audit.dropped")]
    Dropped,
}

impl Action {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Started => "gateway.started",
            Self::Request => "request",
            Self::Answer => "answer",
            Self::OverrideSet => "override.set",
            Self::OverrideReleased => "override.released",
            Self::DesiredSet => "desired.set",
            Self::DesiredRemoved => "desired.removed",
            Self::Write => "write",
            Self::ConfigBegun => "config.begun",
            Self::ConfigEnded => "config.ended",
            Self::TokenCreated => "token.created",
            Self::TokenRevoked => "token.revoked",
            Self::LoginRefused => "login.refused",
            Self::Dropped => "audit.dropped",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Applied,
    /// Somebody or something said no.
    Refused(String),
    /// It could not be done.
    Failed(String),
}

/// One record. What is not there is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What was done.
    pub action: Action,
    /// By whom: the name of a token, certificate or user, or what the cloud says of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// With which role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// From where: an address, `cloud`, `mqtt`, `command line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it was done to: a property, a path, a revision, a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The value before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<serde_json::Value>,
    /// The value after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<serde_json::Value>,
    /// Of the wish or the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The number of the record that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<i64>,
    /// Anything else, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The longest text of a value that is written down whole, in bytes.
const VALUE_BYTES: usize = 4096;
/// The longest note or reason, in characters.
const WORDS: usize = 1000;

impl Record {
    /// A record of an action, with nothing else.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            action,
            by: None,
            role: None,
            from: None,
            subject: None,
            old: None,
            new: None,
            revision: None,
            outcome: None,
            answers: None,
            note: None,
        }
    }

    /// Its text, as it is stored. What would be too long is cut, and says so.
    #[must_use]
    pub fn body(&self) -> String {
        let mut record = self.clone();
        record.old = record.old.map(cut_value);
        record.new = record.new.map(cut_value);
        for text in
            [&mut record.by, &mut record.from, &mut record.subject, &mut record.note].into_iter().flatten()
        {
            cut(text);
        }
        if let Some(Outcome::Refused(reason) | Outcome::Failed(reason)) = &mut record.outcome {
            cut(reason);
        }
        // Nothing in a record has a form that JSON cannot write.
        serde_json::to_string(&record).unwrap_or_default()
    }
}

fn cut(text: &mut String) {
    if let Some((place, _)) = text.char_indices().nth(WORDS) {
        text.truncate(place);
        text.push_str("...");
    }
}

fn cut_value(value: serde_json::Value) -> serde_json::Value {
    let bytes = value.to_string().len();
    if bytes <= VALUE_BYTES { value } else { serde_json::json!({ "too_long_bytes": bytes }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_an_action_is_what_is_stored() {
        for action in [
            Action::Started,
            Action::Request,
            Action::Answer,
            Action::OverrideSet,
            Action::OverrideReleased,
            Action::DesiredSet,
            Action::DesiredRemoved,
            Action::Write,
            Action::ConfigBegun,
            Action::ConfigEnded,
            Action::TokenCreated,
            Action::TokenRevoked,
            Action::LoginRefused,
            Action::Dropped,
        ] {
            assert_eq!(serde_json::to_value(action).unwrap(), action.word());
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let mut record = Record::new(Action::DesiredSet);
        record.new = Some(serde_json::Value::String("x".repeat(100_000)));
        record.note = Some("ä".repeat(5000));
        record.outcome = Some(Outcome::Failed("y".repeat(5000)));
        let body = record.body();
        assert!(body.len() < 5000, "{}", body.len());
        let read: Record = serde_json::from_str(&body).unwrap();
        assert_eq!(read.new, Some(serde_json::json!({"too_long_bytes": 100_002})));
        assert!(read.note.unwrap().ends_with("..."));
    }
}
