//! The whole mapper between a driver and a real broker.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../../../sdk/tests/common/broker.rs"]
mod broker;

use std::sync::Arc;
use std::time::Duration;

use broker::Broker;
use config::{DeviceConfig, NoSecrets, Source, load};
use mapper_contract::{Topic, TwinUpdate};
use mapper_sdk::{Assigner, Mapper, assignment};
use mqtt_link::{Event, Events, Handle, LinkSettings, MqttLink};
use opcua::{OpcUa, PAUSES};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twin_core::Value;

pub(crate) struct Stack {
    _broker: Broker,
    _assigner: Assigner,
    pub(crate) tasks: JoinSet<()>,
    pub(crate) stop: CancellationToken,
    pub(crate) handle: Handle,
    events: Events,
}

pub(crate) fn devices(yaml: &str) -> Vec<Arc<DeviceConfig>> {
    let text = format!("gateway: {{node: demo}}\n{yaml}");
    let loaded = load(&[Source::new("demo.yaml", text)], &[opcua::protocol()], &NoSecrets).unwrap();
    loaded.config.devices.into_values().collect()
}

impl Stack {
    pub(crate) async fn start(driver: OpcUa, devices: &[Arc<DeviceConfig>]) -> Option<Self> {
        let broker = Broker::start()?;
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let mut settings = LinkSettings::new(&broker.url(), "gateway");
        settings.subscriptions = vec!["$hw/events/device/+/+/twin/update".to_owned()];
        let (link, handle, mut events) = MqttLink::connect(settings).unwrap();
        let token = stop.clone();
        tasks.spawn(async move { link.run(token).await.unwrap() });
        while events.next().await.unwrap() != Event::Connected {}
        let (assigner, assigned) = assignment(devices.to_vec());
        let mqtt = LinkSettings::new(&broker.url(), "mapper");
        let mapper = Mapper::with_pauses(driver, assigned, mqtt, PAUSES).unwrap();
        let token = stop.clone();
        tasks.spawn(async move { mapper.run(token).await.unwrap() });
        Some(Self { _broker: broker, _assigner: assigner, tasks, stop, handle, events })
    }

    pub(crate) async fn next(&mut self) -> (String, TwinUpdate) {
        loop {
            let Some(Event::Message { topic, payload, .. }) = self.events.next().await else { continue };
            let Ok(Topic::Device(id, _)) = topic.parse() else { continue };
            return (id.to_string(), TwinUpdate::parse(&payload).unwrap());
        }
    }

    /// Waits at most `most` until a property of any device has this value.
    pub(crate) async fn shows(&mut self, property: &str, wanted: &Value, most: Duration) -> bool {
        let shown = async {
            loop {
                let (_, update) = self.next().await;
                let said = update.twin.into_iter().filter(|(name, _)| name.as_str() == property);
                let mut held = said.filter_map(|(_, said)| said?.actual);
                if held.any(|held| held.value.decode(wanted.value_type()).as_ref() == Ok(wanted)) {
                    break;
                }
            }
        };
        tokio::time::timeout(most, shown).await.is_ok()
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        assert!(tokio::time::timeout(Duration::from_secs(10), ended).await.is_ok(), "all must end in time");
    }
}
