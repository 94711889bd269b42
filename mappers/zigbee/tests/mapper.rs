//! The demonstration network through the whole mapper, up to a real broker and down to a bulb.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../../sdk/tests/common/broker.rs"]
mod broker;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use broker::Broker;
use config::{NoSecrets, Source, load};
use mapper_contract::{Delta, DeviceTopic, Topic, TwinUpdate, Wanted};
use mapper_sdk::Mapper;
use mqtt_link::{Event, LinkSettings, MqttLink};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twin_core::{Part, Revision, Timestamp, Value, WriteResult};
use zigbee::Zigbee;
use zigbee::sim::{Kind, demo_network};
use zigbee::zcl::Scalar;
use zigbee::zcl::clusters::id;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_property_of_the_demonstration_network_is_told_and_a_thermostat_that_sleeps_is_set() {
    let Some(broker) = Broker::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let demo = demo_network("127.0.0.1:0".parse().unwrap(), 3, folder.path()).await.unwrap();
    let text = format!("gateway: {{node: demo}}\n{}", demo.yaml);
    let loaded = load(&[Source::new("demo.yaml", text)], &[zigbee::protocol()], &NoSecrets).unwrap();
    let devices: Vec<_> = loaded.config.devices.into_values().collect();
    let mut missing: BTreeSet<(String, String)> = BTreeSet::new();
    for device in &devices {
        missing.extend(device.properties.keys().map(|p| (device.id.to_string(), p.to_string())));
    }
    let sim = demo.sim.clone();

    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let mut settings = LinkSettings::new(&broker.url(), "gateway");
    settings.subscriptions = vec!["$hw/events/device/+/+/twin/update".to_owned()];
    let (link, handle, mut events) = MqttLink::connect(settings).unwrap();
    let token = stop.clone();
    tasks.spawn(async move { link.run(token).await.unwrap() });
    while events.next().await.unwrap() != Event::Connected {}
    let token = stop.clone();
    tasks.spawn(async move { demo.run(token).await.unwrap() });
    let driver = Zigbee::new(folder.path());
    let mapper = Mapper::new(driver, &devices, LinkSettings::new(&broker.url(), "mapper")).unwrap();
    let token = stop.clone();
    tasks.spawn(async move { mapper.run(token).await.unwrap() });

    let wanted = |value: Value| Wanted {
        part: Part::Desired,
        revision: Revision::new(1),
        value: value.into(),
        until: None,
        since: None,
        value_type: None,
        actual: None,
    };
    let wishes = [
        ("thermostat-1", "setpoint", Value::float(22.5).unwrap()),
        ("bulb-1", "on", Value::Bool(true)),
        ("blind-1", "position", Value::Int(60)),
    ];
    for (device, property, value) in wishes {
        let delta = Delta {
            event_id: String::new(),
            timestamp: Timestamp::default(),
            wanted: BTreeMap::from([(property.parse().unwrap(), wanted(value))]),
        };
        let topic = Topic::Device(device.parse().unwrap(), DeviceTopic::TwinUpdateDelta).to_string();
        handle.publish_acked(&topic, delta.encode(), true).await.unwrap();
    }

    let mut applied = BTreeSet::new();
    let all = async {
        while !(missing.is_empty() && applied.len() == 3) {
            let Some(Event::Message { topic, payload, .. }) = events.next().await else { continue };
            let Ok(Topic::Device(id, _)) = topic.parse() else { continue };
            for (name, property) in TwinUpdate::parse(&payload).unwrap().twin {
                let property = property.unwrap();
                let good = property.quality.as_ref().is_none_or(|quality| quality.is_good());
                if property.actual.is_some() && good {
                    missing.remove(&(id.to_string(), name.to_string()));
                }
                if property.outcome.is_some_and(|outcome| outcome.result == WriteResult::Applied) {
                    applied.insert((id.to_string(), name.to_string()));
                }
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), all).await.is_ok();
    assert!(in_time, "never told: {missing:?}; applied: {applied:?}");
    let held = |kind: Kind, cluster, attribute| {
        sim.with(|mesh| {
            let node = mesh.nodes().iter().find(|node| node.kind == kind).unwrap();
            node.get(cluster, attribute).cloned()
        })
    };
    assert_eq!(held(Kind::Thermostat, id::THERMOSTAT, 0x0012), Some(Scalar::Signed(2_250)));
    assert_eq!(held(Kind::Bulb, id::ON_OFF, 0), Some(Scalar::Bool(true)));
    assert_eq!(held(Kind::Blind, id::COVERING, 8), Some(Scalar::Unsigned(60)));
    stop.cancel();
    let ended =
        tokio::time::timeout(Duration::from_secs(10), async { while tasks.join_next().await.is_some() {} });
    assert!(ended.await.is_ok(), "all must end in time");
}
