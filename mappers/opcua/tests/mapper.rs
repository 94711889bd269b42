//! The demonstration plant through the whole mapper, up to a real broker and down to a variable; and restarts.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(
    clippy::print_stdout,
    reason = "a test that is skipped says so, and one that measures tells its figures"
)]

#[path = "../../sdk/tests/common/broker.rs"]
mod broker;
#[expect(dead_code, reason = "every test uses a part of it")]
mod running;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::Broker;
use config::{DeviceConfig, NoSecrets, Source, load};
use mapper_contract::{Delta, DeviceTopic, Topic, TwinUpdate, Wanted};
use mapper_sdk::{Assigner, Mapper, assignment};
use mqtt_link::{Event, Events, Handle, LinkSettings, MqttLink};
use opcua::sim::{SimFault, demo_plant};
use opcua::{OpcUa, PAUSES};
use opcua_types::Variant;
use running::{Running, data_dir};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twin_core::{Part, Revision, Timestamp, Value, ValueType, WriteResult};

struct Stack {
    _broker: Broker,
    _assigner: Assigner,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    handle: Handle,
    events: Events,
}

fn devices(yaml: &str) -> Vec<Arc<DeviceConfig>> {
    let text = format!("gateway: {{node: demo}}\n{yaml}");
    let loaded = load(&[Source::new("demo.yaml", text)], &[opcua::protocol()], &NoSecrets).unwrap();
    loaded.config.devices.into_values().collect()
}

impl Stack {
    async fn start(devices: &[Arc<DeviceConfig>]) -> Option<Self> {
        let broker = Broker::start()?;
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let mut settings = LinkSettings::new(&broker.url(), "gateway");
        settings.subscriptions = vec!["$hw/events/device/+/+/twin/update".to_owned()];
        let (link, handle, mut events) = MqttLink::connect(settings).unwrap();
        let token = stop.clone();
        tasks.spawn(async move { link.run(token).await.unwrap() });
        while events.next().await.unwrap() != Event::Connected {}
        let driver = OpcUa::new(data_dir());
        let (assigner, assigned) = assignment(devices.to_vec());
        let mqtt = LinkSettings::new(&broker.url(), "mapper");
        let mapper = Mapper::with_pauses(driver, assigned, mqtt, PAUSES).unwrap();
        let token = stop.clone();
        tasks.spawn(async move { mapper.run(token).await.unwrap() });
        Some(Self { _broker: broker, _assigner: assigner, tasks, stop, handle, events })
    }

    async fn next(&mut self) -> (String, TwinUpdate) {
        loop {
            let Some(Event::Message { topic, payload, .. }) = self.events.next().await else { continue };
            let Ok(Topic::Device(id, _)) = topic.parse() else { continue };
            return (id.to_string(), TwinUpdate::parse(&payload).unwrap());
        }
    }

    async fn end(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        assert!(tokio::time::timeout(Duration::from_secs(10), ended).await.is_ok(), "all must end in time");
    }
}

#[tokio::test]
async fn every_property_of_the_demonstration_plant_is_read_and_its_set_point_written() {
    let demo = demo_plant("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let devices = devices(&demo.yaml);
    let mut missing: BTreeSet<(String, String)> = BTreeSet::new();
    for device in &devices {
        missing.extend(device.properties.keys().map(|p| (device.id.to_string(), p.to_string())));
    }
    let server = demo.server.clone();
    let Some(mut stack) = Stack::start(&devices).await else { return };
    let token = stack.stop.clone();
    stack.tasks.spawn(async move { demo.run(token).await.unwrap() });
    let wanted = Wanted {
        part: Part::Desired,
        revision: Revision::new(1),
        value: Value::float(71.5).unwrap().into(),
        until: None,
        since: None,
        value_type: None,
        actual: None,
    };
    let delta = Delta {
        event_id: String::new(),
        timestamp: Timestamp::default(),
        wanted: BTreeMap::from([("setpoint".parse().unwrap(), wanted)]),
    };
    let topic = Topic::Device("kiln-1".parse().unwrap(), DeviceTopic::TwinUpdateDelta).to_string();
    stack.handle.publish_acked(&topic, delta.encode(), true).await.unwrap();
    let mut applied = false;
    let all = async {
        while !(missing.is_empty() && applied) {
            let (id, update) = stack.next().await;
            for (name, property) in update.twin {
                let property = property.unwrap();
                if property.actual.is_some() {
                    missing.remove(&(id.clone(), name.to_string()));
                }
                applied |= property.outcome.is_some_and(|outcome| outcome.result == WriteResult::Applied);
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(40), all).await.is_ok();
    assert!(in_time, "never read: {missing:?}; set-point written: {applied}");
    assert_eq!(server.value("Kiln.Setpoint"), Variant::Double(71.5));
    stack.end().await;
}

/// Twenty restarts in a row, each with the server away for a while.
#[tokio::test]
async fn after_every_restart_values_flow_again_within_five_seconds() {
    let plant = Running::start().await;
    let yaml = format!(
        "devices:\n  one:\n    opcua: {{url: \"opc.tcp://{}\", security: none, timeout: 1s}}\n    properties:\n      n: {{type: int, every: 500ms, opcua: {{node: \"nsu=urn:twinspan:sim;s=A.Int\"}}}}\n",
        plant.server.address()
    );
    let Some(mut stack) = Stack::start(&devices(&yaml)).await else { return };
    let rounds = std::env::var("TWINSPAN_RESTARTS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let mut longest = Duration::ZERO;
    for round in 1..=rounds {
        plant.server.set_fault(SimFault::Down);
        plant.server.restart();
        // Twice it is away for so long that the pauses of the mapper have become their longest.
        let away = if round % 7 == 0 { 9_000 } else { 200 * (u64::try_from(round).unwrap() % 7) };
        tokio::time::sleep(Duration::from_millis(away)).await;
        plant.server.ready().await;
        plant.server.set([("A.Int", Variant::Int32(round))]);
        plant.server.set_fault(SimFault::None);
        let back = Instant::now();
        let wanted = Ok(Value::Int(round.into()));
        let flows = async {
            loop {
                let (_, update) = stack.next().await;
                let mut held = update.twin.into_values().flatten().filter_map(|property| property.actual);
                if held.any(|held| held.value.decode(ValueType::Int) == wanted) {
                    break;
                }
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(5), flows).await.is_ok(), "restart {round}");
        longest = longest.max(back.elapsed());
    }
    println!("{rounds} restarts, the longest time to a fresh value {} ms", longest.as_millis());
    stack.end().await;
}
