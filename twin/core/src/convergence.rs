//! What the device should do, and how far it has got: two pure functions that everybody shows the same way.

use serde::{Deserialize, Serialize};

use crate::document::{Desired, Override, Part, Reported, WriteResult};
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::value::Value;

/// What the device should hold, and by whose word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effective {
    /// [`Part::Override`] or [`Part::Desired`].
    pub part: Part,
    /// The revision of that part.
    pub revision: Revision,
    /// The value.
    pub value: Value,
    /// Until when it holds.
    pub until: Option<Timestamp>,
}

/// What the device should hold at `now`: an active override, else an unexpired desired value, else nothing.
#[must_use]
pub fn effective(
    desired: Option<(&Desired, Revision)>,
    override_: Option<(&Override, Revision)>,
    now: Timestamp,
) -> Option<Effective> {
    let active = |until: Option<Timestamp>| until.is_none_or(|until| now < until);
    let local = override_.filter(|(o, _)| active(o.expires_at)).map(|(o, revision)| Effective {
        part: Part::Override,
        revision,
        value: o.value.clone(),
        until: o.expires_at,
    });
    local.or_else(|| {
        desired.filter(|(d, _)| active(d.valid_until)).map(|(d, revision)| Effective {
            part: Part::Desired,
            revision,
            value: d.value.clone(),
            until: d.valid_until,
        })
    })
}

/// How far the device has got with what it should hold. REST, event stream, dashboard and MQTT show this word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Convergence {
    /// Nothing is wanted.
    None,
    /// The device holds what is wanted.
    InSync,
    /// It has not been sent to the device yet.
    Pending,
    /// It was sent, the answer is not there yet.
    Sent,
    /// The device or a guard said no.
    Refused {
        /// Why, in words.
        reason: String,
    },
    /// The link to the device broke; it will be tried again.
    Failed {
        /// Why, in words.
        reason: String,
        /// When it is tried again.
        retry_at: Option<Timestamp>,
    },
    /// What was wanted has run out before the device took it.
    Expired,
    /// It was in sync; the device changed by itself.
    Drifted,
}

impl Convergence {
    /// The one word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::InSync => "in_sync",
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::Expired => "expired",
            Self::Drifted => "drifted",
        }
    }

    /// The reason, where there is one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused { reason } | Self::Failed { reason, .. } => Some(reason),
            Self::None | Self::InSync | Self::Pending | Self::Sent | Self::Expired | Self::Drifted => None,
        }
    }
}

/// How far the device has got. `tolerance` is the property's; `readable` is false for a property that can only be
/// written, whose applied write is all that can be known.
#[must_use]
pub fn convergence(
    effective: Option<&Effective>,
    reported: Option<&Reported>,
    tolerance: Option<f64>,
    readable: bool,
) -> Convergence {
    let Some(effective) = effective else { return Convergence::None };
    let holds = reported
        .and_then(|r| r.value.as_ref())
        .is_some_and(|value| value.matches(&effective.value, tolerance));
    let answer = reported.and_then(|r| r.outcome.as_ref()).filter(|o| {
        o.part == effective.part && o.revision == effective.revision && o.value == effective.value
    });
    match answer.map(|o| &o.result) {
        None if holds => Convergence::InSync,
        None => Convergence::Pending,
        Some(WriteResult::Applied) if holds || !readable => Convergence::InSync,
        Some(WriteResult::Applied) => Convergence::Drifted,
        Some(WriteResult::Sent) => Convergence::Sent,
        Some(WriteResult::Refused { reason }) => Convergence::Refused { reason: reason.clone() },
        Some(WriteResult::Failed { reason, retry_at }) => {
            Convergence::Failed { reason: reason.clone(), retry_at: *retry_at }
        }
    }
}

