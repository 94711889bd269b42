//! The end of a connection, in the way the protocol wants it.

use std::time::Duration;

use mapper_sdk::Fault;
use tokio::time::timeout;

use super::Connection;

/// How long the server may take to say goodbye.
const PATIENCE: Duration = Duration::from_millis(1_500);

impl Connection {
    /// Closes the session at the server, if it answers.
    pub(crate) async fn close(&self) {
        if self.end.fault().is_none() {
            // A server that does not answer forgets the session by itself.
            let _ = timeout(PATIENCE, self.session.disconnect()).await;
        }
        self.end.end(Fault::Link("closed".into()));
    }

    /// Takes away one subscription, if the server answers.
    pub(crate) async fn delete_subscription(&self, subscription: u32) {
        if self.end.fault().is_none() {
            let _ = timeout(PATIENCE, self.session.delete_subscription(subscription)).await;
        }
    }
}
