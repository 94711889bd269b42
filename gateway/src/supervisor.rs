//! Keeps a task running: a panic or an error is a restart with a jittered pause, too many in a while are fatal.

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How often a task may fail before its failure is the process's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The most failures within `window`.
    pub most: usize,
    /// The time in which they count.
    pub window: Duration,
    /// The pause before the first restart; it doubles with every failure in the window.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            most: 10,
            window: Duration::from_secs(600),
            pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// A task that failed more often than its policy allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{task} failed {times} times in {window_s} s, the last time: {last}")]
pub struct GaveUp {
    /// Its name.
    pub task: &'static str,
    /// How often it failed.
    pub times: usize,
    /// In which time.
    pub window_s: u64,
    /// Its last words.
    pub last: String,
}

/// Runs what `make` makes until `stop`, and again whenever it fails or panics.
///
/// # Errors
/// [`GaveUp`] when it fails more often than `policy` allows.
pub async fn keep_running<F, Fut, E>(
    task: &'static str,
    policy: Policy,
    stop: CancellationToken,
    mut make: F,
) -> Result<(), GaveUp>
where
    F: FnMut() -> Fut + Send,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    let mut failures: VecDeque<Instant> = VecDeque::new();
    loop {
        let mut running = JoinSet::new();
        running.spawn(make());
        let last = match running.join_next().await {
            Some(Ok(Ok(()))) | None => return Ok(()),
            Some(Ok(Err(error))) => error.to_string(),
            Some(Err(joined)) if joined.is_panic() => {
                "it panicked; this is a fault of the program".to_owned()
            }
            Some(Err(_)) => return Ok(()),
        };
        if stop.is_cancelled() {
            return Ok(());
        }
        let now = Instant::now();
        failures.push_back(now);
        while failures.front().is_some_and(|first| now.duration_since(*first) > policy.window) {
            failures.pop_front();
        }
        if failures.len() > policy.most {
            error!(task, failures = failures.len(), reason = %last, "giving up");
            let window_s = policy.window.as_secs();
            return Err(GaveUp { task, times: failures.len(), window_s, last });
        }
        let doubled = u32::try_from(failures.len().saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        let longest = policy.pause.saturating_mul(1 << doubled).min(policy.longest_pause);
        let pause = longest.mul_f64(0.5 + share() / 2.0);
        warn!(task, reason = %last, pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), "restarting");
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => info!(task, "starting again"),
        }
    }
}

/// A random number between 0 and 1.
fn share() -> f64 {
    let random = crate::clock::random().unwrap_or(u64::MAX / 2);
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn quick() -> Policy {
        Policy { most: 3, pause: Duration::from_millis(1), ..Policy::default() }
    }

    #[tokio::test]
    async fn a_panic_is_a_restart() {
        let tries = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&tries);
        let outcome = keep_running("test", quick(), CancellationToken::new(), move || {
            let counter = Arc::clone(&counter);
            async move {
                assert!(counter.fetch_add(1, Ordering::SeqCst) >= 2, "fails twice");
                Ok::<(), String>(())
            }
        })
        .await;
        assert_eq!((outcome, tries.load(Ordering::SeqCst)), (Ok(()), 3));
    }

    #[tokio::test]
    async fn a_task_that_always_fails_is_given_up_with_its_last_words() {
        let outcome =
            keep_running("test", quick(), CancellationToken::new(), || async { Err("no disk") }).await;
        let gave_up = outcome.unwrap_err();
        assert_eq!((gave_up.times, gave_up.last.as_str()), (4, "no disk"));
    }
}
