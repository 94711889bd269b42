use std::time::Duration;

use twin_core::history::{Bucket, Collected, Fold, Place, Reading, Sample, SampleRange, Span};
use twin_core::{Incarnation, NodeName, PropertyId, Quality, Timestamp, Value, Why};

use super::{HistoryRetention, HistoryStore, NodeHistory};

const DAY: i64 = 86_400_000;

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn id(n: u64) -> PropertyId {
    PropertyId::new("pump".parse().unwrap(), format!("p{n}").parse().unwrap())
}

fn sample(seq: u64, property: u64, at: i64, value: impl Into<Option<Value>>) -> Sample {
    let value = value.into();
    let quality = if value.is_some() { Quality::Good } else { Quality::Bad(Why::Other("cut".into())) };
    let source_time = value.as_ref().map(|_| Timestamp::from_millis(at - 3));
    let reading = Reading { at: Timestamp::from_millis(at), source_time, quality, value };
    Sample { seq, id: id(property), reading }
}

fn place(incarnation: u64, seq: u64) -> Place {
    Place { incarnation: Incarnation::new(incarnation), seq }
}

fn collected(incarnation: u64, samples: Vec<Sample>, missed: u64) -> Collected {
    let end = place(incarnation, samples.last().unwrap().seq);
    Collected { samples, end, missed }
}

fn range(n: u64) -> SampleRange {
    let (from, to) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
    SampleRange { id: id(n), from, to, after: None, limit: 1000 }
}

async fn readings(store: &HistoryStore, of: &str, n: u64) -> Vec<Reading> {
    let samples = store.samples(&node(of), &range(n)).await.unwrap();
    samples.into_iter().map(|(_, reading)| reading).collect()
}

#[tokio::test]
async fn samples_and_the_place_are_stored_together_and_what_comes_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = HistoryStore::open(dir.path()).await.unwrap();
    let first = collected(1, vec![sample(1, 1, 10, Value::Int(1)), sample(3, 2, 11, None)], 1);
    store.collect(&node("a"), &first).await.unwrap();
    store.collect(&node("a"), &first).await.unwrap();
    let second = collected(2, vec![sample(4, 1, 10, Value::Int(2))], 0);
    store.collect(&node("a"), &second).await.unwrap();
    let third = collected(1, vec![sample(3, 2, 11, None), sample(4, 1, 12, Value::Int(3))], 0);
    store.collect(&node("a"), &third).await.unwrap();
    store.collect(&node("b"), &collected(1, vec![sample(1, 1, 5, Value::Bool(true))], 0)).await.unwrap();
    store.close().await;

    let store = HistoryStore::open(dir.path()).await.unwrap();
    assert_eq!(
        store.known(&node("a")).await.unwrap(),
        [place(1, 4), place(2, 4)],
        "the last that grew is first"
    );
    assert_eq!(store.known(&node("c")).await.unwrap(), []);
    let wanted = [(10, Value::Int(1)), (10, Value::Int(2)), (12, Value::Int(3))];
    let wanted = wanted.map(|(at, value)| sample(0, 1, at, value).reading);
    assert_eq!(readings(&store, "a", 1).await, wanted);
    assert_eq!(readings(&store, "a", 2).await, [sample(0, 2, 11, None).reading]);
    assert_eq!(readings(&store, "b", 1).await, [sample(0, 1, 5, Value::Bool(true)).reading]);
    assert_eq!(store.of_node(&node("a")).await.unwrap(), NodeHistory { samples: 4, missed: 1 });
}

#[tokio::test]
async fn pages_go_on_where_the_one_before_ended_and_steps_are_reckoned() {
    let dir = tempfile::tempdir().unwrap();
    let store = HistoryStore::open(dir.path()).await.unwrap();
    let samples: Vec<_> =
        (1..=20).map(|n: u64| sample(n, 1, (n / 3 * 10) as i64, Value::Int(n as i64))).collect();
    store.collect(&node("a"), &collected(1, samples, 0)).await.unwrap();
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = store.samples(&node("a"), &SampleRange { after, limit: 3, ..range(1) }).await.unwrap();
        let Some((number, last)) = page.last() else { break };
        after = Some((last.at, *number));
        found.extend(page.into_iter().map(|(_, reading)| reading.value.unwrap()));
    }
    assert_eq!(found, (1..=20).map(Value::Int).collect::<Vec<_>>());

    let (from, to) = (Timestamp::from_millis(10), Timestamp::from_millis(50));
    let span = Span { id: id(1), from, to, step_ms: 20, first: 0, limit: 10 };
    let plant = node("a");
    let buckets = |fold| store.buckets(&plant, &span, fold).map_ok_values();
    let of = |a, b| vec![(0, a, 6), (1, b, 6)];
    let int = |n| Some(Value::Int(n));
    assert_eq!(buckets(Fold::Max).await, of(int(8), int(14)));
    assert_eq!(buckets(Fold::Mean).await, of(Value::float(5.5).ok(), Value::float(11.5).ok()));
    assert_eq!(buckets(Fold::Last).await, of(int(8), int(14)));
    assert_eq!(buckets(Fold::Count).await, of(None, None));
    let before = store.sample_before(&node("a"), &id(1), from).await.unwrap().unwrap();
    assert_eq!(before.value, int(2));
}

trait Short: Sized + Future<Output = Result<Vec<Bucket>, crate::StoreError>> {
    async fn map_ok_values(self) -> Vec<(u64, Option<Value>, u64)> {
        self.await.unwrap().into_iter().map(|b| (b.number, b.value, b.count)).collect()
    }
}
impl<F: Future<Output = Result<Vec<Bucket>, crate::StoreError>>> Short for F {}

#[tokio::test]
async fn what_is_too_old_or_too_much_goes_and_does_not_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = HistoryStore::open(dir.path()).await.unwrap();
    let samples: Vec<_> =
        (1..=10_000).map(|n: u64| sample(n, n % 2, n as i64 * 60_000, Value::Int(n as i64))).collect();
    for chunk in samples.chunks(1000) {
        store.collect(&node("a"), &collected(1, chunk.to_vec(), 0)).await.unwrap();
    }
    let retention = HistoryRetention { max_age: Duration::from_secs(5 * 86_400), max_rows: 3_000 };
    let (mut next, mut dropped) = (None, 0);
    loop {
        let kept = store.keep(retention, next, Timestamp::from_millis(7 * DAY)).await.unwrap();
        dropped += kept.dropped;
        next = kept.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(dropped, 10_000 - 2 * 3_000);
    for n in 0..2 {
        let left = store.samples(&node("a"), &SampleRange { limit: 10_000, ..range(n) }).await.unwrap();
        assert_eq!(left.len(), 3_000);
        assert!(left[0].1.at.as_millis() > 4 * 1000 * 60_000);
    }
    let again = collected(1, samples[..1000].to_vec(), 0);
    store.collect(&node("a"), &again).await.unwrap();
    assert_eq!(store.of_node(&node("a")).await.unwrap().samples, 6_000);
}
