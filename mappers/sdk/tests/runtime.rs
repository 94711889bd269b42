//! The mapper as a whole: devices in memory below, a real broker above.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::broker::Broker;
use common::{Fake, devices};
use mapper_contract::{Delta, DeviceTopic, PropertyTwin, StateUpdate, Topic, TwinUpdate, Wanted};
use mapper_sdk::{Assigner, Mapper, NotDone, Pauses, assignment};
use mqtt_link::{Event, Events, Handle, LinkSettings, MqttLink};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twin_core::{DeviceState, Part, Quality, Revision, Timestamp, Value, ValueType, Why, WriteResult};

const PATIENCE: Duration = Duration::from_secs(20);

/// The gateway's end: hears what the mapper says, and tells it what is wanted.
struct Gateway {
    handle: Handle,
    events: Events,
    fake: Fake,
    stop: CancellationToken,
    mapper_stop: CancellationToken,
    mapper: JoinSet<Result<(), mapper_sdk::Error>>,
    assigner: Option<Assigner>,
    _link: JoinSet<Result<(), mqtt_link::Error>>,
}

enum Said {
    State(String, DeviceState),
    Twin(String, TwinUpdate),
}

impl Gateway {
    async fn start(broker: &Broker, fake: &Fake, yaml: &str) -> Self {
        let mut settings = LinkSettings::new(&broker.url(), "gateway");
        settings.subscriptions = vec![
            "$hw/events/device/+/+/twin/update".to_owned(),
            "$hw/events/device/+/+/state/update".to_owned(),
        ];
        let (link, handle, events) = MqttLink::connect(settings).unwrap();
        let stop = CancellationToken::new();
        let mut link_task = JoinSet::new();
        link_task.spawn(link.run(stop.clone()));
        let mapper_stop = stop.child_token();
        let (fake_too, mapper) = (fake.clone(), JoinSet::new());
        let mut gateway = Self {
            handle,
            events,
            fake: fake_too,
            stop,
            mapper_stop,
            mapper,
            assigner: None,
            _link: link_task,
        };
        while gateway.events.next().await.unwrap() != Event::Connected {}
        let pauses = Pauses { first: Duration::from_millis(30), longest: Duration::from_millis(200) };
        let settings = LinkSettings::new(&broker.url(), "mapper");
        let (assigner, devices) = assignment(devices(yaml));
        let mapper = Mapper::with_pauses(fake.clone(), devices, settings, pauses).unwrap();
        gateway.assigner = Some(assigner);
        gateway.mapper.spawn(mapper.run(gateway.mapper_stop.clone()));
        gateway
    }

    async fn next(&mut self) -> Said {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.next()).await;
            let event = event.expect("the mapper says nothing").expect("the link ended");
            let Event::Message { topic, payload, .. } = event else { continue };
            match topic.parse().unwrap() {
                Topic::Device(id, DeviceTopic::TwinUpdate) => {
                    return Said::Twin(id.name().to_owned(), TwinUpdate::parse(&payload).unwrap());
                }
                Topic::Device(id, DeviceTopic::StateUpdate) => {
                    return Said::State(id.name().to_owned(), StateUpdate::parse(&payload).unwrap().state);
                }
                other @ (Topic::Device(..) | Topic::Node(..) | Topic::Alarm(_)) => {
                    panic!("nobody should say {other}")
                }
            }
        }
    }

    /// Waits until a message says this of a property.
    async fn until(
        &mut self,
        device: &str,
        property: &str,
        is: impl Fn(&PropertyTwin) -> bool,
    ) -> PropertyTwin {
        self.until_update(device, |update| update.get(property).is_some_and(&is))
            .await
            .remove(property)
            .unwrap()
    }

    async fn until_update(
        &mut self,
        device: &str,
        is: impl Fn(&BTreeMap<String, PropertyTwin>) -> bool,
    ) -> BTreeMap<String, PropertyTwin> {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "it was never said");
            let Said::Twin(name, update) = self.next().await else { continue };
            let twin =
                update.twin.into_iter().filter_map(|(n, p)| Some((n.as_str().to_owned(), p?))).collect();
            if name == device && is(&twin) {
                return twin;
            }
        }
    }

    async fn until_state(&mut self, device: &str, state: DeviceState) {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "the state was never said");
            if matches!(self.next().await, Said::State(name, said) if name == device && said == state) {
                return;
            }
        }
    }

    async fn want(&self, device: &str, property: &str, revision: u64, value: Value) {
        let wanted = Wanted {
            part: Part::Desired,
            revision: Revision::new(revision),
            value: value.into(),
            until: None,
            since: None,
            value_type: None,
            actual: None,
        };
        let delta = Delta {
            event_id: String::new(),
            timestamp: Timestamp::default(),
            wanted: BTreeMap::from([(property.parse().unwrap(), wanted)]),
        };
        let topic = Topic::Device(device.parse().unwrap(), DeviceTopic::TwinUpdateDelta).to_string();
        self.handle.publish_acked(&topic, delta.encode(), true).await.unwrap();
    }

    async fn assign(&mut self, yaml: &str) {
        self.assigner.as_mut().unwrap().assign(devices(yaml), PATIENCE).await.unwrap();
    }

    async fn end(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(8), self.mapper.join_next()).await;
        ended.expect("the mapper must end in time").unwrap().unwrap().unwrap();
    }
}

