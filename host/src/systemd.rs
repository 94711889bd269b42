//! What the service manager is told: ready, reloading, stopping, how it goes, and that the process still works.
//!
//! Without a service manager (`NOTIFY_SOCKET` is not set) nothing happens. Protocol: sd_notify(3).

use std::future::Future;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

/// Everything that was started listens; `status` is what `systemctl status` shows.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// How it goes, in a line for `systemctl status`.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(&one_line(status))]);
}

/// The configuration is being read again; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The process has begun to end.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// In which time the service manager must hear that the process works, when it wants to hear it at all.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|within| !within.is_zero())
}

/// Tells the service manager that the process works, as often as it wants to hear it, each time after `alive` has
/// answered. While it does not answer nothing is told, and the service manager will start the process anew. Ends with
/// `stop`; at once when nobody wants to hear it.
pub async fn feed<F, Fut>(alive: F, stop: CancellationToken)
where
    F: FnMut() -> Fut + Send,
    Fut: Future<Output = ()> + Send,
{
    if let Some(within) = watchdog() {
        feed_every(within, alive, || tell(&[NotifyState::Watchdog]), stop).await;
    }
}

async fn feed_every<F, Fut>(within: Duration, mut alive: F, mut tell: impl FnMut(), stop: CancellationToken)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = ()>,
{
    let pause = within / 3;
    let patience = within / 2;
    let work = async {
        loop {
            let answer = alive();
            tokio::pin!(answer);
            if timeout(patience, &mut answer).await.is_err() {
                let silent_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
                error!(
                    silent_ms,
                    "a part of the process does not answer; the watchdog is told nothing until it does"
                );
                answer.await;
                info!("it answers again");
            }
            tell();
            sleep(pause).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// A line break would end the message's field, and begin another one.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        debug!(%error, "the service manager could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

    async fn until(what: &str, check: impl Fn() -> bool) {
        for _ in 0..1000 {
            if check() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("after ten seconds still not so: {what}");
    }

    #[tokio::test]
    async fn what_answers_is_told_and_what_does_not_is_not_told() {
        let within = Duration::from_millis(60);
        let (fed, wedged, asked) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let stop = CancellationToken::new();
        let (count, stuck, asking) = (Arc::clone(&fed), Arc::clone(&wedged), Arc::clone(&asked));
        let alive = move || {
            let stuck = Arc::clone(&stuck);
            if stuck.load(SeqCst) {
                asking.fetch_add(1, SeqCst);
            }
            async move {
                while stuck.load(SeqCst) {
                    sleep(Duration::from_millis(5)).await;
                }
            }
        };
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(feed_every(
            within,
            alive,
            move || {
                let _ = count.fetch_add(1, SeqCst);
            },
            stop.clone(),
        ));
        until("it is fed", || fed.load(SeqCst) >= 5).await;
        wedged.store(true, SeqCst);
        until("it is asked in vain", || asked.load(SeqCst) == 1).await;
        let before = fed.load(SeqCst);
        sleep(within * 4).await;
        assert_eq!(fed.load(SeqCst), before);
        wedged.store(false, SeqCst);
        until("it is fed again", || fed.load(SeqCst) > before).await;
        stop.cancel();
        while tasks.join_next().await.is_some() {}
    }

    #[test]
    fn a_status_cannot_smuggle_another_field_in() {
        assert_eq!(one_line("linked\nWATCHDOG=1"), "linked WATCHDOG=1");
    }

    #[tokio::test]
    async fn without_a_service_manager_nothing_happens() {
        ready("all is well");
        reloading();
        stopping();
        feed(std::future::pending::<()>, CancellationToken::new()).await;
    }
}
