//! What a server has told of the points that it watches: pure, with the moment as an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use opcua_types::DataValue;

/// How many keep-alives may be missing before the subscription counts as lost.
const MISSING: u32 = 3;
/// A message may be on its way for so long before the points are asked instead.
const DOUBT: Duration = Duration::from_secs(1);

/// The newest value of each watched point, and which of them are news.
#[derive(Debug)]
pub(crate) struct Told {
    slots: Vec<Slot>,
    /// Points with news, each once: the newest value wins.
    news: VecDeque<usize>,
    heard_at: Instant,
    /// How often the server speaks even without news.
    keep_alive: Duration,
    /// How long an answer may take on top.
    slack: Duration,
    /// The number that the next message must have.
    next_number: Option<u32>,
    is_gone: bool,
}

#[derive(Debug, Default)]
struct Slot {
    value: Option<DataValue>,
    is_news: bool,
    /// What was told is no longer to be believed: somebody wrote, or a message was lost.
    is_stale: bool,
    /// Counts what was told.
    version: u64,
    /// When it was told or read.
    known_at: Option<Instant>,
    /// A change that is not larger is no news, where the server does not see to that itself.
    deadband: f64,
}

/// A value that was told so long ago is read again: not every server tells that a node is no more.
const AUDIT: Duration = Duration::from_secs(30);

/// Whether what was told may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// A change would have been told.
    Alive,
    /// The server is late.
    Doubtful,
    /// It tells nothing any more.
    Lost,
}

impl Told {
    pub(crate) fn new(points: usize, slack: Duration, now: Instant) -> Self {
        Self {
            slots: std::iter::repeat_with(Slot::default).take(points).collect(),
            news: VecDeque::new(),
            heard_at: now,
            keep_alive: Duration::from_secs(10),
            slack,
            next_number: None,
            is_gone: false,
        }
    }

    /// The server has said how often it speaks.
    pub(crate) fn handle_created(&mut self, keep_alive: Duration, now: Instant) {
        self.keep_alive = keep_alive.max(Duration::from_millis(10));
        self.heard_at = now;
    }

    /// A message came, with its number; a keep-alive has the number of the message that is next.
    /// (OPC 10000-4, 5.14.1.1)
    pub(crate) fn handle_message(&mut self, number: u32, is_keep_alive: bool, now: Instant) {
        self.heard_at = now;
        let is_gap = self.next_number.is_some_and(|expected| expected != number);
        if is_gap {
            for slot in &mut self.slots {
                slot.is_stale = true;
            }
        }
        let following = if number == u32::MAX { 1 } else { number + 1 };
        self.next_number = Some(if is_keep_alive { number } else { following });
    }

    pub(crate) fn handle_value(&mut self, point: usize, value: DataValue, now: Instant) {
        let Some(slot) = self.slots.get_mut(point) else { return };
        slot.known_at = Some(now);
        if slot.is_within(&value) {
            return;
        }
        slot.value = Some(value);
        slot.is_stale = false;
        slot.version += 1;
        if !slot.is_news {
            slot.is_news = true;
            self.news.push_back(point);
        }
    }

    /// A change of the point that is not larger than this is no news.
    pub(crate) fn set_deadband(&mut self, point: usize, deadband: f64) {
        if let Some(slot) = self.slots.get_mut(point) {
            slot.deadband = deadband;
        }
    }

    /// Whether the newest that was told of the point is bad, or nothing was.
    pub(crate) fn is_bad(&self, point: usize) -> bool {
        let value = self.slots.get(point).and_then(|slot| slot.value.as_ref());
        value.is_none_or(|value| value.status().is_bad())
    }

    /// The subscription is no more.
    pub(crate) fn handle_gone(&mut self) {
        self.is_gone = true;
    }

    /// What the point holds may have changed by other ways.
    pub(crate) fn handle_written(&mut self, point: usize) {
        if let Some(slot) = self.slots.get_mut(point) {
            slot.is_stale = true;
        }
    }

    /// Counts what was told of the point; for [`handle_read`](Self::handle_read).
    pub(crate) fn version(&self, point: usize) -> u64 {
        self.slots.get(point).map_or(0, |slot| slot.version)
    }

    /// The point was asked when it had this version. What was told since is newer.
    pub(crate) fn handle_read(&mut self, point: usize, version: u64, value: &DataValue, now: Instant) {
        if let Some(slot) = self.slots.get_mut(point)
            && slot.version == version
            && slot.value.is_some()
        {
            slot.value = Some(value.clone());
            slot.is_stale = false;
            slot.known_at = Some(now);
        }
    }

    /// What was told of the point, as long as it may be believed.
    pub(crate) fn value(&self, point: usize, now: Instant) -> Option<&DataValue> {
        let slot = self.slots.get(point).filter(|slot| !slot.is_stale)?;
        // A point that is bad may have been mended without the server telling: it is asked.
        let value = slot.value.as_ref().filter(|value| !value.status().is_bad())?;
        let is_old = slot.known_at.is_none_or(|at| now.saturating_duration_since(at) > AUDIT);
        (!is_old && self.life(now) == Life::Alive).then_some(value)
    }

    /// The next point with news.
    pub(crate) fn poll_news(&mut self) -> Option<(usize, DataValue)> {
        let point = self.news.pop_front()?;
        let slot = self.slots.get_mut(point)?;
        slot.is_news = false;
        Some((point, slot.value.clone()?))
    }

