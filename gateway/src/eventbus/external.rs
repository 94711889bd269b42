//! The bus on a broker of somebody else.

use mapper_contract::Topic;
use mqtt_link::{Event, Events, Handle, LinkSettings, MqttLink, Qos};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::bus::{EventBus, Outlet};
use super::pipeline::{self, Message};
use super::speaker::Speaker;

/// The link to the broker before it runs.
pub struct External {
    link: MqttLink,
    handle: Handle,
    events: Events,
}

impl Outlet for Handle {
    fn publish(&self, topic: String, payload: Vec<u8>, retain: bool) {
        if let Err(error) = Self::publish(self, &topic, payload, Qos::AtLeastOnce, retain) {
            debug!(%topic, %error, "not published");
        }
    }
}

impl External {
    /// Prepares the link.
    ///
    /// # Errors
    /// [`mqtt_link::InvalidSettings`] for what no waiting will mend.
    pub fn new(mut settings: LinkSettings) -> Result<Self, mqtt_link::InvalidSettings> {
        settings.subscriptions = Topic::REQUEST_FILTERS.map(str::to_owned).to_vec();
        let (link, handle, events) = MqttLink::connect(settings)?;
        Ok(Self { link, handle, events })
    }

    /// The link itself, for asking how it stands.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Where the bus is to publish.
    #[must_use]
    pub fn outlet(&self) -> Box<dyn Outlet> {
        Box::new(self.handle.clone())
    }

    /// Takes messages until `stop`. After every reconnect everything that is to be written is published again.
    ///
    /// # Errors
    /// [`mqtt_link::Error`] when the link ends by itself.
    pub async fn run(mut self, bus: EventBus, stop: CancellationToken) -> Result<(), mqtt_link::Error> {
        let (sender, messages) = mpsc::channel(1024);
        let mut tasks = JoinSet::new();
        let ended = stop.child_token();
        tasks.spawn(pipeline::run(bus.clone(), messages, ended.clone()));
        let mut link = Box::pin(self.link.run(stop.clone()));
        let outcome = loop {
            tokio::select! {
                outcome = &mut link => break outcome,
                event = self.events.next() => match event {
                    Some(Event::Connected) => {
                        bus.publish_all_deltas().await;
                        bus.publish_all_alarms().await;
                    }
                    Some(Event::Message { topic, payload, .. }) => {
                        if sender.send(Message { speaker: Speaker::unknown(), topic, payload, done: None }).await.is_err() {
                            break Ok(());
                        }
                    }
                    Some(Event::Disconnected { .. }) => {}
                    None => break link.await,
                },
            }
        };
        ended.cancel();
        while tasks.join_next().await.is_some() {}
        outcome
    }
}
