//! The history in the database: nothing lost, nothing twice, bounded, and the disk given back.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use sqlx::Connection as _;
use twin_core::history::{Fold, HistoryPolicy, Reading, Sample, SampleRange, Span};
use twin_core::replica::{Commit, Effect, Limits, Replica, Stored};
use twin_core::*;
use twin_store::{HistoryBounds, NewSample, Reader, Tended, TwinStore};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn id(n: u32) -> PropertyId {
    PropertyId::new(format!("d{}", n % 7).parse().unwrap(), format!("p{n}").parse().unwrap())
}

fn reading(at: i64, value: impl Into<Option<Value>>) -> Reading {
    Reading { at: Timestamp::from_millis(at), source_time: None, quality: Quality::Good, value: value.into() }
}

fn sample(n: u32, reading: Reading) -> NewSample {
    NewSample { id: id(n), reading }
}

/// A commit of an author that has started under this number.
fn commit(incarnation: u64) -> Commit {
    let stored = Stored::default();
    let mut replica = Replica::new(Side::Edge, Incarnation::new(incarnation), &stored, Limits::default());
    let Some(Effect::Commit(commit)) = replica.poll_effect() else { panic!("no commit") };
    (*commit).clone()
}

struct Store {
    writer: TwinStore,
    reader: Reader,
    commit: Commit,
    policies: HashMap<PropertyId, HistoryPolicy>,
    bounds: HistoryBounds,
}

impl Store {
    async fn open(dir: &Path, incarnation: u64) -> Self {
        let (writer, reader) = TwinStore::open(dir).await.unwrap();
        let (policies, bounds) = (HashMap::new(), HistoryBounds::default());
        Self { writer, reader, commit: commit(incarnation), policies, bounds }
    }

    async fn log(&mut self, samples: &[NewSample]) {
        self.writer.commit_with(&self.commit, samples).await.unwrap();
    }

    async fn tend(&mut self, now: i64) -> Tended {
        let mut sum = Tended::default();
        for _ in 0..100_000 {
            let now = Timestamp::from_millis(now);
            let done = self.writer.tend_history(&self.policies, self.bounds, now).await.unwrap();
            sum.settled += done.settled;
            sum.dropped += done.dropped;
            sum.freed_pages += done.freed_pages;
            if !done.more {
                return sum;
            }
        }
        panic!("it never comes to an end");
    }

    async fn all(&self) -> Vec<Sample> {
        self.reader.log(0, u64::MAX, u32::MAX).await.unwrap()
    }

    async fn of(&self, n: u32) -> Vec<Sample> {
        let (from, to) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        let range = SampleRange { id: id(n), from, to, after: None, limit: u32::MAX };
        self.reader.samples(&range).await.unwrap()
    }

    async fn close(self) {
        self.reader.close().await;
        self.writer.close().await.unwrap();
    }
}

