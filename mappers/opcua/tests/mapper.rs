//! The demonstration plant through the whole mapper, up to a real broker and down to a variable; and restarts.

#[expect(dead_code, reason = "every test uses a part of it")]
mod running;
mod stack;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use mapper_contract::{Delta, DeviceTopic, Topic, Wanted};
use opcua::OpcUa;
use opcua::sim::{SimFault, demo_plant};
use opcua_types::Variant;
use running::{Running, data_dir};
use stack::{Stack, devices};
use twin_core::{Part, Revision, Timestamp, Value, WriteResult};

#[tokio::test]
async fn every_property_of_the_demonstration_plant_is_read_and_its_set_point_written() {
    let demo = demo_plant("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let devices = devices(&demo.yaml);
    let mut missing: BTreeSet<(String, String)> = BTreeSet::new();
    for device in &devices {
        missing.extend(device.properties.keys().map(|p| (device.id.to_string(), p.to_string())));
    }
    let server = demo.server.clone();
    let Some(mut stack) = Stack::start(OpcUa::new(data_dir()), &devices).await else { return };
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
    let Some(mut stack) = Stack::start(OpcUa::new(data_dir()), &devices(&yaml)).await else { return };
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
        let flows = stack.shows("n", &Value::Int(round.into()), Duration::from_secs(5)).await;
        assert!(flows, "restart {round}");
        longest = longest.max(back.elapsed());
    }
    println!("{rounds} restarts, the longest time to a fresh value {} ms", longest.as_millis());
    stack.end().await;
}