fn value(property: &PropertyTwin, value_type: ValueType) -> Option<Value> {
    property.actual.as_ref().map(|held| held.value.decode(value_type).unwrap())
}

fn is_int(wanted: i64) -> impl Fn(&PropertyTwin) -> bool {
    move |p| value(p, ValueType::Int) == Some(Value::Int(wanted))
}

fn is_bad(why: Why) -> impl Fn(&PropertyTwin) -> bool {
    move |p| p.quality == Some(Quality::Bad(why.clone()))
}

fn result(property: &PropertyTwin) -> Option<&WriteResult> {
    property.outcome.as_ref().map(|outcome| &outcome.result)
}

const TWO: &str = "
devices:
  pump:
    fake: {name: pump}
    properties:
      speed: {type: int, access: read_write, range: [0, 100], every: 20ms, fake: {n: 1}}
      flow: {type: float, every: 20ms, fake: {n: 2}}
  fan:
    fake: {name: fan}
    properties:
      speed: {type: int, access: read_write, every: 20ms, fake: {n: 1}}
";

fn plant() -> Fake {
    let fake = Fake::default();
    fake.set("pump", 1, Value::Int(10));
    fake.set("pump", 2, Value::float(2.5).unwrap());
    fake.set("fan", 1, Value::Int(7));
    fake
}

#[tokio::test]
async fn a_device_goes_online_and_all_values_of_one_poll_come_in_one_message() {
    let Some(broker) = Broker::start() else { return };
    let mut gateway = Gateway::start(&broker, &plant(), TWO).await;
    gateway.until_state("pump", DeviceState::Online).await;
    let twin = gateway.until_update("pump", |twin| twin.len() == 2).await;
    assert_eq!(value(&twin["speed"], ValueType::Int), Some(Value::Int(10)));
    assert_eq!(twin["speed"].quality, Some(Quality::Good));
    gateway.fake.set("pump", 2, Value::float(3.5).unwrap());
    let twin = gateway.until_update("pump", |twin| twin.contains_key("flow")).await;
    assert_eq!(twin.len(), 1, "what did not change is not said again");
    gateway.end().await;
}

#[tokio::test]
async fn a_wish_is_written_once_and_answered_together_with_what_was_read_back() {
    let Some(broker) = Broker::start() else { return };
    let mut gateway = Gateway::start(&broker, &plant(), TWO).await;
    gateway.until("pump", "speed", is_int(10)).await;
    gateway.want("pump", "speed", 3, Value::Int(42)).await;
    let speed = gateway.until("pump", "speed", |p| p.outcome.is_some()).await;
    assert_eq!(result(&speed), Some(&WriteResult::Applied));
    assert_eq!(speed.outcome.as_ref().unwrap().revision, Revision::new(3));
    assert_eq!(value(&speed, ValueType::Int), Some(Value::Int(42)));
    // The same wish again, and then a newer one: when that is answered, the first was not executed again.
    gateway.want("pump", "speed", 3, Value::Int(42)).await;
    gateway.want("pump", "speed", 4, Value::Int(43)).await;
    gateway.until("pump", "speed", |p| p.outcome.as_ref().is_some_and(|o| o.revision.get() == 4)).await;
    let writes = gateway.fake.world().writes.clone();
    assert_eq!(writes, [("pump".into(), 1, Value::Int(42)), ("pump".into(), 1, Value::Int(43))]);
    gateway.end().await;
}

