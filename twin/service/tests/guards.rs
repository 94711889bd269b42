//! Guards of writes, through the service with a real database.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use device_twin::{
    DeviceTwin, Handle, OverrideRequest, Report, ReportError, ReportedChange, Settings, Update,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use twin_core::replica::{Limits, LinkCommand, LinkEvent};
use twin_core::*;
use twin_store::Reader;

/// The clock of these tests: it stands until it is moved.
static CLOCK: AtomicI64 = AtomicI64::new(1_000_000);

fn now() -> Timestamp {
    Timestamp::from_millis(CLOCK.load(Ordering::SeqCst))
}

struct Rig {
    handle: Handle,
    reader: Reader,
    _link: (mpsc::Sender<LinkEvent>, mpsc::Receiver<LinkCommand>),
    stop: CancellationToken,
    task: JoinHandle<Result<(), device_twin::Error>>,
}

fn device() -> DeviceId {
    "tank".parse().unwrap()
}

fn name(text: &str) -> PropertyName {
    text.parse().unwrap()
}

fn float(number: f64) -> Value {
    Value::float(number).unwrap()
}

async fn start(dir: &Path, guard: Guard) -> Rig {
    let (link_events, events) = mpsc::channel(64);
    let (commands, link) = mpsc::channel(64);
    let settings = Settings {
        history: twin_store::HistoryBounds::default(),
        data_dir: dir.to_owned(),
        incarnation: Incarnation::new(7),
        limits: Limits::default(),
        settle: Duration::from_millis(200),
        now,
    };
    let (service, handle, reader) = DeviceTwin::open(settings, events, commands).await.unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(service.run(stop.clone()));
    let mut valve = PropertyDefinition::new(ValueType::Float, Access::ReadWrite);
    valve.guard = Some(guard);
    let level = PropertyDefinition::new(ValueType::Float, Access::Read);
    let definition = DeviceDefinition {
        protocol: "modbus".into(),
        properties: BTreeMap::from([(name("level"), level), (name("valve"), valve)]),
        ..DeviceDefinition::default()
    };
    handle.declare(BTreeMap::from([(device(), definition)])).await.unwrap();
    Rig { handle, reader, _link: (link_events, link), stop, task }
}

impl Rig {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    async fn is(&self, property: &str, value: f64) {
        self.tell(property, Some(float(value)), Quality::Good).await;
    }

    async fn tell(&self, property: &str, value: Option<Value>, quality: Quality) {
        let change = ReportedChange {
            value,
            quality,
            source_time: None,
            gateway_time: None,
            outcome: None,
            define: None,
        };
        let report = Report { device: device(), properties: vec![(name(property), Update::Changed(change))] };
        self.handle.report(report).await.unwrap();
    }

    async fn state(&self, state: DeviceState) {
        self.handle.state(device(), state).await.unwrap();
    }

    async fn want(&self, value: f64) -> Result<(), ReportError> {
        let set = Override { value: float(value), set_by: "anna".into(), set_at: now(), expires_at: None };
        let id = PropertyId::new(device(), name("valve"));
        self.handle.set_overrides(vec![OverrideRequest { id, set: Some(set), if_match: None }]).await?;
        Ok(())
    }

    /// What is to be written to the device now.
    async fn out(&self) -> Vec<Value> {
        let wishes = self.handle.wishes(device()).await.unwrap();
        wishes.into_iter().map(|wish| wish.effective.value).collect()
    }

    /// Why the last wish was refused.
    async fn refused(&self) -> Option<String> {
        let twin = self.reader.twin(&device()).await.unwrap();
        let (_, reported, _) = twin.reported.into_iter().find(|(n, ..)| n.as_str() == "valve")?;
        let (_, _, revision) = twin.overrides.into_iter().find(|(n, ..)| n.as_str() == "valve")?;
        let outcome = reported.outcome.filter(|outcome| outcome.revision == revision)?;
        match outcome.result {
            WriteResult::Refused { reason } => Some(reason),
            WriteResult::Sent | WriteResult::Applied | WriteResult::Failed { .. } => None,
        }
    }
}

fn interlock() -> Guard {
    Guard { when: Some("level < 90.0".into()), message: Some("the tank is full".into()), ..Guard::default() }
}

