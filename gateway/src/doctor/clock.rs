//! The clock: values carry its time, certificates are valid by it.

use twin_core::Timestamp;

use super::Finding;

const TOPIC: &str = "clock";
/// This program was not written before: 2026-01-01.
const EARLIEST: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// Nor will it run after: 2100-01-01.
const LATEST: Timestamp = Timestamp::from_millis(4_102_444_800_000);
/// The cloud's time comes in whole seconds, and takes its way.
const TOLERATED_MS: i64 = 5_000;
/// From here on the order of what happened is a guess, and certificates begin to fail.
const TOO_MUCH_MS: i64 = 60_000;

/// What is known of the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// What it says.
    pub now: Timestamp,
    /// Whether something sets it by the network; none when nobody knows.
    pub synchronised: Option<bool>,
    /// What the cloud's clock said at the same moment.
    pub cloud: Option<Timestamp>,
}

/// What is to be said of it.
#[must_use]
pub fn judge(clock: &Clock) -> Vec<Finding> {
    let mut findings = Vec::new();
    if clock.now < EARLIEST || clock.now > LATEST {
        findings.push(Finding::fail(
            TOPIC,
            format!("the clock says {}, which cannot be", date(clock.now)),
            "set it (`date -s`), replace the battery of the clock, and have it set by the network (`timedatectl set-ntp true`)",
        ));
    }
    findings.push(match clock.synchronised {
        Some(true) => Finding::ok(TOPIC, "the clock is set by the network"),
        Some(false) => Finding::warn(
            TOPIC,
            "the clock is not set by the network, so it will drift",
            "`timedatectl set-ntp true`, or set up chrony with a server that can be reached from here",
        ),
        None => Finding::ok(TOPIC, "whether the clock is set by the network cannot be told here"),
    });
    if let Some(cloud) = clock.cloud {
        let ahead_ms = clock.now.as_millis().saturating_sub(cloud.as_millis());
        let word = if ahead_ms > 0 { "ahead of" } else { "behind" };
        let says = format!("the clock is {} s {word} the cloud's", ahead_ms.unsigned_abs() / 1000);
        let mend = "have both machines set their clocks by the network; see `timedatectl`";
        findings.push(match ahead_ms.saturating_abs() {
            0..=TOLERATED_MS => Finding::ok(TOPIC, "the clock agrees with the cloud's"),
            ms if ms <= TOO_MUCH_MS => Finding::warn(TOPIC, says, mend),
            _ => Finding::fail(TOPIC, says, mend),
        });
    }
    findings
}

fn date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis());
    at.map_or_else(
        |_| "a time out of all bounds".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn levels(clock: &Clock) -> Vec<Level> {
        judge(clock).iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn a_clock_that_is_right_set_and_agrees_is_ok() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let clock =
            Clock { now, synchronised: Some(true), cloud: Some(Timestamp::from_millis(1_790_000_002_000)) };
        assert_eq!(levels(&clock), [Level::Ok, Level::Ok]);
        let apart = |ms| Clock { cloud: Some(Timestamp::from_millis(now.as_millis() + ms)), ..clock.clone() };
        assert_eq!(levels(&apart(-20_000)), [Level::Ok, Level::Warn]);
        assert_eq!(levels(&apart(86_400_000)), [Level::Ok, Level::Fail]);
        assert_eq!(levels(&apart(i64::MAX - 1_790_000_000_000)), [Level::Ok, Level::Fail]);
    }

    #[test]
    fn a_clock_of_1970_fails_and_one_that_nobody_sets_is_warned_of() {
        let clock = Clock { now: Timestamp::from_millis(5), synchronised: Some(false), cloud: None };
        assert_eq!(levels(&clock), [Level::Fail, Level::Warn]);
    }
}
