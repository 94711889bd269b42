//! Edge and cloud with a bad link between them, crashes, retention and restored backups: nothing twice, no gap that is
//! not told.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Incarnation, PropertyId, Quality, Timestamp, Value};

/// The database of the edge.
#[derive(Debug, Clone, Default)]
struct EdgeDb {
    log: BTreeMap<u64, Sample>,
    runs: Vec<Run>,
}

/// The database of the cloud.
#[derive(Debug, Clone, Default)]
struct CloudDb {
    samples: BTreeMap<(Incarnation, u64), Sample>,
    known: Vec<Place>,
    missed: u64,
}

#[derive(Debug, Clone)]
enum Step {
    Log(u8),
    /// Drops so many of the oldest, or every third.
    Retain(u8, bool),
    Connect,
    Cut,
    EdgeRestarts,
    CloudRestarts,
    EdgeBackup,
    CloudBackup,
    EdgeRestored,
    CloudRestored,
    /// So many messages are carried: each is taken, lost, or comes twice.
    Carry(Vec<u8>),
    Wait,
}

struct World {
    edge: EdgeDb,
    cloud: CloudDb,
    backups: (EdgeDb, CloudDb),
    uploader: Uploader,
    collector: Collector,
    incarnation: u64,
    connected: bool,
    up: VecDeque<Message>,
    down: VecDeque<Message>,
    now: Timestamp,
}

const LIMITS: UploadLimits = UploadLimits {
    batch_samples: 5,
    batch_bytes: 400,
    window_batches: 2,
    ack_timeout: Duration::from_secs(10),
};

impl World {
    fn new() -> Self {
        Self {
            edge: EdgeDb::default(),
            cloud: CloudDb::default(),
            backups: (EdgeDb::default(), CloudDb::default()),
            uploader: Uploader::new(Vec::new(), LIMITS),
            collector: Collector::new(Vec::new()),
            incarnation: 1,
            connected: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            now: Timestamp::from_millis(0),
        }
    }

    fn log(&mut self, count: u8) {
        let mine = Incarnation::new(self.incarnation);
        let last = self.edge.runs.last().map_or(0, |run| run.last);
        let mut end = last;
        for _ in 0..count {
            end += 1;
            let id = PropertyId::new("d".parse().unwrap(), format!("p{}", end % 3).parse().unwrap());
            let value = format!("{end} of {}{}", self.incarnation, "-".repeat((end % 9) as usize * 30));
            let reading = Reading {
                at: self.now,
                source_time: None,
                quality: Quality::Good,
                value: Some(Value::String(value)),
            };
            self.edge.log.insert(end, Sample { seq: end, id, reading });
        }
        match self.edge.runs.last_mut() {
            Some(run) if run.incarnation == mine => run.last = end,
            _ if end > last => self.edge.runs.push(Run { incarnation: mine, first: last + 1, last: end }),
            _ => {}
        }
        self.uploader.handle_logged(Place { incarnation: mine, seq: end });
    }

    fn cut(&mut self) {
        self.connected = false;
        self.up.clear();
        self.down.clear();
        self.uploader.handle_disconnected();
        self.collector.handle_disconnected();
    }

    fn connect(&mut self) {
        self.cut();
        self.connected = true;
        self.uploader.handle_connected();
        // The shell of the cloud makes a collector for each connection.
        self.collector = Collector::new(self.cloud.known.clone());
        self.collector.handle_connected();
        self.settle();
    }

    fn edge_restarts(&mut self) {
        self.cut();
        self.incarnation += 1;
        self.uploader = Uploader::new(self.edge.runs.clone(), LIMITS);
    }

    fn cloud_restarts(&mut self) {
        self.cut();
        self.collector = Collector::new(self.cloud.known.clone());
    }

    /// Does all that the two ask of their shells.
    fn settle(&mut self) {
        while let Some(effect) = self.uploader.poll_effect() {
            match effect {
                UploadEffect::Send(message) => self.up.push_back(message),
                UploadEffect::Fetch { token, after, up_to, limit } => {
                    let samples: Vec<_> =
                        self.edge.log.range(after + 1..=up_to).take(limit).map(|(_, s)| s.clone()).collect();
                    let more = samples.len() == limit;
                    self.uploader.handle_fetched(token, samples, more, self.now);
                }
            }
        }
        while let Some(effect) = self.collector.poll_effect() {
            match effect {
                CollectEffect::Send(message) => self.down.push_back(message),
                CollectEffect::Commit(Collected { samples, end, missed }) => {
                    for sample in samples {
                        let place = (end.incarnation, sample.seq);
                        let twice = self.cloud.samples.insert(place, sample);
                        assert!(twice.is_none(), "{place:?} came twice");
                    }
                    self.cloud.known.retain(|place| place.incarnation != end.incarnation);
                    self.cloud.known.insert(0, end);
                    self.cloud.missed += missed;
                    self.collector.handle_committed();
                }
            }
        }
    }