// One test, for they share one clock.
#[tokio::test]
async fn guards_are_asked_just_before_a_write_goes_out() {
    an_interlock_that_does_not_hold_refuses_and_what_is_bad_refuses_too().await;
    a_wish_that_waits_is_judged_when_its_device_is_back().await;
    steps_and_rates_bound_what_writes_change().await;
}

async fn an_interlock_that_does_not_hold_refuses_and_what_is_bad_refuses_too() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path(), interlock()).await;
    rig.state(DeviceState::Online).await;
    rig.is("level", 50.0).await;
    rig.is("valve", 0.0).await;
    rig.want(10.0).await.unwrap();
    assert_eq!(rig.out().await, [float(10.0)]);
    // Between going out and the answer of the device the tank fills up: what is not written yet is taken back.
    rig.is("level", 95.0).await;
    assert_eq!(rig.out().await, []);
    let reason = rig.refused().await.unwrap();
    assert_eq!(reason, "the tank is full (interlock `level < 90.0`; level is 95.0)");
    // It is not looked at again when the level falls: the operator asks again.
    rig.is("level", 50.0).await;
    assert_eq!(rig.out().await, []);
    rig.want(10.0).await.unwrap();
    assert_eq!((rig.out().await, rig.refused().await), (vec![float(10.0)], None));

    rig.tell("level", None, Quality::Bad(Why::PointRefused)).await;
    rig.want(11.0).await.unwrap();
    assert_eq!(rig.out().await, []);
    let reason = rig.refused().await.unwrap();
    assert!(reason.contains("level is not known (bad{point_refused})"), "{reason}");
    rig.end().await;
}

async fn a_wish_that_waits_is_judged_when_its_device_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path(), interlock()).await;
    rig.state(DeviceState::Offline).await;
    rig.want(10.0).await.unwrap();
    assert_eq!((rig.out().await, rig.refused().await), (vec![], None), "it waits");
    rig.state(DeviceState::Online).await;
    assert_eq!((rig.out().await, rig.refused().await), (vec![], None), "the level is not read yet");
    rig.is("level", 95.0).await;
    assert!(rig.refused().await.unwrap().contains("level is 95"));

    rig.state(DeviceState::Offline).await;
    rig.want(11.0).await.unwrap();
    rig.state(DeviceState::Online).await;
    assert_eq!((rig.out().await, rig.refused().await), (vec![], None));
    CLOCK.fetch_add(10_001, Ordering::SeqCst);
    // Any news of the device lets it be looked at; by itself it is looked at when the time is over.
    rig.is("valve", 0.0).await;
    assert!(rig.refused().await.unwrap().contains("level is not known"), "it was given time enough");
    rig.end().await;
}

async fn steps_and_rates_bound_what_writes_change() {
    let dir = tempfile::tempdir().unwrap();
    let guard =
        Guard { step: Some(10.0), rate: Some(Rate { most: 15.0, per_ms: 60_000 }), ..Guard::default() };
    let rig = start(dir.path(), guard).await;
    rig.state(DeviceState::Online).await;
    rig.is("valve", 0.0).await;
    let error = rig.want(10.5).await.unwrap_err();
    assert!(matches!(error, ReportError::Unacceptable { .. }), "{error}");
    assert!(error.to_string().contains("more than the 10 that are allowed"), "{error}");
    rig.want(10.0).await.unwrap();
    assert_eq!(rig.out().await, [float(10.0)]);
    rig.is("valve", 10.0).await;
    // The device drops out and comes back: the same wish is not counted twice.
    rig.state(DeviceState::Offline).await;
    rig.state(DeviceState::Online).await;
    rig.is("valve", 10.0).await;
    rig.want(20.0).await.unwrap();
    assert_eq!(rig.out().await, []);
    let reason = rig.refused().await.unwrap();
    assert_eq!(reason, "a change of 10 is too much now: 15 are allowed within 60 s, and 10 are used");
    rig.want(15.0).await.unwrap();
    assert_eq!(rig.out().await, [float(15.0)]);
    rig.is("valve", 15.0).await;
    CLOCK.fetch_add(60_000, Ordering::SeqCst);
    rig.want(25.0).await.unwrap();
    assert_eq!(rig.out().await, [float(25.0)]);
    rig.end().await;
}
