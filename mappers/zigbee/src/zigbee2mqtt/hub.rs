//! One broker with one zigbee2mqtt: the connection that all its devices share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mapper_sdk::Fault;
use mqtt_link::{Event, Events, Handle, LinkSettings, MqttLink};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::bridge::{Bridge, Heard};
use super::link::Link;

/// What the connection knows.
#[derive(Debug, Default)]
pub(super) struct Shared {
    bridge: Mutex<Bridge>,
    bells: Mutex<HashMap<String, Arc<Notify>>>,
    failures: Mutex<HashMap<String, String>>,
}

/// The connection.
pub(super) struct Hub {
    pub(super) base: String,
    pub(super) handle: Handle,
    shared: Arc<Shared>,
    changed: watch::Receiver<u64>,
    /// Ends the tasks of the connection with it.
    _tasks: JoinSet<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    pub(super) fn start(link: &Link) -> Result<Self, Fault> {
        let id = format!("twinspan-{:08x}", fastrand::u32(..));
        let mut settings = LinkSettings::new(&link.broker, &id);
        settings.username.clone_from(&link.username);
        settings.password = link.password.as_ref().map(|secret| secret.expose().to_owned());
        settings.subscriptions = vec![format!("{}/#", link.base)];
        let (mqtt, handle, events) = MqttLink::connect(settings).map_err(|e| Fault::Denied(e.to_string()))?;
        let shared = Arc::new(Shared::default());
        let (tell, changed) = watch::channel(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _ = mqtt.run(CancellationToken::new()).await;
        });
        tasks.spawn(listen(events, Arc::clone(&shared), link.base.clone(), tell));
        Ok(Self { base: link.base.clone(), handle, shared, changed, _tasks: tasks })
    }

    /// Looks at what zigbee2mqtt has said.
    pub(super) fn bridge(&self) -> MutexGuard<'_, Bridge> {
        lock(&self.shared.bridge)
    }

    /// What rings when something is heard of a device.
    pub(super) fn bell(&self, name: &str) -> Arc<Notify> {
        Arc::clone(lock(&self.shared.bells).entry(name.to_owned()).or_default())
    }

    /// Why the last write to a device failed, once.
    pub(super) fn take_failure(&self, name: &str) -> Option<String> {
        lock(&self.shared.failures).remove(name)
    }

    /// Waits until something of the bridge is so; false when it does not become so in time.
    pub(super) async fn until(&self, within: Duration, mut is: impl FnMut(&Bridge) -> bool) -> bool {
        let mut changed = self.changed.clone();
        let wait = async {
            loop {
                changed.borrow_and_update();
                if is(&self.bridge()) {
                    return;
                }
                if changed.changed().await.is_err() {
                    std::future::pending().await
                }
            }
        };
        tokio::time::timeout(within, wait).await.is_ok()
    }
}

async fn listen(mut events: Events, shared: Arc<Shared>, base: String, tell: watch::Sender<u64>) {
    while let Some(event) = events.next().await {
        let heard = match event {
            // Everything is told anew by what the broker retains.
            Event::Connected => None,
            Event::Disconnected { reason } => {
                tracing::debug!(reason, "the broker of zigbee2mqtt is gone");
                lock(&shared.bridge).handle_disconnected();
                Some(Heard::Bridge)
            }
            Event::Message { topic, payload, retain } => {
                let topic = topic.strip_prefix(&base).and_then(|rest| rest.strip_prefix('/'));
                topic.and_then(|topic| lock(&shared.bridge).handle(topic, &payload, retain))
            }
        };
        match heard {
            Some(Heard::Bridge) => lock(&shared.bells).values().for_each(|bell| bell.notify_waiters()),
            Some(Heard::Device(name)) => ring(&shared, &name),
            Some(Heard::Failed(name, why)) => {
                lock(&shared.failures).insert(name.clone(), why);
                ring(&shared, &name);
            }
            None => {}
        }
        tell.send_modify(|count| *count += 1);
    }
}

fn ring(shared: &Shared, name: &str) {
    if let Some(bell) = lock(&shared.bells).get(name) {
        bell.notify_waiters();
    }
}