fn any_reading() -> impl Strategy<Value = Reading> {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter_map("finite", |f| Value::float(f).ok()),
        ".{0,20}".prop_map(Value::String),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        Just(Value::Json(serde_json::json!({"a": [1, 2.5, null]}))),
    ];
    let quality = prop_oneof![
        Just(Quality::Good),
        "[a-z_]{1,12}".prop_map(|why| Quality::from_words("bad", Some(&why)).unwrap()),
        Just(Quality::Bad(Why::Stale)),
        Just(Quality::Bad(Why::DeviceUnreachable)),
        Just(Quality::Uncertain(Why::NotReadYet)),
        ".{1,12}".prop_map(|why| Quality::from_words("uncertain", Some(&why)).unwrap()),
    ];
    let source = prop::option::of(any::<i32>());
    (0..DAY, source, quality, prop::option::of(value)).prop_map(|(at, source, quality, value)| Reading {
        at: Timestamp::from_millis(at),
        source_time: source.map(|delta| Timestamp::from_millis(at + i64::from(delta))),
        quality,
        value,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn samples_read_back_as_they_were_in_order_and_once_whenever_they_settle(
        steps in prop::collection::vec(
            (prop::collection::vec((0u32..9, any_reading()), 0..40), 0u8..4),
            1..12,
        ),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut store = Store::open(dir.path(), 1).await;
            let mut model: Vec<NewSample> = Vec::new();
            let (mut now, mut start) = (2 * DAY, 1);
            for (samples, then) in steps {
                let samples: Vec<_> = samples.into_iter().map(|(n, r)| sample(n, r)).collect();
                store.log(&samples).await;
                model.extend(samples);
                match then {
                    0 => {
                        now += 2 * HOUR;
                        store.tend(now).await;
                    }
                    1 => {
                        store.close().await;
                        start += 1;
                        store = Store::open(dir.path(), start).await;
                    }
                    _ => {}
                }
            }
            let all = store.all().await;
            prop_assert_eq!(all.iter().map(|s| s.seq).collect::<Vec<_>>(), (1..=model.len() as u64).collect::<Vec<_>>());
            let found: Vec<_> = all.iter().map(|s| NewSample { id: s.id.clone(), reading: s.reading.clone() }).collect();
            prop_assert_eq!(&found, &model);
            for n in 0..9 {
                let mut wanted: Vec<_> = all.iter().filter(|s| s.id == id(n)).cloned().collect();
                wanted.sort_by_key(|s| (s.reading.at, s.seq));
                prop_assert_eq!(store.of(n).await, wanted);
            }
            let runs = store.reader.runs().await.unwrap();
            prop_assert!(runs.windows(2).all(|pair| pair[0].last + 1 == pair[1].first), "{:?}", runs);
            prop_assert!(runs.len() <= usize::try_from(start).unwrap());
            store.close().await;
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_commit_that_fails_leaves_no_sample() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), 1).await;
    store.log(&[sample(1, reading(1, Value::Int(1)))]).await;
    let mut other =
        sqlx::SqliteConnection::connect(dir.path().join(TwinStore::FILE).to_str().unwrap()).await.unwrap();
    sqlx::raw_sql("CREATE TRIGGER no BEFORE INSERT ON samples_fresh WHEN new.value = 3 BEGIN SELECT raise(ABORT, 'no'); END")
        .execute(&mut other)
        .await
        .unwrap();
    let two = [sample(2, reading(2, Value::Int(2))), sample(1, reading(3, Value::Int(3)))];
    assert!(store.writer.commit_with(&store.commit, &two).await.is_err());
    assert_eq!(store.all().await.len(), 1);
    store.log(&[sample(2, reading(4, Value::Int(4)))]).await;
    assert_eq!(store.all().await.iter().map(|s| s.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(store.of(2).await.len(), 1);
}

#[tokio::test]
async fn what_is_too_old_or_too_many_goes_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), 1).await;
    store.policies.insert(id(1), HistoryPolicy { for_ms: Some(DAY.unsigned_abs()), rows: None });
    store.policies.insert(id(2), HistoryPolicy { for_ms: None, rows: Some(10) });
    store.policies.insert(id(3), HistoryPolicy { for_ms: Some(1000 * DAY.unsigned_abs()), rows: None });
    store.bounds.max_age = Duration::from_secs(2 * 86_400);
    let mut now = 0;
    let mut dropped = 0;
    for hour in 0..(5 * 24) {
        now = hour * HOUR;
        for n in 1..=4 {
            store.log(&[sample(n, reading(now, Value::Int(hour)))]).await;
        }
        dropped += store.tend(now).await.dropped;
    }
    dropped += store.tend(now + 2 * HOUR).await.dropped;
    let kept = |n| {
        let store = &store;
        async move {
            store.of(n).await.first().map(|s| s.reading.at.as_millis()).zip(Some(store.of(n).await.len()))
        }
    };
    let now = now + 2 * HOUR;
    assert_eq!(kept(1).await, Some((now - DAY, 23)), "by its own age");
    assert_eq!(kept(2).await.unwrap().1, 10, "by rows");
    assert_eq!(kept(3).await, Some((now - 2 * DAY, 47)), "no longer than the gateway allows");
    assert_eq!(kept(4).await, Some((now - 2 * DAY, 47)), "a property without a policy any more");
    assert_eq!(dropped, 4 * 120 - 23 - 10 - 47 - 47);
    let size = store.reader.history_size().await.unwrap();
    assert_eq!((size.samples, size.newest), (23 + 10 + 47 + 47, 480));
}

#[tokio::test]
async fn the_oldest_go_when_the_database_gets_too_large_and_the_disk_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), 1).await;
    let text = |i: i64| Value::String(format!("{i:0900}"));
    for round in 0..30 {
        let samples: Vec<_> =
            (0..1000).map(|i| sample(i as u32 % 5, reading(round * HOUR + i, text(i)))).collect();
        store.log(&samples).await;
    }
    let full = store.reader.history_size().await.unwrap();
    assert!(full.file_bytes > 27_000_000, "{full:?}");
    store.bounds.max_bytes = 8 << 20;
    let done = store.tend(31 * HOUR).await;
    let size = store.reader.history_size().await.unwrap();
    assert!(size.used_bytes <= 8 << 20 && size.used_bytes > 3 << 20, "{size:?}");
    assert!(size.file_bytes < size.used_bytes + (5 << 20), "{size:?}");
    assert_eq!(size.samples + done.dropped, 30_000);
    assert_eq!(size.oldest, done.dropped + 1, "the oldest went");
    assert!(done.freed_pages > 0);
    store.close().await;
    let bytes = std::fs::metadata(dir.path().join(TwinStore::FILE)).unwrap().len();
    assert!(bytes < 14 << 20, "{bytes}");
}

