//! The task that keeps the histories within their bounds.

use std::time::Duration;

use cloud_store::{CloudStore, HistoryRetention};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use twin_core::Timestamp;

/// How often all histories are looked over.
const EVERY: Duration = Duration::from_secs(600);
/// The pause between two steps, so that samples can come in.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks them over until `stop`.
pub(crate) async fn histories(
    store: CloudStore,
    retention: HistoryRetention,
    now: fn() -> Timestamp,
    stop: CancellationToken,
) {
    let work = async {
        loop {
            let (mut next, mut dropped) = (None, 0);
            loop {
                match store.history().keep(retention, next, now()).await {
                    Ok(kept) => {
                        dropped += kept.dropped;
                        next = kept.next;
                    }
                    Err(error) => {
                        warn!(%error, "the histories could not be kept within their bounds; it is tried again");
                        next = None;
                    }
                }
                if next.is_none() {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
            if dropped > 0 {
                info!(samples = dropped, "samples that were too old or too many are gone");
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