#[tokio::test]
async fn a_wish_that_breaks_a_rule_is_refused_with_the_reason_and_never_written() {
    let Some(broker) = Broker::start() else { return };
    let mut gateway = Gateway::start(&broker, &plant(), TWO).await;
    gateway.want("pump", "speed", 1, Value::Int(200)).await;
    let speed = gateway.until("pump", "speed", |p| p.outcome.is_some()).await;
    let reason = "200 is outside the range 0 to 100".to_owned();
    assert_eq!(result(&speed), Some(&WriteResult::Refused { reason }));
    gateway.want("pump", "flow", 2, Value::float(1.0).unwrap()).await;
    let flow = gateway.until("pump", "flow", |p| p.outcome.is_some()).await;
    assert_eq!(result(&flow), Some(&WriteResult::Refused { reason: "the property is read only".into() }));
    assert!(gateway.fake.world().writes.is_empty());
    gateway.end().await;
}

#[tokio::test]
async fn a_device_that_does_not_answer_turns_its_properties_bad_in_one_message_and_comes_back_good() {
    let Some(broker) = Broker::start() else { return };
    let mut gateway = Gateway::start(&broker, &plant(), TWO).await;
    gateway.until_update("pump", |twin| twin.len() == 2).await;
    gateway.fake.world().dead.insert("pump".into());
    gateway.until_state("pump", DeviceState::Offline).await;
    let twin = gateway.until_update("pump", |_| true).await;
    assert_eq!(twin.len(), 2);
    for property in twin.values() {
        assert!(is_bad(Why::DeviceUnreachable)(property));
        assert_eq!(property.actual, None, "an old value is not sent as a new one");
    }
    gateway.fake.set("fan", 1, Value::Int(8));
    gateway.until("fan", "speed", is_int(8)).await;
    gateway.fake.world().dead.clear();
    gateway.until_state("pump", DeviceState::Online).await;
    let twin = gateway.until_update("pump", |_| true).await;
    assert!(twin.len() == 2 && twin.values().all(|p| p.quality == Some(Quality::Good) && p.actual.is_some()));
    gateway.end().await;
}

#[tokio::test]
async fn a_wish_for_a_device_that_does_not_answer_waits_fails_once_and_only_the_newest_is_written() {
    let Some(broker) = Broker::start() else { return };
    let fake = plant();
    fake.world().dead.insert("pump".into());
    let mut gateway = Gateway::start(&broker, &fake, TWO).await;
    gateway.until_state("pump", DeviceState::Offline).await;
    for revision in 1..=3 {
        gateway.want("pump", "speed", revision, Value::Int(50 + i64::try_from(revision).unwrap())).await;
    }
    let speed =
        gateway.until("pump", "speed", |p| p.outcome.as_ref().is_some_and(|o| o.revision.get() == 3)).await;
    assert!(matches!(result(&speed), Some(WriteResult::Failed { retry_at: Some(_), .. })), "{speed:?}");
    gateway.fake.world().dead.clear();
    let speed = gateway.until("pump", "speed", |p| p.outcome.is_some()).await;
    assert_eq!(result(&speed), Some(&WriteResult::Applied));
    assert_eq!(gateway.fake.world().writes, [("pump".to_owned(), 1, Value::Int(53))]);
    gateway.end().await;
}

