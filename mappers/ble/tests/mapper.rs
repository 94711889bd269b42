//! The simulated devices through the whole mapper, up to a real broker and down to a characteristic.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

#[path = "../../sdk/tests/common/broker.rs"]
mod broker;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ble::Ble;
use ble::sim::demo;
use broker::Broker;
use config::{NoSecrets, Source, load};
use mapper_contract::{Delta, DeviceTopic, Topic, TwinUpdate, Wanted};
use mapper_sdk::Mapper;
use mqtt_link::{Event, LinkSettings, MqttLink};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twin_core::{Part, Revision, Timestamp, Value, WriteResult};

#[tokio::test]
async fn every_property_of_the_demonstration_is_read_and_its_interval_written() {
    let Some(broker) = Broker::start() else { return };
    let demo = demo();
    let text = format!("gateway: {{node: demo}}\n{}", demo.yaml);
    let loaded = load(&[Source::new("demo.yaml", text)], &[ble::protocol()], &NoSecrets).unwrap();
    let devices: Vec<_> = loaded.config.devices.into_values().collect();
    let mut missing: BTreeSet<(String, String)> = BTreeSet::new();
    for device in &devices {
        missing.extend(device.properties.keys().map(|p| (device.id.to_string(), p.to_string())));
    }

    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let mut settings = LinkSettings::new(&broker.url(), "gateway");
    settings.subscriptions = vec!["$hw/events/device/+/+/twin/update".to_owned()];
    let (link, handle, mut events) = MqttLink::connect(settings).unwrap();
    let token = stop.clone();
    tasks.spawn(async move { link.run(token).await.unwrap() });
    while events.next().await.unwrap() != Event::Connected {}
    let (air, token) = (demo.air.clone(), stop.clone());
    tasks.spawn(async move { demo.run(token).await });
    let settings = LinkSettings::new(&broker.url(), "mapper");
    let mapper = Mapper::new(Ble::over(air.clone()), &devices, settings).unwrap();
    let token = stop.clone();
    tasks.spawn(async move { mapper.run(token).await.unwrap() });

    let wanted = Wanted {
        part: Part::Desired,
        revision: Revision::new(1),
        value: Value::Int(17).into(),
        until: None,
        since: None,
        value_type: None,
        actual: None,
    };
    let delta = Delta {
        event_id: String::new(),
        timestamp: Timestamp::default(),
        wanted: BTreeMap::from([("interval".parse().unwrap(), wanted)]),
    };
    let topic = Topic::Device("thermometer-1".parse().unwrap(), DeviceTopic::TwinUpdateDelta).to_string();
    handle.publish_acked(&topic, delta.encode(), true).await.unwrap();

    let mut applied = false;
    let mut unread = Vec::new();
    let all = async {
        while !(missing.is_empty() && applied) {
            let Some(Event::Message { topic, payload, .. }) = events.next().await else { continue };
            let Ok(Topic::Device(id, _)) = topic.parse() else { continue };
            for (name, property) in TwinUpdate::parse(&payload).unwrap().twin {
                let property = property.unwrap();
                if property.actual.is_some() {
                    missing.remove(&(id.to_string(), name.to_string()));
                } else {
                    unread.push(format!("{id} {name}: {:?}", property.quality));
                }
                applied |= property.outcome.is_some_and(|outcome| outcome.result == WriteResult::Applied);
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), all).await.is_ok();
    assert!(in_time, "never read: {missing:?}; interval written: {applied}; {unread:?}");
    let own = "12345678-1234-5678-1234-56789abcdef1".parse().unwrap();
    let held = air.with("C4:7C:8D:6A:12:34".parse().unwrap(), |device| device.bytes(own));
    assert_eq!(held, [17]);
    stop.cancel();
    let ended =
        tokio::time::timeout(Duration::from_secs(10), async { while tasks.join_next().await.is_some() {} });
    assert!(ended.await.is_ok(), "all must end in time");
}
