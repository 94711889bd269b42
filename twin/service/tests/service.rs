//! The service with a real database.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use device_twin::{
    DeviceTwin, Event, Handle, OverrideRequest, Report, ReportError, ReportedChange, Settings, Update,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use twin_core::history::{HistoryPolicy, SampleRange};
use twin_core::replica::{Base, Batch, Limits, LinkCommand, LinkEvent, Message};
use twin_core::*;
use twin_store::{HistoryBounds, Reader};

fn wall() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap())
}

struct Rig {
    handle: Handle,
    reader: Reader,
    link_events: mpsc::Sender<LinkEvent>,
    link: mpsc::Receiver<LinkCommand>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), device_twin::Error>>,
}

static INCARNATION: AtomicI64 = AtomicI64::new(1);

async fn start(dir: &Path) -> Rig {
    let (link_events, events) = mpsc::channel(64);
    let (commands, link) = mpsc::channel(64);
    let settings = Settings {
        data_dir: dir.to_owned(),
        incarnation: Incarnation::new(INCARNATION.fetch_add(1, Ordering::Relaxed).unsigned_abs()),
        limits: Limits::default(),
        settle: Duration::from_millis(200),
        history: HistoryBounds::default(),
        now: wall,
    };
    let (service, handle, reader) = DeviceTwin::open(settings, events, commands).await.unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(service.run(stop.clone()));
    Rig { handle, reader, link_events, link, stop, task }
}

impl Rig {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    async fn declare(&self) {
        let mut speed = PropertyDefinition::new(ValueType::Int, Access::Read);
        speed.history = Some(HistoryPolicy::default());
        let mut setpoint = PropertyDefinition::new(ValueType::Float, Access::ReadWrite);
        setpoint.range = Some(Range { min: 0.0, max: 100.0 });
        let definition = DeviceDefinition {
            protocol: "modbus".into(),
            properties: BTreeMap::from([(name("speed"), speed), (name("setpoint"), setpoint)]),
            ..DeviceDefinition::default()
        };
        self.handle.declare(BTreeMap::from([(device(), definition)])).await.unwrap();
    }
}

fn device() -> DeviceId {
    "pump".parse().unwrap()
}

fn name(text: &str) -> PropertyName {
    text.parse().unwrap()
}

fn value(property: &str, value: Value) -> Report {
    let change = ReportedChange {
        value: Some(value),
        quality: Quality::Good,
        source_time: None,
        gateway_time: None,
        outcome: None,
        define: None,
    };
    Report { device: device(), properties: vec![(name(property), Update::Changed(change))] }
}

async fn reported(rig: &Rig, property: &str) -> Option<Reported> {
    let twin = rig.reader.twin(&device()).await.unwrap();
    twin.reported.into_iter().find(|(n, ..)| n.as_str() == property).map(|(_, r, _)| r)
}

#[tokio::test]
async fn an_answered_report_is_in_the_database_and_after_a_restart_its_value_is_doubted() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path()).await;
    rig.declare().await;
    rig.handle.report(value("speed", Value::Int(7))).await.unwrap();
    let stored = reported(&rig, "speed").await.unwrap();
    assert_eq!((stored.value, stored.quality.word()), (Some(Value::Int(7)), "good"));
    rig.end().await;

    let rig = start(dir.path()).await;
    let mut events = rig.handle.events();
    rig.declare().await;
    let stored = reported(&rig, "speed").await.unwrap();
    assert_eq!(stored.quality, Quality::Uncertain(Why::NotReadYet), "nobody has read it since");
    assert_eq!(stored.value, Some(Value::Int(7)), "the last value stays");
    drop(events.try_recv());
    rig.end().await;
}

#[tokio::test]
async fn what_is_unknown_or_of_the_wrong_type_is_refused_and_nothing_of_it_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path()).await;
    rig.declare().await;
    let mut two = value("speed", Value::Int(1));
    two.properties.extend(value("nonsense", Value::Int(1)).properties);
    assert!(matches!(rig.handle.report(two).await, Err(ReportError::UnknownProperty { .. })));
    assert_eq!(reported(&rig, "speed").await, None);
    let wrong = rig.handle.report(value("speed", Value::Bool(true))).await;
    assert!(matches!(wrong, Err(ReportError::Type { .. })));
    let mut other = value("speed", Value::Int(1));
    other.device = "nosuch".parse().unwrap();
    assert!(matches!(rig.handle.report(other).await, Err(ReportError::UnknownDevice { .. })));
    rig.end().await;
}

