//! Alarms, through the service with a real database.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use device_twin::{
    AlarmAct, AlarmError, AlarmRequest, DeviceTwin, Handle, Report, ReportedChange, Settings, Update,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use twin_core::alarm::{NotDone, Person};
use twin_core::replica::{Limits, LinkCommand, LinkEvent};
use twin_core::*;
use twin_store::Reader;

fn wall() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap())
}

struct Rig {
    handle: Handle,
    reader: Reader,
    _link: (mpsc::Sender<LinkEvent>, mpsc::Receiver<LinkCommand>),
    stop: CancellationToken,
    task: JoinHandle<Result<(), device_twin::Error>>,
}

static INCARNATION: AtomicI64 = AtomicI64::new(1);

fn device() -> DeviceId {
    "boiler".parse().unwrap()
}

fn id(rule: &str) -> AlarmId {
    AlarmId::from_column(device(), &format!("temperature/{rule}")).unwrap()
}

fn anna() -> Person {
    Person { by: "anna".into(), comment: Some("I go and look".into()) }
}

async fn start(dir: &Path, rules: &[(&str, AlarmRule)]) -> Rig {
    let (link_events, events) = mpsc::channel(64);
    let (commands, link) = mpsc::channel(64);
    let settings = Settings {
        data_dir: dir.to_owned(),
        incarnation: Incarnation::new(INCARNATION.fetch_add(1, Ordering::Relaxed).unsigned_abs()),
        limits: Limits::default(),
        history: twin_store::HistoryBounds::default(),
        settle: Duration::from_millis(200),
        now: wall,
    };
    let (service, handle, reader) = DeviceTwin::open(settings, events, commands).await.unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(service.run(stop.clone()));
    let mut temperature = PropertyDefinition::new(ValueType::Int, Access::Read);
    temperature.unit = Some("°C".into());
    temperature.alarms = rules.iter().map(|(name, rule)| (name.parse().unwrap(), rule.clone())).collect();
    let definition = DeviceDefinition {
        protocol: "modbus".into(),
        properties: BTreeMap::from([("temperature".parse().unwrap(), temperature)]),
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

    async fn is(&self, value: i64) {
        let change = ReportedChange {
            value: Some(Value::Int(value)),
            quality: Quality::Good,
            source_time: None,
            gateway_time: None,
            outcome: None,
            define: None,
        };
        let properties = vec![("temperature".parse().unwrap(), Update::Changed(change))];
        self.handle.report(Report { device: device(), properties }).await.unwrap();
    }

    /// The alarms in the database, by rule.
    async fn alarms(&self) -> BTreeMap<String, Alarm> {
        let alarms = self.reader.alarms().await.unwrap();
        alarms.into_iter().map(|(id, alarm, _)| (id.rule().to_string(), alarm)).collect()
    }

    async fn comes_to(&self, rule: &str, state: AlarmState) -> Alarm {
        for _ in 0..200 {
            if let Some(alarm) = self.alarms().await.remove(rule).filter(|alarm| alarm.state() == state) {
                return alarm;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{rule} does not come to {state}: {:?}", self.alarms().await);
    }
}

fn hot() -> (&'static str, AlarmRule) {
    let condition = Condition::High { limit: 80.0, hysteresis: 5.0 };
    ("hot", AlarmRule { severity: Severity::Critical, ..AlarmRule::new(condition) })
}

#[tokio::test]
async fn an_alarm_is_raised_acknowledged_and_cleared_and_a_restart_does_not_raise_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let rig = start(dir.path(), &[hot()]).await;
    let error = rig.handle.act_on_alarm(AlarmRequest { id: id("hot"), act: AlarmAct::Unshelve }).await;
    assert!(matches!(error, Err(AlarmError::NotDone { why: NotDone::NotShelved, .. })), "{error:?}");
    let error = rig.handle.act_on_alarm(AlarmRequest { id: id("hto"), act: AlarmAct::Unshelve }).await;
    assert!(matches!(error, Err(AlarmError::Unknown { .. })), "{error:?}");
    rig.is(81).await;
    let raised = rig.comes_to("hot", AlarmState::Active).await;
    assert_eq!((raised.message.as_str(), raised.value), ("temperature is above 80 °C", Some(Value::Int(81))));
    let act = AlarmAct::Acknowledge(anna());
    let known = rig.handle.act_on_alarm(AlarmRequest { id: id("hot"), act }).await.unwrap().unwrap();
    // What was answered is in the database.
    assert_eq!(rig.alarms().await["hot"], known);
    rig.end().await;

    let rig = start(dir.path(), &[hot()]).await;
    let again = rig.comes_to("hot", AlarmState::Acknowledged).await;
    assert_eq!((again.raised, again.held), (1, Some(Why::NotReadYet)));
    rig.is(82).await;
    assert_eq!((rig.alarms().await["hot"].raised, &rig.alarms().await["hot"].held), (1, &None));
    rig.is(75).await;
    rig.comes_to("hot", AlarmState::Cleared).await;
    rig.is(90).await;
    assert_eq!(rig.comes_to("hot", AlarmState::Active).await.raised, 2);
    rig.end().await;

    // A rule that is gone takes its alarm with it.
    let rig = start(dir.path(), &[]).await;
    assert!(rig.alarms().await.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn time_alone_raises_what_is_delayed_and_what_is_silent_and_empties_the_shelf() {
    let dir = tempfile::tempdir().unwrap();
    let (_, rule) = hot();
    let late = AlarmRule { delay_ms: 150, ..rule };
    let silent = AlarmRule::new(Condition::Stale { after_ms: 400 });
    let rig = start(dir.path(), &[("late", late), ("silent", silent)]).await;
    let who = anna();
    let act = AlarmAct::Shelve { until: wall().after(Duration::from_millis(300)), who };
    rig.handle.act_on_alarm(AlarmRequest { id: id("silent"), act }).await.unwrap();
    assert_eq!(rig.alarms().await["silent"].state(), AlarmState::Shelved);
    rig.is(90).await;
    assert!(!rig.alarms().await.contains_key("late"), "its delay runs");
    rig.comes_to("late", AlarmState::Active).await;
    let silent = rig.comes_to("silent", AlarmState::Active).await;
    assert_eq!((silent.shelved, silent.message.as_str()), (None, "temperature was not read for 0.4 s"));
    rig.is(90).await;
    rig.comes_to("silent", AlarmState::ClearedUnacknowledged).await;
    rig.end().await;
}
