//! Waiting for a condition.

use std::time::{Duration, Instant};

/// How long most conditions may take, on a machine that is busy with other tests.
const USUAL: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(25);

/// Waits until `check` gives a value, at most 20 s.
///
/// # Panics
/// With `what` and the last reason when it takes longer.
pub async fn eventually<T>(what: &str, check: impl AsyncFnMut() -> Result<T, String>) -> T {
    eventually_within(USUAL, what, check).await
}

/// Waits until `check` gives a value.
///
/// # Panics
/// With `what` and the last reason when it takes longer than `within`.
pub async fn eventually_within<T>(
    within: Duration,
    what: &str,
    mut check: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let begun = Instant::now();
    loop {
        match check().await {
            Ok(value) => return value,
            Err(reason) if begun.elapsed() > within => {
                panic!("after {} s still not so: {what}: {reason}", within.as_secs())
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