    fn carry(&mut self, fate: u8) {
        let upwards = fate.is_multiple_of(2);
        let queue = if upwards { &mut self.up } else { &mut self.down };
        let Some(message) = queue.pop_front() else { return };
        let times = match fate / 2 % 8 {
            0 => 0,
            1 => 2,
            _ => 1,
        };
        for _ in 0..times {
            if upwards {
                // A window that was overrun by doubles is a reason to connect anew.
                if self.collector.handle_message(message.clone()).is_err() {
                    return self.connect();
                }
            } else {
                self.uploader.handle_message(message.clone(), self.now).unwrap();
            }
            self.settle();
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Log(count) => self.log(count),
            Step::Retain(count, oldest) => {
                let all: Vec<u64> = self.edge.log.keys().copied().collect();
                let gone = all.iter().enumerate().filter(|(i, _)| oldest || i % 3 == 0).map(|(_, seq)| *seq);
                for seq in gone.take(usize::from(count)) {
                    self.edge.log.remove(&seq);
                }
            }
            Step::Connect => self.connect(),
            Step::Cut => self.cut(),
            Step::EdgeRestarts => self.edge_restarts(),
            Step::CloudRestarts => self.cloud_restarts(),
            Step::EdgeBackup => self.backups.0 = self.edge.clone(),
            Step::CloudBackup => self.backups.1 = self.cloud.clone(),
            Step::EdgeRestored => {
                self.edge = self.backups.0.clone();
                self.edge_restarts();
            }
            Step::CloudRestored => {
                self.cloud = self.backups.1.clone();
                self.cloud_restarts();
            }
            Step::Carry(fates) => {
                for fate in fates {
                    self.carry(fate);
                }
            }
            Step::Wait => {
                self.now = self.now.after(Duration::from_secs(11));
                self.uploader.handle_timeout(self.now);
            }
        }
        self.settle();
    }

    /// A good link, until nothing moves any more.
    fn calm_down(&mut self) {
        self.connect();
        for _ in 0..10_000 {
            match (self.up.pop_front(), self.down.pop_front()) {
                (None, None) => return,
                (up, down) => {
                    if let Some(message) = up {
                        self.collector.handle_message(message).unwrap();
                    }
                    if let Some(message) = down {
                        self.uploader.handle_message(message, self.now).unwrap();
                    }
                }
            }
            self.settle();
        }
        panic!("it never gets quiet");
    }

    /// What the edge has, as the cloud would have it.
    fn wanted(&self) -> BTreeMap<(Incarnation, u64), Sample> {
        let run_of =
            |seq: u64| self.edge.runs.iter().find(|run| run.first <= seq && seq <= run.last).unwrap();
        self.edge.log.iter().map(|(seq, s)| ((run_of(*seq).incarnation, *seq), s.clone())).collect()
    }
}

