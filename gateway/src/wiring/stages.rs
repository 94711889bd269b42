//! Parts that are stopped together, by one deadline.

use std::fmt::Display;
use std::future::Future;

use futures_util::future::select_all;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Parts that are stopped together.
pub(super) struct Stage {
    name: &'static str,
    tasks: JoinSet<(&'static str, Result<(), String>)>,
    running: Vec<&'static str>,
    stop: CancellationToken,
}

impl Stage {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, tasks: JoinSet::new(), running: Vec::new(), stop: CancellationToken::new() }
    }

    pub(super) fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub(super) fn spawn<E: Display>(
        &mut self,
        part: &'static str,
        future: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.running.push(part);
        self.tasks.spawn(async move { (part, future.await.map_err(|e| e.to_string())) });
    }

    pub(super) fn spawn_plain(
        &mut self,
        part: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) {
        self.spawn(part, async move {
            future.await;
            Ok::<(), std::convert::Infallible>(())
        });
    }

    /// Waits for a part that ends by itself; pending while there is none.
    async fn ended(&mut self) -> (&'static str, String) {
        match self.tasks.join_next().await {
            Some(Ok((part, outcome))) => {
                self.running.retain(|running| *running != part);
                (part, outcome.err().unwrap_or_else(|| "without a reason".to_owned()))
            }
            Some(Err(error)) => (self.name, error.to_string()),
            None => std::future::pending().await,
        }
    }

    /// Stops all parts; gives those that still run at the deadline.
    pub(super) async fn stop(mut self, deadline: Instant) -> Vec<&'static str> {
        self.stop.cancel();
        while let Ok(Some(ended)) = timeout_at(deadline, self.tasks.join_next()).await {
            match ended {
                Ok((part, outcome)) => {
                    if let Some(place) = self.running.iter().position(|running| *running == part) {
                        self.running.swap_remove(place);
                    }
                    if let Err(reason) = outcome {
                        tracing::warn!(part, %reason, "ended with an error while stopping");
                    }
                }
                Err(error) => tracing::warn!(stage = self.name, %error, "broke down while stopping"),
            }
        }
        if self.tasks.is_empty() { Vec::new() } else { std::mem::take(&mut self.running) }
    }
}

/// The first part of any stage that ends by itself, with its reason.
pub(super) async fn first_to_end(stages: &mut [Stage]) -> (&'static str, String) {
    select_all(stages.iter_mut().map(|stage| Box::pin(stage.ended()))).await.0
}

impl Drop for Stage {
    /// What could not be stopped does not outlive its owner.
    fn drop(&mut self) {
        self.tasks.abort_all();
    }
}
