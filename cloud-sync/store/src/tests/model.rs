//! The store beside a map that does the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use twin_core::replica::Forget;
use twin_core::{Key, Stream};

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Report(usize, i64),
    Remove(usize),
    Wish(usize, Option<i64>),
    Forget,
    Reset(Vec<(usize, i64)>, bool),
    Reopen,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..9usize, any::<i64>()).prop_map(|(n, v)| Op::Report(n, v)),
        2 => (0..9usize).prop_map(Op::Remove),
        3 => (0..3usize, proptest::option::of(0..100i64)).prop_map(|(n, v)| Op::Wish(n * 3, v)),
        1 => Just(Op::Forget),
        1 => (proptest::collection::vec((0..9usize, any::<i64>()), 0..6), any::<bool>())
            .prop_map(|(rows, complete)| Op::Reset(rows, complete)),
        1 => Just(Op::Reopen),
    ]
}

#[derive(Default)]
struct Model {
    live: BTreeMap<Key, Entry>,
    tombstones: BTreeMap<Key, Revision>,
    floor: Revision,
    followed: Option<Cursor>,
    cloud_last: u64,
}

fn devices(from: u64) -> Vec<Entry> {
    (0..3).map(|n| entry(from + n as u64, pump(n, DeviceState::Online))).collect()
}

impl Model {
    fn put(&mut self, entries: &[Entry]) {
        for entry in entries {
            let key = entry.change.key();
            if entry.change.is_deletion() {
                self.live.remove(&key);
            } else {
                self.live.insert(key, entry.clone());
            }
        }
    }

    async fn check(&self, store: &CloudStore, node: &NodeName) {
        let stored = store.stored(node, Stream::Twin).await.unwrap();
        assert_eq!(stored.followed, self.followed);
        assert_eq!(stored.floor, self.floor);
        let revisions = || self.tombstones.values().copied();
        assert_eq!(stored.tombstones, revisions().min().zip(revisions().max()));
        assert_eq!(stored.incarnations.iter().map(|c| c.revision.get()).max().unwrap_or(0), self.cloud_last);
        let mut owed: Vec<Entry> =
            self.live.values().filter(|e| e.change.part().author() == Side::Cloud).cloned().collect();
        owed.extend(self.tombstones.iter().map(|(key, revision)| {
            let Key::Desired(id) = key else { panic!("only desired values leave tombstones") };
            Entry { revision: *revision, change: Change::Desired(id.clone(), None) }
        }));
        owed.sort_by_key(|e| e.revision);
        let all = (Revision::ZERO, Revision::new(u64::MAX));
        assert_eq!(store.fetch(node, Stream::Twin, all.0, all.1, 1000).await.unwrap(), owed);
        let mut live = BTreeMap::new();
        let mut last = 0;
        for change in store.changes_since(0, Some(node), 10_000).await.unwrap() {
            assert!(change.seq > last, "places grow");
            last = change.seq;
            if !change.entry.change.is_deletion() {
                live.insert(change.entry.change.key(), change.entry);
            }
        }
        assert_eq!(live, self.live);
        assert!(last <= store.changes_range().await.unwrap().1);
    }
}

/// Follows the changes as an outsider does, from where it was.
async fn follow(store: &CloudStore, since: &mut u64, view: &mut BTreeMap<Key, Entry>) {
    loop {
        let page = store.changes_since(*since, None, 3).await.unwrap();
        let Some(last) = page.last() else { return };
        *since = last.seq;
        for change in page {
            if change.entry.change.is_deletion() {
                view.remove(&change.entry.change.key());
            } else {
                view.insert(change.entry.change.key(), change.entry);
            }
        }
    }
}

