//! The clock of the machine is set by a day while the service runs: nothing stops, nothing looks older or fresher than it
//! is, and what has a date is judged by the new time.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use device_twin::{DeviceTwin, Handle, OverrideRequest, Report, ReportedChange, Settings, Update};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use twin_core::replica::{Limits, LinkCommand, LinkEvent, Message};
use twin_core::*;
use twin_store::Reader;

const DAY_MS: i64 = 86_400_000;
/// How long the service may take to notice that the clock was set, with some room for a busy machine.
const NOTICED: Duration = Duration::from_secs(12);

fn real_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

struct Rig {
    handle: Handle,
    reader: Reader,
    link_events: mpsc::Sender<LinkEvent>,
    link: mpsc::Receiver<LinkCommand>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), device_twin::Error>>,
    _folder: tempfile::TempDir,
}

async fn start(now: fn() -> Timestamp) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let (link_events, events) = mpsc::channel(64);
    let (commands, link) = mpsc::channel(64);
    let limits = Limits { ack_timeout: Duration::from_millis(300), ..Limits::default() };
    let incarnation = Incarnation::new(real_ms().unsigned_abs());
    let settings = Settings {
        data_dir: folder.path().to_owned(),
        incarnation,
        limits,
        settle: Duration::from_millis(200),
        history: twin_store::HistoryBounds::default(),
        now,
    };
    let (service, handle, reader) = DeviceTwin::open(settings, events, commands).await.unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(service.run(stop.clone()));
    let mut quick = PropertyDefinition::new(ValueType::Int, Access::ReadWrite);
    quick.stale_after_ms = Some(1_000);
    let mut slow = quick.clone();
    slow.stale_after_ms = Some(60_000);
    let definition = DeviceDefinition {
        protocol: "modbus".into(),
        properties: BTreeMap::from([("quick".parse().unwrap(), quick), ("slow".parse().unwrap(), slow)]),
        ..DeviceDefinition::default()
    };
    handle.declare(BTreeMap::from([(device(), definition)])).await.unwrap();
    Rig { handle, reader, link_events, link, stop, task, _folder: folder }
}

fn device() -> DeviceId {
    "pump".parse().unwrap()
}

impl Rig {
    async fn report(&self, property: &str, value: i64) {
        let change = ReportedChange {
            value: Some(Value::Int(value)),
            quality: Quality::Good,
            source_time: None,
            gateway_time: None,
            outcome: None,
            define: None,
        };
        let properties = vec![(property.parse().unwrap(), Update::Changed(change))];
        self.handle.report(Report { device: device(), properties }).await.unwrap();
    }

    async fn quality(&self, property: &str) -> Quality {
        let twin = self.reader.twin(&device()).await.unwrap();
        twin.reported.into_iter().find(|(n, ..)| n.as_str() == property).unwrap().1.quality
    }

    async fn until_stale(&self, property: &str) -> Duration {
        let begun = Instant::now();
        while self.quality(property).await != Quality::Bad(Why::Stale) {
            assert!(begun.elapsed() < NOTICED, "{property} still looks fresh");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn set_back_by_a_day_values_get_stale_in_their_time_and_what_is_not_acknowledged_is_sent_again() {
    static AHEAD: AtomicI64 = AtomicI64::new(0);
    fn now() -> Timestamp {
        Timestamp::from_millis(real_ms() + AHEAD.load(Ordering::SeqCst))
    }
    let mut rig = start(now).await;
    rig.report("quick", 1).await;
    rig.report("slow", 1).await;
    rig.link_events.send(LinkEvent::Connected { connection: 1, streams: vec![Stream::Twin] }).await.unwrap();
    rig.link_events
        .send(LinkEvent::Message { connection: 1, stream: Stream::Twin, message: Message::Hello(None) })
        .await
        .unwrap();
    let batches = |link: &mut mpsc::Receiver<LinkCommand>| {
        std::iter::from_fn(|| link.try_recv().ok())
            .filter(|command| matches!(command, LinkCommand::Send { message: Message::Batch(_), .. }))
            .count()
    };
    let begun = Instant::now();
    while batches(&mut rig.link) == 0 {
        assert!(begun.elapsed() < NOTICED, "nothing is sent");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    AHEAD.store(-DAY_MS, Ordering::SeqCst);

    rig.until_stale("quick").await;
    assert!(rig.quality("slow").await.is_good(), "a minute has not passed");
    let begun = Instant::now();
    while batches(&mut rig.link) < 3 {
        assert!(begun.elapsed() < NOTICED, "it is not sent again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The same with what is read after the clock was set.
    rig.report("quick", 2).await;
    assert!(rig.quality("quick").await.is_good());
    let took = rig.until_stale("quick").await;
    assert!(took > Duration::from_millis(500), "{took:?}");
    rig.end().await;
}

#[tokio::test]
async fn set_ahead_by_a_day_nothing_looks_old_that_was_just_read_and_what_has_a_date_expires() {
    static AHEAD: AtomicI64 = AtomicI64::new(0);
    fn now() -> Timestamp {
        Timestamp::from_millis(real_ms() + AHEAD.load(Ordering::SeqCst))
    }
    let rig = start(now).await;
    rig.report("slow", 1).await;
    let set = |expires_at| OverrideRequest {
        id: PropertyId::new(device(), "quick".parse().unwrap()),
        set: Some(Override { value: Value::Int(5), set_by: "me".into(), set_at: now(), expires_at }),
        if_match: None,
    };
    rig.handle.set_overrides(vec![set(Some(now().after(Duration::from_secs(3600))))]).await.unwrap();
    AHEAD.store(DAY_MS, Ordering::SeqCst);

    let begun = Instant::now();
    while !rig.reader.twin(&device()).await.unwrap().overrides.is_empty() {
        assert!(begun.elapsed() < NOTICED, "the override has run out by the new time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(rig.quality("slow").await.is_good(), "it was read seconds ago");
    // Back where it was: what is set now holds until its date.
    AHEAD.store(0, Ordering::SeqCst);
    rig.handle.set_overrides(vec![set(Some(now().after(Duration::from_millis(1500))))]).await.unwrap();
    let begun = Instant::now();
    while !rig.reader.twin(&device()).await.unwrap().overrides.is_empty() {
        assert!(begun.elapsed() < NOTICED, "the override has run out");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(rig.quality("slow").await.is_good());
    rig.end().await;
}