#[tokio::test]
async fn numbers_go_on_though_every_sample_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), 1).await;
    store.log(&[sample(1, reading(0, Value::Int(1))), sample(1, reading(1, Value::Int(2)))]).await;
    store.bounds.max_age = Duration::from_secs(3600);
    store.tend(1).await;
    assert_eq!(store.tend(3 * HOUR).await.dropped, 2);
    store.close().await;
    let mut store = Store::open(dir.path(), 2).await;
    store.log(&[sample(1, reading(DAY, Value::Int(3)))]).await;
    assert_eq!(store.all().await.iter().map(|s| s.seq).collect::<Vec<_>>(), [3]);
    let runs = store.reader.runs().await.unwrap();
    assert_eq!(
        runs.iter().map(|r| (r.incarnation.get(), r.first, r.last)).collect::<Vec<_>>(),
        [(1, 1, 2), (2, 3, 3)]
    );
}

#[tokio::test]
async fn stretches_leave_out_what_is_bad_and_count_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), 1).await;
    let bad = |at, value: Option<Value>| Reading { quality: Quality::Bad(Why::Stale), ..reading(at, value) };
    store
        .log(&[
            sample(1, reading(-5, Value::Int(100))),
            sample(1, reading(0, Value::Int(3))),
            sample(1, reading(9, Value::Int(1))),
            sample(1, bad(5, Some(Value::Int(-50)))),
            sample(1, bad(25, None)),
            sample(1, reading(30, Value::Int(7))),
            sample(1, reading(30, Value::Int(8))),
        ])
        .await;
    let span = Span {
        id: id(1),
        from: Timestamp::from_millis(0),
        to: Timestamp::from_millis(40),
        step_ms: 10,
        first: 0,
        limit: 100,
    };
    for settled in [false, true] {
        if settled {
            store.tend(DAY).await;
            store.tend(DAY + 2 * HOUR).await;
        }
        let fold = |fold| {
            let (reader, span) = (&store.reader, &span);
            async move {
                let found = reader.buckets(span, fold).await.unwrap();
                found.into_iter().map(|b| (b.number, b.value, b.count, b.bad)).collect::<Vec<_>>()
            }
        };
        let of = |a: Option<Value>, b: Option<Value>| vec![(0, a, 2, 1), (2, None, 0, 1), (3, b, 2, 0)];
        let int = |n| Some(Value::Int(n));
        assert_eq!(fold(Fold::Min).await, of(int(1), int(7)));
        assert_eq!(fold(Fold::Max).await, of(int(3), int(8)));
        assert_eq!(fold(Fold::Mean).await, of(Value::float(2.0).ok(), Value::float(7.5).ok()));
        assert_eq!(fold(Fold::Last).await, of(int(1), int(8)), "the later one of the same moment");
        assert_eq!(fold(Fold::Count).await, of(None, None));
        let later =
            store.reader.buckets(&Span { first: 1, limit: 1, ..span.clone() }, Fold::Max).await.unwrap();
        assert_eq!(later.iter().map(|b| b.number).collect::<Vec<_>>(), [2]);
        let before = store.reader.sample_before(&id(1), Timestamp::from_millis(0)).await.unwrap();
        assert_eq!(before.unwrap().value, int(100));
    }
}

#[tokio::test]
async fn a_database_of_version_1_is_brought_up_and_gives_disk_back_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(TwinStore::FILE);
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut old = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(include_str!("version_1.sql")).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    for start in 1..=2 {
        let mut store = Store::open(dir.path(), start).await;
        assert_eq!(store.reader.devices().await.unwrap().len(), 1, "what was in it is still there");
        store.log(&[sample(1, reading(1, Value::Int(1)))]).await;
        assert_eq!(store.all().await.len() as u64, start);
        store.close().await;
        let mut raw = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let mode: i64 = sqlx::query_scalar("PRAGMA auto_vacuum").fetch_one(&mut raw).await.unwrap();
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut raw).await.unwrap();
        assert_eq!((mode, version), (2, 3));
    }
}