#[tokio::test]
async fn a_device_that_goes_offline_turns_its_values_bad_without_a_fresh_time() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path()).await;
    rig.declare().await;
    rig.handle.report(value("speed", Value::Int(7))).await.unwrap();
    let before = reported(&rig, "speed").await.unwrap();
    rig.handle.state(device(), DeviceState::Offline).await.unwrap();
    let after = reported(&rig, "speed").await.unwrap();
    assert_eq!(after.quality, Quality::Bad(Why::DeviceUnreachable));
    assert_eq!((after.value, after.gateway_time), (before.value, before.gateway_time));
    rig.end().await;
}

#[tokio::test]
async fn a_value_out_of_its_range_is_kept_and_marked() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path()).await;
    rig.declare().await;
    rig.handle.report(value("setpoint", Value::float(101.0).unwrap())).await.unwrap();
    assert_eq!(reported(&rig, "setpoint").await.unwrap().quality, Quality::Bad(Why::OutOfRange));
    rig.end().await;
}

fn desired_batch(after: Option<Cursor>, revision: u64, value: f64) -> Message {
    let desired = Desired {
        value: Value::float(value).unwrap(),
        set_by: "alice".into(),
        set_at: wall(),
        valid_until: None,
    };
    let id = PropertyId::new(device(), name("setpoint"));
    let cursor = Cursor { incarnation: Incarnation::new(99), revision: Revision::new(revision) };
    let entries = vec![Entry { revision: cursor.revision, change: Change::Desired(id, Some(desired)) }];
    let base = after.map_or(Base::Reset { after: None, last: true }, Base::Cursor);
    Message::Batch(Batch { base, cursor, entries })
}

async fn next_wishes(events: &mut tokio::sync::broadcast::Receiver<Event>) -> Vec<device_twin::memory::Wish> {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(10), events.recv()).await.unwrap().unwrap();
        if let Event::Wishes(_, wishes) = event {
            return wishes.to_vec();
        }
    }
}

