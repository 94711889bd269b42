//! What people do about an alarm.

use super::document::{Acknowledgement, Alarm, Shelving};
use super::watch::Watch;
use crate::time::Timestamp;

/// Who does something about an alarm, and what they have to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub by: String,
    /// What they have to say.
    pub comment: Option<String>,
}

/// Why something cannot be done about an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// There is nothing to acknowledge.
    #[error("it was never raised, so there is nothing to acknowledge")]
    NeverRaised,
    /// It is not on the shelf.
    #[error("it is not shelved")]
    NotShelved,
    /// The time on the shelf is none, or too long.
    #[error("an alarm is shelved for a time of 1 ms to 30 days")]
    Time,
    /// What they have to say is too long.
    #[error("a comment is at most 1024 bytes, and a name 256")]
    TooLong,
}

impl Person {
    /// The longest name that is taken, in bytes.
    pub const MAX_NAME_BYTES: usize = 256;

    fn check(&self) -> Result<(), NotDone> {
        let comment = self.comment.as_ref().map_or(0, String::len);
        let fits = comment <= Alarm::MAX_COMMENT_BYTES && self.by.len() <= Self::MAX_NAME_BYTES;
        if fits { Ok(()) } else { Err(NotDone::TooLong) }
    }
}

impl Watch {
    /// The longest time on the shelf, in milliseconds: 30 days.
    pub const MAX_SHELF_MS: i64 = 30 * 24 * 3_600_000;

    /// Somebody takes note of the newest raise; the first who did stays.
    ///
    /// # Errors
    /// [`NotDone`] when it was never raised, or the comment is too long.
    pub fn acknowledge(&mut self, who: Person, now: Timestamp) -> Result<bool, NotDone> {
        who.check()?;
        let raised = self.alarm.as_mut().filter(|alarm| alarm.raised_at.is_some());
        let alarm = raised.ok_or(NotDone::NeverRaised)?;
        if alarm.acknowledged.is_some() {
            return Ok(false);
        }
        alarm.acknowledged = Some(Acknowledgement { at: now, by: who.by, comment: who.comment });
        Ok(true)
    }

    /// Somebody puts the alarm away until a time, whether it was raised or not. It goes on underneath.
    ///
    /// # Errors
    /// [`NotDone`] when that time is past or too far away, or the comment is too long.
    pub fn shelve(&mut self, until: Timestamp, who: Person, now: Timestamp) -> Result<bool, NotDone> {
        who.check()?;
        if !(1..=Self::MAX_SHELF_MS).contains(&until.as_millis().saturating_sub(now.as_millis())) {
            return Err(NotDone::Time);
        }
        let never_raised = || Alarm {
            severity: self.rule.severity,
            message: self.message.clone(),
            active: false,
            raised_at: None,
            value: None,
            raised: 0,
            cleared_at: None,
            held: None,
            acknowledged: None,
            shelved: None,
        };
        let alarm = self.alarm.get_or_insert_with(never_raised);
        let shelved = Some(Shelving { at: now, until, by: who.by, comment: who.comment });
        let changed = alarm.shelved != shelved;
        alarm.shelved = shelved;
        Ok(changed)
    }

    /// Somebody takes the alarm from the shelf before its time.
    ///
    /// # Errors
    /// [`NotDone::NotShelved`].
    pub fn unshelve(&mut self) -> Result<bool, NotDone> {
        let shelved = self.alarm.as_mut().is_some_and(|alarm| alarm.shelved.take().is_some());
        self.forget_if_empty();
        if shelved { Ok(true) } else { Err(NotDone::NotShelved) }
    }

    /// Takes the alarm from the shelf when its time has come.
    pub(super) fn take_out(&mut self, now: Timestamp) -> bool {
        let Some(alarm) = &mut self.alarm else { return false };
        let taken = alarm.shelved.take_if(|shelved| shelved.until <= now).is_some();
        self.forget_if_empty();
        taken
    }

    /// An alarm that was never raised and is on no shelf is none.
    fn forget_if_empty(&mut self) {
        self.alarm.take_if(|alarm| alarm.raised_at.is_none() && alarm.shelved.is_none());
    }
}