async fn run(ops: Vec<Op>) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(&dir).await;
    let name = node("edge-1");
    let mut model = Model::default();
    let mut revision = 3;
    let first = devices(1);
    store.commit(&name, apply(first.clone(), 3)).await.unwrap();
    model.put(&first);
    model.followed = Some(cursor(5, 3));
    let (mut since, mut view) = (0, BTreeMap::new());
    for op in ops {
        match op {
            Op::Report(n, value) => {
                revision += 1;
                let entries = vec![entry(revision, reported(n, value, Quality::Good))];
                model.put(&entries);
                model.followed = Some(cursor(5, revision));
                store.commit(&name, apply(entries, revision)).await.unwrap();
            }
            Op::Remove(n) => {
                revision += 1;
                let entries = vec![entry(revision, Change::Reported(property(n), None))];
                model.put(&entries);
                model.followed = Some(cursor(5, revision));
                store.commit(&name, apply(entries, revision)).await.unwrap();
            }
            Op::Wish(n, value) => {
                let wishes = vec![(property(n), value.map(|v| wish(Value::Int(v))))];
                let entries = store.set_desired(&name, wishes, None).await.unwrap();
                for entry in &entries {
                    model.cloud_last += 1;
                    assert_eq!(entry.revision.get(), model.cloud_last);
                    if entry.change.is_deletion() {
                        model.tombstones.insert(entry.change.key(), entry.revision);
                    } else {
                        model.tombstones.remove(&entry.change.key());
                    }
                }
                assert_eq!(
                    entries.is_empty(),
                    value.is_none() && !model.live.contains_key(&Key::Desired(property(n)))
                );
                model.put(&entries);
            }
            Op::Forget => {
                let (Some(newest), up_to) =
                    (model.tombstones.values().max(), Revision::new(model.cloud_last))
                else {
                    continue;
                };
                let floor = up_to.min(*newest);
                model.floor = floor;
                model.tombstones.clear();
                let forget = Some(Forget { up_to, floor });
                store.commit(&name, Arc::new(Commit { forget, ..commit(vec![]) })).await.unwrap();
            }
            Op::Reset(rows, complete) => {
                let mut entries = devices(revision + 1);
                revision += 3;
                for (n, value) in rows {
                    revision += 1;
                    entries.push(entry(revision, reported(n, value, Quality::Good)));
                }
                let (one, two) = entries.split_at(entries.len() / 2);
                let stage = |entries: &[Entry]| Followed::Stage { entries: entries.to_vec() };
                store.commit(&name, Arc::new(commit(vec![Followed::ResetBegin, stage(one)]))).await.unwrap();
                model.check(&store, &name).await;
                if complete {
                    let to = cursor(6, revision);
                    let rest = commit(vec![stage(two), Followed::ResetEnd { cursor: to }]);
                    store.commit(&name, Arc::new(rest)).await.unwrap();
                    model.live.retain(|key, _| key.part().author() == Side::Cloud);
                    model.put(&entries);
                    model.followed = Some(to);
                }
            }
            Op::Reopen => {
                store.close().await;
                store = open(&dir).await;
            }
        }
        model.check(&store, &name).await;
        follow(&store, &mut since, &mut view).await;
        assert_eq!(view, model.live, "whoever follows the changes holds the same");
    }
    store.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn after_any_commits_and_reopenings_the_store_equals_a_map(
        ops in proptest::collection::vec(any_op(), 1..25)
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(ops));
    }
}

#[tokio::test]
async fn of_many_incarnations_the_newest_64_stay_and_the_last_revision_never_falls() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    let name = node("edge-1");
    for n in 0..70 {
        let author = Some(cursor(1000 + n, 500 - n));
        store.commit(&name, Arc::new(Commit { author, ..commit(vec![]) })).await.unwrap();
    }
    let lower = Some(cursor(1069, 1));
    store.commit(&name, Arc::new(Commit { author: lower, ..commit(vec![]) })).await.unwrap();
    let incarnations = store.stored(&name, Stream::Twin).await.unwrap().incarnations;
    assert_eq!(incarnations.len(), 64);
    assert_eq!(incarnations.first(), Some(&cursor(1006, 494)));
    assert_eq!(incarnations.last(), Some(&cursor(1069, 431)));
    store.close().await;
}