    pub(crate) fn life(&self, now: Instant) -> Life {
        let silent = now.saturating_duration_since(self.heard_at);
        if self.is_gone || silent > self.keep_alive * MISSING + self.slack {
            Life::Lost
        } else if silent > self.keep_alive + self.keep_alive / 2 + self.slack.min(DOUBT) {
            Life::Doubtful
        } else {
            Life::Alive
        }
    }

    /// When the subscription counts as lost, if nothing is heard until then.
    pub(crate) fn poll_timeout(&self) -> Instant {
        self.heard_at + self.keep_alive * MISSING + self.slack + Duration::from_millis(1)
    }
}

impl Slot {
    /// Whether the value differs from the last by too little.
    fn is_within(&self, value: &DataValue) -> bool {
        let Some(last) =
            self.value.as_ref().filter(|last| self.deadband > 0.0 && last.status() == value.status())
        else {
            return false;
        };
        let number = |value: &DataValue| value.value.as_ref().and_then(opcua_types::Variant::as_f64);
        let (Some(last), Some(new)) = (number(last), number(value)) else { return false };
        !self.is_stale && (last - new).abs() <= self.deadband
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opcua_types::{StatusCode, Variant};

    fn value(number: i32) -> DataValue {
        DataValue::value_only(Variant::Int32(number))
    }

    fn told(now: Instant) -> Told {
        let mut told = Told::new(2, Duration::ZERO, now);
        told.handle_created(Duration::from_secs(2), now);
        told
    }

    #[test]
    fn news_come_once_and_the_newest_wins() {
        let now = Instant::now();
        let mut told = told(now);
        told.handle_value(0, value(1), now);
        told.handle_value(1, value(2), now);
        told.handle_value(0, value(3), now);
        told.handle_value(9, value(3), now);
        assert_eq!(told.poll_news(), Some((0, value(3))));
        assert_eq!(told.poll_news(), Some((1, value(2))));
        assert_eq!(told.poll_news(), None);
    }

    #[test]
    fn what_was_told_is_believed_only_while_the_server_speaks() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut told = told(start);
        told.handle_value(0, value(1), start);
        assert_eq!(told.value(0, at(3_000)), Some(&value(1)));
        assert_eq!(told.value(0, at(3_001)), None);
        assert_eq!(told.life(at(6_000)), Life::Doubtful);
        assert_eq!(told.life(at(6_001)), Life::Lost);
        told.handle_message(1, true, at(6_001));
        assert_eq!(told.value(0, at(6_002)), Some(&value(1)));
        told.handle_gone();
        assert_eq!(told.life(at(6_002)), Life::Lost);
    }

    #[test]
    fn after_a_lost_message_nothing_that_was_told_is_believed_until_it_is_told_or_read_again() {
        let now = Instant::now();
        let mut told = told(now);
        for (number, keep_alive) in [(7, true), (7, false), (8, true), (8, true), (8, false)] {
            told.handle_message(number, keep_alive, now);
            told.handle_value(0, value(1), now);
        }
        told.handle_value(1, value(2), now);
        assert!(told.value(0, now).is_some() && told.value(1, now).is_some());
        told.handle_message(10, false, now);
        assert!(told.value(0, now).is_none() && told.value(1, now).is_none());
        told.handle_value(0, value(3), now);
        let version = told.version(1);
        told.handle_read(1, version, &value(4), now);
        assert_eq!((told.value(0, now), told.value(1, now)), (Some(&value(3)), Some(&value(4))));
    }

    #[test]
    fn an_answer_does_not_replace_what_was_told_meanwhile() {
        let now = Instant::now();
        let mut told = told(now);
        told.handle_value(0, value(1), now);
        told.handle_written(0);
        assert_eq!(told.value(0, now), None);
        let version = told.version(0);
        told.handle_value(0, value(2), now);
        told.handle_read(0, version, &value(1), now);
        assert_eq!(told.value(0, now), Some(&value(2)));
    }

    #[test]
    fn a_change_within_the_deadband_is_no_news() {
        let now = Instant::now();
        let mut told = told(now);
        told.set_deadband(0, 2.0);
        for number in [10, 12, 8, 13, 12] {
            told.handle_value(0, value(number), now);
        }
        assert_eq!(told.poll_news(), Some((0, value(13))));
        let bad = DataValue { status: Some(StatusCode::BadSensorFailure), ..value(13) };
        told.handle_value(0, bad.clone(), now);
        assert_eq!(told.poll_news(), Some((0, bad)));
    }

    #[test]
    fn what_was_told_long_ago_is_asked_though_the_server_speaks() {
        let start = Instant::now();
        let mut told = told(start);
        told.handle_value(0, value(1), start);
        let later = start + AUDIT + Duration::from_millis(1);
        told.handle_message(1, true, later);
        assert_eq!(told.value(0, later), None);
        let version = told.version(0);
        told.handle_read(0, version, &value(1), later);
        assert_eq!(told.value(0, later), Some(&value(1)));
    }

    #[test]
    fn a_bad_point_is_asked() {
        let now = Instant::now();
        let mut told = told(now);
        let bad = DataValue { status: Some(StatusCode::BadNodeIdUnknown), ..DataValue::default() };
        told.handle_value(0, bad.clone(), now);
        assert_eq!(told.value(0, now), None);
        assert_eq!(told.poll_news(), Some((0, bad)));
    }
}
