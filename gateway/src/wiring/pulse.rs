//! What the service manager is told while the gateway runs.

use edgehub::{LinkState, LinkStatus};
use host::systemd;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Addresses;

/// What the service manager is told while the gateway runs.
#[derive(Debug)]
pub struct Pulse {
    pub(super) service: device_twin::Handle,
    pub(super) link: Option<watch::Receiver<LinkStatus>>,
    pub(super) addresses: Addresses,
}

impl Pulse {
    /// Tells it that everything listens, how the link stands whenever that changes, and, if it wants to hear it, that
    /// DeviceTwin still answers: a gateway whose twin service hangs is of no use, and is started anew. Ends with `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        systemd::ready(&self.line());
        let service = self.service.clone();
        let alive = || {
            let service = service.clone();
            // One that has ended is not one that hangs: its end is the gateway's, and has a deadline.
            async move {
                let _ = service.ping().await;
            }
        };
        tokio::join!(systemd::feed(alive, stop.clone()), self.follow_link(stop));
    }

    async fn follow_link(&mut self, stop: CancellationToken) {
        loop {
            let changed = async {
                match &mut self.link {
                    Some(link) => link.changed().await.is_ok(),
                    None => false,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changed => {
                    if !changed {
                        return;
                    }
                }
            }
            systemd::status(&self.line());
        }
    }

    fn line(&self) -> String {
        let link = match self.link.as_ref().map(|link| link.borrow().state) {
            None => "no cloud is configured",
            Some(LinkState::Connected) => "linked to the cloud",
            Some(LinkState::Enrolling) => "joining the cloud",
            Some(LinkState::Connecting | LinkState::Waiting) => {
                "not linked to the cloud, values are kept and sent later"
            }
            Some(LinkState::Stopped) => "the link has stopped",
        };
        format!("running, {link}; REST {}, MQTT {}", self.addresses.api, self.addresses.mqtt)
    }
}
