//! The one place where the gateway looks at the clock and draws random numbers.

use std::time::{SystemTime, UNIX_EPOCH};

use twin_core::{Incarnation, Timestamp};

/// Now, in UTC. A clock set before 1970 counts as 1970.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A random number of the operating system.
///
/// # Errors
/// [`getrandom::Error`] when the system has none, which a correct system never says.
pub fn random() -> Result<u64, getrandom::Error> {
    getrandom::u64()
}

/// A fresh incarnation.
///
/// # Errors
/// As [`random`].
pub fn incarnation() -> Result<Incarnation, getrandom::Error> {
    random().map(Incarnation::new)
}