#[tokio::test]
async fn a_wish_of_the_cloud_is_published_until_it_is_answered_and_an_override_wins_until_it_expires() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = start(dir.path()).await;
    rig.declare().await;
    let mut events = rig.handle.events();
    rig.link_events.send(LinkEvent::Connected { connection: 1, streams: vec![Stream::Twin] }).await.unwrap();
    let hello = rig.link.recv().await.unwrap();
    assert_eq!(
        hello,
        LinkCommand::Send { connection: 1, stream: Stream::Twin, message: Message::Hello(None) }
    );
    let message = desired_batch(None, 5, 40.0);
    rig.link_events.send(LinkEvent::Message { connection: 1, stream: Stream::Twin, message }).await.unwrap();
    let wishes = next_wishes(&mut events).await;
    assert_eq!(wishes[0].effective.value, Value::float(40.0).unwrap());
    let Some(LinkCommand::Send { message: Message::Ack(cursor), .. }) = rig.link.recv().await else {
        panic!("an acknowledgement follows the commit");
    };
    assert_eq!(cursor.revision, Revision::new(5));

    let until = wall().after(Duration::from_millis(300));
    let local = Override {
        value: Value::float(55.0).unwrap(),
        set_by: "bob".into(),
        set_at: wall(),
        expires_at: Some(until),
    };
    let id = PropertyId::new(device(), name("setpoint"));
    let request = OverrideRequest { id: id.clone(), set: Some(local), if_match: None };
    let mut forbidden = request.clone();
    forbidden.id.property = name("speed");
    let refused = rig.handle.set_overrides(vec![request.clone(), forbidden]).await;
    assert!(matches!(refused, Err(ReportError::Unacceptable { .. })), "all or none");
    assert!(rig.reader.twin(&device()).await.unwrap().overrides.is_empty());
    rig.handle.set_overrides(vec![request]).await.unwrap();
    assert_eq!(next_wishes(&mut events).await[0].effective.part, Part::Override);
    assert_eq!(next_wishes(&mut events).await[0].effective.part, Part::Desired, "it has expired");
    let twin = rig.reader.twin(&device()).await.unwrap();
    assert!(twin.overrides.is_empty(), "the edge deletes what has expired");

    let wish = &wishes[0];
    let mut answer = value("setpoint", Value::float(40.0).unwrap());
    if let Update::Changed(change) = &mut answer.properties[0].1 {
        change.outcome = Some(Outcome {
            part: wish.effective.part,
            revision: wish.effective.revision,
            value: wish.effective.value.clone(),
            result: WriteResult::Applied,
            at: wall(),
        });
    }
    rig.handle.report(answer).await.unwrap();
    assert!(next_wishes(&mut events).await.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn a_wish_that_the_definition_forbids_is_refused_in_words_and_not_sent_to_the_device() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path()).await;
    rig.declare().await;
    rig.link_events.send(LinkEvent::Connected { connection: 1, streams: vec![Stream::Twin] }).await.unwrap();
    let message = desired_batch(None, 5, 400.0);
    rig.link_events.send(LinkEvent::Message { connection: 1, stream: Stream::Twin, message }).await.unwrap();
    let outcome = loop {
        if let Some(outcome) = reported(&rig, "setpoint").await.and_then(|r| r.outcome) {
            break outcome;
        }
        tokio::task::yield_now().await;
    };
    assert!(
        matches!(&outcome.result, WriteResult::Refused { reason } if reason.contains("range")),
        "{outcome:?}"
    );
    assert!(rig.handle.wishes(device()).await.unwrap().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn a_device_that_leaves_the_configuration_leaves_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path()).await;
    rig.declare().await;
    rig.handle.report(value("speed", Value::Int(7))).await.unwrap();
    rig.handle.declare(BTreeMap::new()).await.unwrap();
    let twin = rig.reader.twin(&device()).await.unwrap();
    assert!(twin.device.is_none() && twin.reported.is_empty());
    assert!(rig.reader.devices().await.unwrap().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn it_only_shuts_down() {
    let dir = tempfile::tempdir().unwrap();
    start(dir.path()).await.end().await;
}

#[tokio::test]
async fn a_value_whose_mapper_falls_silent_gets_stale_with_its_old_time() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path()).await;
    let mut level = PropertyDefinition::new(ValueType::Int, Access::Read);
    level.stale_after_ms = Some(150);
    let properties = BTreeMap::from([(name("level"), level)]);
    let definition = DeviceDefinition { properties, ..DeviceDefinition::default() };
    rig.handle.declare(BTreeMap::from([(device(), definition)])).await.unwrap();
    let mut events = rig.handle.events();
    let report = rig.handle.report(value("level", Value::Int(7))).await.unwrap();
    let read = report.properties[0].2.clone().unwrap();
    let stale = loop {
        tokio::time::timeout(Duration::from_secs(10), events.recv()).await.unwrap().unwrap();
        let now = reported(&rig, "level").await.unwrap();
        if !now.quality.is_good() {
            break now;
        }
    };
    assert_eq!(stale.quality, Quality::Bad(Why::Stale));
    assert_eq!((stale.value, stale.gateway_time), (read.value, read.gateway_time));
    rig.handle.report(value("level", Value::Int(8))).await.unwrap();
    assert!(reported(&rig, "level").await.unwrap().quality.is_good(), "and comes back with a fresh value");
    rig.end().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_in_the_history_with_its_gaps_and_only_of_properties_that_have_one() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path()).await;
    rig.declare().await;
    let mut logged = rig.handle.logged();
    for speed in [7, 7, 8] {
        rig.handle.report(value("speed", Value::Int(speed))).await.unwrap();
        rig.handle.report(value("setpoint", Value::float(f64::from(speed as i32)).unwrap())).await.unwrap();
    }
    assert_eq!(
        logged.borrow_and_update().map(|place| place.seq),
        Some(2),
        "the mark is there with the answer"
    );
    rig.handle.state(device(), DeviceState::Offline).await.unwrap();
    rig.handle.report(value("speed", Value::Int(8))).await.unwrap();
    rig.end().await;

    let rig = start(dir.path()).await;
    rig.handle.report(value("speed", Value::Int(9))).await.unwrap();
    let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
    let range = |property| SampleRange {
        id: PropertyId::new(device(), name(property)),
        from,
        to,
        after: None,
        limit: 99,
    };
    let samples = rig.reader.samples(&range("speed")).await.unwrap();
    let short: Vec<_> =
        samples.iter().map(|s| (s.seq, s.reading.value.clone(), s.reading.quality.word())).collect();
    let int = |n| Some(Value::Int(n));
    let (offline, restarted) = ((3, None, "bad"), (5, None, "uncertain"));
    assert_eq!(
        short,
        [
            (1, int(7), "good"),
            (2, int(8), "good"),
            offline,
            (4, int(8), "good"),
            restarted,
            (6, int(9), "good")
        ]
    );
    assert!(samples.is_sorted_by_key(|s| s.reading.at));
    assert_eq!(rig.reader.samples(&range("setpoint")).await.unwrap(), []);
    assert_eq!(
        rig.reader.runs().await.unwrap().iter().map(|r| (r.first, r.last)).collect::<Vec<_>>(),
        [(1, 4), (5, 6)]
    );
    rig.end().await;
}