#[tokio::test]
async fn what_is_no_good_value_is_marked_with_its_reason() {
    let Some(broker) = Broker::start() else { return };
    let fake = plant();
    fake.set("pump", 1, Value::Int(101));
    fake.set("pump", 2, Value::String("hot".into()));
    fake.world().values.remove(&("fan".to_owned(), 1));
    let mut gateway = Gateway::start(&broker, &fake, TWO).await;
    let mut missing = vec![
        ("pump", "speed", Why::OutOfRange),
        ("pump", "flow", Why::WrongType),
        ("fan", "speed", Why::PointRefused),
    ];
    while !missing.is_empty() {
        let Said::Twin(device, update) = gateway.next().await else { continue };
        let said = |property: &str, why: &Why| {
            let property = update.twin.get(&property.parse().unwrap()).cloned().flatten();
            property.is_some_and(|p| is_bad(why.clone())(&p) && p.actual.is_none())
        };
        missing.retain(|(name, property, why)| !(*name == device && said(property, why)));
    }
    gateway.end().await;
}

#[tokio::test]
async fn a_driver_that_panics_restarts_its_lane_and_no_other() {
    let Some(broker) = Broker::start() else { return };
    let mut gateway = Gateway::start(&broker, &plant(), TWO).await;
    gateway.until("pump", "speed", is_int(10)).await;
    gateway.fake.world().panics_at_read.insert("pump".into());
    gateway.until("pump", "speed", is_bad(Why::MapperDown)).await;
    gateway.fake.set("fan", 1, Value::Int(9));
    gateway.until("fan", "speed", is_int(9)).await;
    gateway.fake.world().panics_at_read.clear();
    gateway.until("pump", "speed", is_int(10)).await;
    gateway.fake.world().panics_at_write.insert("pump".into());
    gateway.want("pump", "speed", 1, Value::Int(5)).await;
    let speed = gateway.until("pump", "speed", |p| p.outcome.is_some()).await;
    assert!(matches!(result(&speed), Some(WriteResult::Refused { .. })), "it is not tried again: {speed:?}");
    gateway.until("pump", "speed", is_int(10)).await;
    gateway.end().await;
}

#[tokio::test]
async fn after_the_broker_was_away_everything_is_said_again_with_its_own_time() {
    let Some(mut broker) = Broker::start() else { return };
    let mut gateway = Gateway::start(&broker, &plant(), TWO).await;
    let first = gateway.until("pump", "speed", is_int(10)).await.actual.unwrap().timestamp.unwrap();
    broker.kill();
    gateway.fake.set("pump", 2, Value::float(9.5).unwrap());
    broker.up();
    while gateway.events.next().await.unwrap() != Event::Connected {}
    let again = gateway.until_update("pump", |twin| twin.len() == 2).await;
    assert_eq!(again["speed"].actual.as_ref().unwrap().timestamp, Some(first), "an old value keeps its time");
    gateway.end().await;
}

#[tokio::test]
async fn a_mapper_whose_broker_and_devices_are_all_away_still_ends_in_time() {
    let Some(mut broker) = Broker::start() else { return };
    let mut gateway = Gateway::start(&broker, &plant(), TWO).await;
    gateway.until("pump", "speed", is_int(10)).await;
    broker.kill();
    gateway.fake.world().dead.extend(["pump".to_owned(), "fan".to_owned()]);
    gateway.end().await;
}

#[tokio::test]
async fn a_mapper_that_stops_says_that_nobody_reads_its_values_now() {
    let Some(broker) = Broker::start() else { return };
    let mut gateway = Gateway::start(&broker, &plant(), TWO).await;
    gateway.until("pump", "speed", is_int(10)).await;
    gateway.mapper_stop.cancel();
    let speed = gateway.until("pump", "speed", is_bad(Why::MapperDown)).await;
    assert!(speed.actual.is_none(), "without a fresh value: {speed:?}");
    gateway.end().await;
}