/// What is wanted of a property by both who may want something, whether it is in force or not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes<'a> {
    /// What the cloud wants.
    pub desired: Option<(&'a Desired, Revision)>,
    /// What a local operator wants.
    pub override_: Option<(&'a Override, Revision)>,
}

impl Wishes<'_> {
    /// What the device should hold at `now`, and how far it has got: the two things that every surface shows. A wish that
    /// has run out before the device took it is [`Convergence::Expired`] for as long as it is there and none is in force.
    #[must_use]
    pub fn standing(
        &self,
        reported: Option<&Reported>,
        tolerance: Option<f64>,
        readable: bool,
        now: Timestamp,
    ) -> (Option<Effective>, Convergence) {
        let effective = effective(self.desired, self.override_, now);
        let convergence = match &effective {
            None if self.have_run_out(reported) => Convergence::Expired,
            effective => convergence(effective.as_ref(), reported, tolerance, readable),
        };
        (effective, convergence)
    }

    /// Whether a wish that is there was never taken by the device. Asked only when no wish is in force.
    fn have_run_out(&self, reported: Option<&Reported>) -> bool {
        let outcome = reported.and_then(|r| r.outcome.as_ref());
        let taken = |part: Part, revision: Revision, value: &Value| {
            outcome.is_some_and(|o| {
                o.part == part
                    && o.revision == revision
                    && o.value == *value
                    && matches!(o.result, WriteResult::Applied)
            })
        };
        self.desired.is_some_and(|(d, revision)| !taken(Part::Desired, revision, &d.value))
            || self.override_.is_some_and(|(o, revision)| !taken(Part::Override, revision, &o.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Outcome;
    use crate::quality::Quality;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn desired(value: i64, valid_until: Option<i64>) -> Desired {
        Desired {
            value: Value::Int(value),
            set_by: "alice".into(),
            set_at: at(0),
            valid_until: valid_until.map(at),
        }
    }

    fn local(value: i64, expires_at: Option<i64>) -> Override {
        Override {
            value: Value::Int(value),
            set_by: "bob".into(),
            set_at: at(0),
            expires_at: expires_at.map(at),
        }
    }

    fn reported(value: i64, outcome: Option<(u64, i64, WriteResult)>) -> Reported {
        Reported {
            value: Some(Value::Int(value)),
            quality: Quality::Good,
            source_time: None,
            gateway_time: Some(at(1)),
            outcome: outcome.map(|(revision, wanted, result)| Outcome {
                part: Part::Desired,
                revision: Revision::new(revision),
                value: Value::Int(wanted),
                result,
                at: at(1),
            }),
        }
    }

    #[test]
    fn an_active_override_wins_and_an_expired_one_counts_as_absent() {
        let (d, o) = (desired(1, None), local(2, Some(10)));
        let r = Revision::new(1);
        assert_eq!(effective(Some((&d, r)), Some((&o, r)), at(9)).unwrap().value, Value::Int(2));
        assert_eq!(effective(Some((&d, r)), Some((&o, r)), at(10)).unwrap().value, Value::Int(1));
        assert_eq!(effective(Some((&desired(1, Some(5)), r)), None, at(5)), None);
    }

    #[test]
    fn each_outcome_gives_its_word() {
        let d = desired(5, None);
        let want = effective(Some((&d, Revision::new(7))), None, at(0)).unwrap();
        let word = |r: Option<&Reported>| convergence(Some(&want), r, None, true).word();
        assert_eq!(convergence(None, None, None, true).word(), "none");
        assert_eq!(word(None), "pending");
        assert_eq!(word(Some(&reported(4, None))), "pending");
        assert_eq!(word(Some(&reported(5, None))), "in_sync");
        assert_eq!(word(Some(&reported(4, Some((7, 5, WriteResult::Sent))))), "sent");
        assert_eq!(word(Some(&reported(5, Some((7, 5, WriteResult::Applied))))), "in_sync");
        assert_eq!(word(Some(&reported(4, Some((7, 5, WriteResult::Applied))))), "drifted");
        assert_eq!(
            word(Some(&reported(4, Some((7, 5, WriteResult::Refused { reason: "no".into() }))))),
            "refused"
        );
        let failed = WriteResult::Failed { reason: "gone".into(), retry_at: None };
        assert_eq!(word(Some(&reported(4, Some((7, 5, failed))))), "failed");
    }

    #[test]
    fn a_wish_that_has_run_out_is_expired_unless_the_device_took_it() {
        let (d, o) = (desired(5, Some(10)), local(6, Some(10)));
        let r = Revision::new(7);
        let word = |wishes: Wishes<'_>, reported: Option<&Reported>, now| {
            wishes.standing(reported, None, true, at(now)).1.word()
        };
        let by_cloud = Wishes { desired: Some((&d, r)), override_: None };
        let by_hand = Wishes { desired: None, override_: Some((&o, r)) };
        assert_eq!(word(Wishes::default(), None, 10), "none");
        assert_eq!((word(by_cloud, None, 9), word(by_cloud, None, 10)), ("pending", "expired"));
        assert_eq!((word(by_hand, None, 9), word(by_hand, None, 10)), ("pending", "expired"));
        let applied = reported(5, Some((7, 5, WriteResult::Applied)));
        assert_eq!(word(by_cloud, Some(&applied), 10), "none");
        let refused = reported(4, Some((7, 5, WriteResult::Refused { reason: "no".into() })));
        assert_eq!(
            (word(by_cloud, Some(&refused), 9), word(by_cloud, Some(&refused), 10)),
            ("refused", "expired")
        );
    }

    #[test]
    fn the_answer_to_an_older_wish_or_to_another_value_of_the_same_revision_is_no_answer() {
        let d = desired(5, None);
        let want = effective(Some((&d, Revision::new(7))), None, at(0)).unwrap();
        let old = reported(4, Some((6, 5, WriteResult::Applied)));
        let restored = reported(4, Some((7, 9, WriteResult::Applied)));
        assert_eq!(convergence(Some(&want), Some(&old), None, true), Convergence::Pending);
        assert_eq!(convergence(Some(&want), Some(&restored), None, true), Convergence::Pending);
    }
}