fn steps(restores: bool, retains: bool) -> impl Strategy<Value = Vec<Step>> {
    let log = (0u8..30).prop_map(Step::Log);
    let carry = prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Carry);
    let mut kinds = vec![
        (4, log.boxed()),
        (6, carry.boxed()),
        (3, Just(Step::Connect).boxed()),
        (1, Just(Step::Cut).boxed()),
        (1, Just(Step::EdgeRestarts).boxed()),
        (1, Just(Step::CloudRestarts).boxed()),
        (2, Just(Step::Wait).boxed()),
    ];
    if restores {
        let all = [Step::EdgeBackup, Step::CloudBackup, Step::EdgeRestored, Step::CloudRestored];
        kinds.extend(all.map(|step| (1, Just(step).boxed())));
    }
    if retains {
        let retain = (0u8..40, any::<bool>()).prop_map(|(count, oldest)| Step::Retain(count, oldest));
        kinds.push((1, retain.boxed()));
    }
    prop::collection::vec(prop::strategy::Union::new_weighted(kinds), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn without_retention_the_cloud_has_exactly_the_log_of_the_edge(steps in steps(false, false)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.calm_down();
        prop_assert_eq!(&world.cloud.samples, &world.wanted());
        prop_assert_eq!(world.cloud.missed, 0);
        prop_assert_eq!(world.uploader.backlog(), Some(0));
    }

    #[test]
    fn whatever_is_restored_every_sample_of_the_edge_is_in_the_cloud_once(steps in steps(true, false)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.calm_down();
        for (place, sample) in world.wanted() {
            prop_assert_eq!(world.cloud.samples.get(&place), Some(&sample), "{:?}", place);
        }
    }

    #[test]
    fn what_retention_has_overtaken_is_told_to_the_last_sample(steps in steps(false, true)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.calm_down();
        for (place, sample) in world.wanted() {
            prop_assert_eq!(world.cloud.samples.get(&place), Some(&sample), "{:?}", place);
        }
        let end = world.edge.runs.last().map_or(0, |run| run.last);
        prop_assert_eq!(world.cloud.samples.len() as u64 + world.cloud.missed, end);
    }
}

#[test]
fn a_place_past_the_end_of_a_run_means_that_all_of_it_is_there() {
    let run = |n, first, last| Run { incarnation: Incarnation::new(n), first, last };
    let place = |n, seq| Place { incarnation: Incarnation::new(n), seq };
    let uploader = Uploader::new(vec![run(1, 1, 60), run(3, 61, 90)], LIMITS);
    let from = |known: &[Place]| uploader.resume_from(known).map(|p| (p.incarnation.get(), p.seq));
    assert_eq!(from(&[place(1, 100)]), Some((1, 60)), "sent before the edge was restored from a backup");
    assert_eq!(from(&[place(2, 80), place(1, 100)]), Some((1, 60)), "a run that was lost says nothing");
    assert_eq!(from(&[place(1, 100), place(3, 70)]), Some((3, 70)), "the furthest counts");
    assert_eq!(from(&[place(9, 5)]), None);
    assert_eq!(from(&[]), None);
}

#[test]
fn a_batch_of_a_hostile_edge_is_refused() {
    let place = |seq| Place { incarnation: Incarnation::new(1), seq };
    let reading =
        Reading { at: Timestamp::from_millis(0), source_time: None, quality: Quality::Good, value: None };
    let sample = |seq, property| PackedSample { seq, property, reading: reading.clone() };
    let id = PropertyId::new("d".parse().unwrap(), "p".parse().unwrap());
    let batch = |after: u64, end: u64, samples: Vec<PackedSample>| {
        let after = (after > 0).then(|| place(after));
        Message::Batch(Batch { after, end: place(end), properties: vec![id.clone()], samples })
    };
    let take = |message| Collector::new(Vec::new()).handle_message(message).unwrap_err();
    assert_eq!(take(Message::Hello { known: Vec::new() }), BadHistoryBatch::NotTheirs);
    assert_eq!(take(batch(5, 5, vec![])), BadHistoryBatch::BadEnd { end: 5 });
    assert_eq!(take(batch(0, u64::MAX, vec![])), BadHistoryBatch::BadEnd { end: u64::MAX });
    assert_eq!(take(batch(5, 9, vec![sample(5, 0)])), BadHistoryBatch::OutOfOrder { seq: 5 });
    assert_eq!(take(batch(5, 9, vec![sample(7, 0), sample(7, 0)])), BadHistoryBatch::OutOfOrder { seq: 7 });
    assert_eq!(take(batch(5, 9, vec![sample(10, 0)])), BadHistoryBatch::OutOfOrder { seq: 10 });
    assert_eq!(take(batch(5, 9, vec![sample(6, 1)])), BadHistoryBatch::NoSuchProperty { seq: 6 });
    let many = (1..=10_001).map(|seq| sample(seq, 0)).collect();
    assert_eq!(take(batch(0, 10_001, many)), BadHistoryBatch::TooMany { count: 10_001 });
    let mut collector = Collector::new(Vec::new());
    for end in 1..=8 {
        collector.handle_message(batch(end - 1, end, vec![])).unwrap();
    }
    assert_eq!(collector.handle_message(batch(8, 9, vec![])), Err(BadHistoryBatch::WindowExceeded));
}