#[tokio::test]
async fn devices_that_come_go_and_change_do_not_disturb_one_that_stays() {
    let Some(broker) = Broker::start() else { return };
    let fake = plant();
    fake.set("mill", 1, Value::Int(1));
    let mut gateway = Gateway::start(&broker, &fake, TWO).await;
    gateway.until("pump", "speed", is_int(10)).await;
    let connected = |fake: &Fake, name: &str| fake.world().connections.get(name).copied().unwrap_or(0);
    assert_eq!(connected(&fake, "fan"), 1);
    // What is wanted of a device that is not there yet waits at the broker.
    gateway.want("mill", "speed", 1, Value::Int(33)).await;
    let mill = "  mill:
    fake: {name: mill, lane: fan}
    properties:
      speed: {type: int, access: read_write, every: 20ms, fake: {n: 1}}
";
    gateway.assign(&format!("{TWO}{mill}")).await;
    let speed = gateway.until("mill", "speed", |p| p.outcome.is_some()).await;
    assert_eq!(result(&speed), Some(&WriteResult::Applied));
    // The pump changes: it is connected anew, and what is wanted of it is heard again.
    gateway.want("pump", "speed", 1, Value::Int(11)).await;
    gateway.until("pump", "speed", |p| p.outcome.is_some()).await;
    let changed = TWO.replace("range: [0, 100]", "range: [0, 50]");
    gateway.assign(&format!("{changed}{mill}")).await;
    gateway.until("pump", "speed", is_bad(Why::MapperDown)).await;
    let speed = gateway.until("pump", "speed", |p| p.outcome.is_some() && p.actual.is_some()).await;
    assert_eq!(value(&speed, ValueType::Int), Some(Value::Int(11)));
    assert_eq!(connected(&fake, "pump"), 2);
    // The pump goes: it is said once that nobody reads it, and then nothing more.
    let fan =
        TWO.split("  pump:").next().unwrap().to_owned() + "  fan:" + TWO.split("  fan:").nth(1).unwrap();
    gateway.assign(&fan).await;
    gateway.until("pump", "speed", is_bad(Why::MapperDown)).await;
    gateway.fake.set("pump", 1, Value::Int(99));
    gateway.want("pump", "speed", 2, Value::Int(5)).await;
    for n in 0..5 {
        gateway.fake.set("fan", 1, Value::Int(20 + n));
        let twin = gateway.until("fan", "speed", is_int(20 + n)).await;
        assert_eq!(twin.quality, Some(Quality::Good), "the fan was good all the time");
    }
    assert_eq!(connected(&fake, "fan"), 1, "its connection was kept");
    let figures = gateway.assigner.as_ref().unwrap().figures().lanes();
    let fan = figures.iter().find(|(lane, _)| lane.to_string() == "fan").unwrap().1;
    assert!(fan.devices == 1 && fan.reads > 5 && fan.failures == 0, "{fan:?}");
    assert!(!gateway.fake.world().writes.contains(&("pump".to_owned(), 1, Value::Int(5))));
    gateway.end().await;
}

#[tokio::test]
async fn a_paused_device_is_left_alone_until_it_is_resumed_and_its_wishes_wait() {
    let Some(broker) = Broker::start() else { return };
    let mut gateway = Gateway::start(&broker, &plant(), TWO).await;
    gateway.until_update("pump", |twin| twin.len() == 2).await;
    let controls = gateway.assigner.as_ref().unwrap().controls().clone();
    let pump = "pump".parse().unwrap();
    controls.set_pause(&pump, true);
    controls.settled(&pump, PATIENCE).await.unwrap();
    let asked = gateway.fake.world().asked("pump");
    gateway.until_state("pump", DeviceState::Unknown).await;
    let twin = gateway.until_update("pump", |_| true).await;
    assert!(twin.len() == 2 && twin.values().all(|p| is_bad(Why::Paused)(p) && p.actual.is_none()));
    gateway.want("pump", "speed", 1, Value::Int(42)).await;
    let speed = gateway.until("pump", "speed", |p| p.outcome.is_some()).await;
    assert!(matches!(result(&speed), Some(WriteResult::Failed { retry_at: None, .. })), "{speed:?}");
    assert_eq!(controls.poll(&pump, PATIENCE).await, Err(NotDone::Paused));
    // The neighbour goes on.
    gateway.fake.set("fan", 1, Value::Int(8));
    gateway.until("fan", "speed", is_int(8)).await;
    assert_eq!(gateway.fake.world().asked("pump"), asked, "nothing was asked of it");
    assert!(controls.standing(&pump).unwrap().paused);
    // Also when the driver of its lane breaks down, or the mapper gets it anew.
    gateway.assign("devices:\n  fan:\n    fake: {name: fan}\n    properties: {}\n").await;
    gateway.assign(TWO).await;
    controls.settled(&pump, PATIENCE).await.unwrap();
    // As the broker does, which keeps what is wanted.
    gateway.want("pump", "speed", 1, Value::Int(42)).await;
    assert_eq!(gateway.fake.world().asked("pump"), asked, "nothing was asked of it");
    controls.set_pause(&pump, false);
    gateway.until("pump", "speed", |p| matches!(result(p), Some(WriteResult::Applied))).await;
    assert!(gateway.fake.world().writes.contains(&("pump".to_owned(), 1, Value::Int(42))));
    gateway.end().await;
}

