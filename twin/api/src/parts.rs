//! The parts of one property's twin.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use twin_core::{
    Convergence, Desired, Effective, Outcome, Override, Reported, Timestamp, Value, Why, WriteResult,
};
use utoipa::ToSchema;

use crate::property::Stored;
use crate::words::{ConvergenceWord, PartWord, QualityWord, ResultWord};

fn ms(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

/// What the device holds, as far as its edge knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportedView {
    /// The last value read, as JSON of its type; left out when there never was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// How far it can be believed.
    pub quality: QualityWord,
    /// Why not further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The device's own time of the value, if it has a clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_time: Option<i64>,
    /// When the gateway read the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_time: Option<i64>,
    /// When the cloud stored it; the edge does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_time: Option<i64>,
    /// The edge's revision.
    pub revision: u64,
    /// How the last write ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeView>,
}

/// How the last write ended, and which wish it answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutcomeView {
    /// `desired` or `override`.
    pub part: PartWord,
    /// The revision of the wish.
    pub revision: u64,
    /// The value that was to be written.
    pub value: Json,
    /// How it ended.
    pub result: ResultWord,
    /// Why, for `refused` and `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it is tried again, for `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<i64>,
    /// When it ended.
    pub at: i64,
}

/// The cloud's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DesiredView {
    /// What the device should hold.
    pub value: Json,
    /// Who wants it.
    pub set_by: String,
    /// Since when.
    pub set_at: i64,
    /// Until when; left out: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<i64>,
    /// The cloud's revision.
    pub revision: u64,
}

/// A local operator's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OverrideView {
    /// What the device should hold.
    pub value: Json,
    /// Who wants it.
    pub set_by: String,
    /// Since when.
    pub set_at: i64,
    /// Until when; left out: until released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The edge's revision.
    pub revision: u64,
}

/// What the device should hold now, and by whose word: an override before a desired value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EffectiveView {
    /// `override` or `desired`.
    pub part: PartWord,
    /// The revision of that part.
    pub revision: u64,
    /// The value.
    pub value: Json,
    /// Until when; left out: no end is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// How far the device has got with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConvergenceView {
    /// The one word.
    pub state: ConvergenceWord,
    /// Why, for `refused` and `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it is tried again, for `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<i64>,
}

impl From<&Stored<'_, Reported>> for ReportedView {
    fn from(stored: &Stored<'_, Reported>) -> Self {
        let reported = stored.body;
        Self {
            value: reported.value.as_ref().map(Value::to_json),
            quality: (&reported.quality).into(),
            why: reported.quality.why().map(Why::word).map(ToOwned::to_owned),
            source_time: ms(reported.source_time),
            gateway_time: ms(reported.gateway_time),
            cloud_time: ms(stored.cloud_time),
            revision: stored.revision.get(),
            outcome: reported.outcome.as_ref().map(OutcomeView::from),
        }
    }
}

impl From<&Outcome> for OutcomeView {
    fn from(outcome: &Outcome) -> Self {
        let (reason, retry_at) = match &outcome.result {
            WriteResult::Sent | WriteResult::Applied => (None, None),
            WriteResult::Refused { reason } => (Some(reason.clone()), None),
            WriteResult::Failed { reason, retry_at } => (Some(reason.clone()), ms(*retry_at)),
        };
        Self {
            part: outcome.part.into(),
            revision: outcome.revision.get(),
            value: outcome.value.to_json(),
            result: (&outcome.result).into(),
            reason,
            retry_at,
            at: outcome.at.as_millis(),
        }
    }
}

impl From<&Stored<'_, Desired>> for DesiredView {
    fn from(stored: &Stored<'_, Desired>) -> Self {
        Self {
            value: stored.body.value.to_json(),
            set_by: stored.body.set_by.clone(),
            set_at: stored.body.set_at.as_millis(),
            valid_until: ms(stored.body.valid_until),
            revision: stored.revision.get(),
        }
    }
}

impl From<&Stored<'_, Override>> for OverrideView {
    fn from(stored: &Stored<'_, Override>) -> Self {
        Self {
            value: stored.body.value.to_json(),
            set_by: stored.body.set_by.clone(),
            set_at: stored.body.set_at.as_millis(),
            expires_at: ms(stored.body.expires_at),
            revision: stored.revision.get(),
        }
    }
}

impl From<&Effective> for EffectiveView {
    fn from(effective: &Effective) -> Self {
        Self {
            part: effective.part.into(),
            revision: effective.revision.get(),
            value: effective.value.to_json(),
            until: ms(effective.until),
        }
    }
}

impl From<&Convergence> for ConvergenceView {
    fn from(convergence: &Convergence) -> Self {
        let retry_at = match convergence {
            Convergence::Failed { retry_at, .. } => ms(*retry_at),
            Convergence::None
            | Convergence::InSync
            | Convergence::Pending
            | Convergence::Sent
            | Convergence::Refused { .. }
            | Convergence::Expired
            | Convergence::Drifted => None,
        };
        Self { state: convergence.into(), reason: convergence.reason().map(ToOwned::to_owned), retry_at }
    }
}