#[tokio::test]
async fn a_device_that_is_read_now_is_asked_once_for_all_who_ask_and_says_what_it_holds() {
    let Some(broker) = Broker::start() else { return };
    let fake = plant();
    let rarely = TWO.replace("20ms", "1h");
    let mut gateway = Gateway::start(&broker, &fake, &rarely).await;
    gateway.until_update("pump", |twin| twin.len() == 2).await;
    let controls = gateway.assigner.as_ref().unwrap().controls().clone();
    let pump = "pump".parse().unwrap();
    let asked = gateway.fake.world().asked("pump");
    let (one, two) = tokio::join!(controls.poll(&pump, PATIENCE), controls.poll(&pump, PATIENCE));
    assert_eq!(one, two);
    let read = one.unwrap().read.unwrap();
    let speed = read.iter().find(|(name, _)| name.as_str() == "speed").unwrap();
    assert_eq!(
        (read.len(), &speed.1.value, speed.1.gateway_time.is_some()),
        (2, &Some(Value::Int(10)), true)
    );
    assert_eq!(gateway.fake.world().asked("pump"), asked + 1);
    // It is reported, though nothing has changed.
    gateway.until_update("pump", |twin| twin.len() == 2).await;
    // A device that does not answer says so, and is shown as such.
    gateway.fake.world().dead.insert("pump".into());
    let dead = controls.poll(&pump, PATIENCE).await.unwrap();
    assert_eq!(dead.read, Err(mapper_sdk::Fault::TimedOut(Duration::from_millis(20))));
    gateway.until_state("pump", DeviceState::Offline).await;
    let standing = controls.standing(&pump).unwrap();
    assert!(standing.last_fault.is_some() && standing.retry_at.is_some() && standing.last_answer.is_some());
    assert_eq!(standing.lane, Some(mapper_sdk::LaneKey::new("pump")));
    let nobody = controls.poll(&"nobody".parse().unwrap(), PATIENCE).await;
    assert_eq!(nobody, Err(NotDone::NotServed));
    gateway.end().await;
}

#[tokio::test]
async fn a_probe_says_whether_a_device_answers_and_reports_nothing() {
    let Some(broker) = Broker::start() else { return };
    let fake = plant();
    let mut gateway = Gateway::start(&broker, &fake, TWO).await;
    gateway.until_update("pump", |twin| twin.len() == 2).await;
    let controls = gateway.assigner.as_ref().unwrap().controls().clone();
    let pump = "pump".parse().unwrap();
    controls.set_pause(&pump, true);
    controls.settled(&pump, PATIENCE).await.unwrap();
    gateway.until("pump", "speed", is_bad(Why::Paused)).await;
    gateway.fake.world().values.remove(&("pump".to_owned(), 2));
    let probed = controls.probe(&pump, PATIENCE).await.unwrap();
    assert!(probed.connected.is_some() && probed.read.is_some() && probed.fault.is_none(), "{probed:?}");
    assert_eq!((probed.values, probed.without[0].0.as_str()), (1, "flow"));
    gateway.fake.world().dead.insert("pump".into());
    let probed = controls.probe(&pump, PATIENCE).await.unwrap();
    assert!(probed.fault.is_some() && probed.read.is_none(), "{probed:?}");
    gateway.fake.set("fan", 1, Value::Int(9));
    loop {
        let Said::Twin(device, update) = gateway.next().await else { continue };
        assert_eq!(device, "fan", "a probe is told to nobody else: {update:?}");
        break;
    }
    gateway.end().await;
}
