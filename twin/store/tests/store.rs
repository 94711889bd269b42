//! The database against a model that is a map: any commits, closed and opened again at any point.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use twin_core::replica::{Commit, CommitToken, Effect, Followed, Forget, Limits, Message, Replica, Stored};
use twin_core::*;
use twin_store::{ChangesToken, OpenError, TwinStore};

fn cursor(incarnation: u64, revision: u64) -> Cursor {
    Cursor { incarnation: Incarnation::new(incarnation), revision: Revision::new(revision) }
}

fn id(n: u8) -> PropertyId {
    PropertyId::new(format!("d{}", n % 3).parse().unwrap(), format!("p{}", n / 3).parse().unwrap())
}

fn reported(n: u8, value: Option<i64>) -> Change {
    let body = value.map(|v| Reported {
        value: Some(Value::Int(v)),
        quality: Quality::Bad(Why::Other("a 'quoted' \"reason\" – ü".into())),
        source_time: Some(Timestamp::from_millis(v)),
        gateway_time: None,
        outcome: None,
    });
    Change::Reported(id(n), body)
}

fn desired(n: u8, value: Option<i64>) -> Change {
    let body = value.map(|v| Desired {
        value: Value::String(format!("{v}\n")),
        set_by: "alice".into(),
        set_at: Timestamp::from_millis(1),
        valid_until: None,
    });
    Change::Desired(id(n), body)
}

/// What a commit does to a map.
#[derive(Default, Clone, PartialEq, Debug)]
struct Model {
    rows: BTreeMap<Key, Entry>,
    staging: BTreeMap<Key, Entry>,
    incarnations: BTreeMap<Incarnation, Revision>,
    floor: Revision,
    followed: Option<Cursor>,
}

impl Model {
    fn apply(&mut self, commit: &Commit) {
        for entry in &commit.authored {
            self.rows.insert(entry.change.key(), entry.clone());
        }
        for step in &commit.followed {
            match step {
                Followed::Apply { entries, cursor } => {
                    for entry in entries {
                        if entry.change.is_deletion() {
                            self.rows.remove(&entry.change.key());
                        } else {
                            self.rows.insert(entry.change.key(), entry.clone());
                        }
                    }
                    self.followed = Some(*cursor);
                }
                Followed::ResetBegin => self.staging.clear(),
                Followed::Stage { entries } => {
                    self.staging.extend(entries.iter().map(|e| (e.change.key(), e.clone())));
                }
                Followed::ResetEnd { cursor } => {
                    self.rows.retain(|key, _| key.part().author() == Side::Edge);
                    let staged = std::mem::take(&mut self.staging);
                    self.rows.extend(staged.into_iter().filter(|(_, e)| !e.change.is_deletion()));
                    self.followed = Some(*cursor);
                }
            }
        }
        if let Some(forget) = commit.forget {
            self.rows.retain(|key, e| {
                key.part().author() == Side::Cloud || !e.change.is_deletion() || e.revision > forget.up_to
            });
            self.floor = self.floor.max(forget.floor);
        }
        if let Some(cursor) = commit.author {
            let last = self.incarnations.entry(cursor.incarnation).or_default();
            *last = cursor.revision.max(*last);
        }
    }

    fn stored(&self) -> Stored {
        let tombstones = self.rows.values().filter(|e| e.change.is_deletion()).map(|e| e.revision);
        let (oldest, newest) = (tombstones.clone().min(), tombstones.max());
        Stored {
            incarnations: self
                .incarnations
                .iter()
                .map(|(i, r)| Cursor { incarnation: *i, revision: *r })
                .collect(),
            floor: self.floor,
            tombstones: oldest.zip(newest),
            followed: self.followed,
        }
    }

    fn own(&self, after: u64, up_to: u64) -> Vec<Entry> {
        let mut rows: Vec<Entry> = self
            .rows
            .values()
            .filter(|e| e.change.part().author() == Side::Edge)
            .filter(|e| after < e.revision.get() && e.revision.get() <= up_to)
            .cloned()
            .collect();
        rows.sort_by_key(|e| e.revision);
        rows
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(u8, Option<i64>)>),
    Apply(Vec<(u8, Option<i64>)>),
    Reset(Vec<(u8, Option<i64>)>, Vec<(u8, Option<i64>)>),
    HalfReset(Vec<(u8, Option<i64>)>),
    Forget(u64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let changes =
        || proptest::collection::btree_map(0..9_u8, proptest::option::weighted(0.7, any::<i64>()), 0..6);
    let changes = move || changes().prop_map(|map| map.into_iter().collect::<Vec<_>>());
    let step = prop_oneof![
        4 => changes().prop_map(Step::Write),
        3 => changes().prop_map(Step::Apply),
        1 => (changes(), changes()).prop_map(|(a, b)| Step::Reset(a, b)),
        1 => changes().prop_map(Step::HalfReset),
        1 => (0..40_u64).prop_map(Step::Forget),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..25)
}

/// Any replica's token will do: the store does not look at it.
fn token() -> CommitToken {
    let mut replica = Replica::new(Side::Edge, Incarnation::new(1), &Stored::default(), Limits::default());
    match replica.poll_effect() {
        Some(Effect::Commit(commit)) => commit.token,
        other => panic!("a new replica records its incarnation first, not {other:?}"),
    }
}

async fn play(dir: &Path, steps: Vec<Step>) {
    let (mut store, mut reader) = TwinStore::open(dir).await.unwrap();
    let mut model = Model::default();
    let (mut own, mut theirs) = (0, 0);
    let token = token();
    for step in steps {
        let mut commit = Commit {
            token,
            stream: Stream::Twin,
            authored: vec![],
            author: Some(cursor(1, own)),
            forget: None,
            followed: vec![],
        };
        let next = |list: Vec<(u8, Option<i64>)>, make: fn(u8, Option<i64>) -> Change, counter: &mut u64| {
            let entry = |(n, value)| {
                *counter += 1;
                Entry { revision: Revision::new(*counter), change: make(n, value) }
            };
            list.into_iter().map(entry).collect::<Vec<_>>()
        };
        match step {
            Step::Write(list) => {
                commit.authored = next(list, reported, &mut own);
                commit.author = Some(cursor(1, own));
            }
            Step::Apply(list) => {
                let entries = next(list, desired, &mut theirs);
                commit.followed.push(Followed::Apply { entries, cursor: cursor(7, theirs) });
            }
            Step::Reset(first, second) => {
                let (first, second) = (next(first, desired, &mut theirs), next(second, desired, &mut theirs));
                commit.followed = vec![
                    Followed::ResetBegin,
                    Followed::Stage { entries: first },
                    Followed::Stage { entries: second },
                    Followed::ResetEnd { cursor: cursor(8, theirs) },
                ];
            }
            Step::HalfReset(list) => {
                let entries = next(list, desired, &mut theirs);
                commit.followed = vec![Followed::ResetBegin, Followed::Stage { entries }];
            }
            Step::Forget(up_to) => {
                let up_to = Revision::new(up_to);
                commit.forget = Some(Forget { up_to, floor: up_to });
            }
            Step::Reopen => {
                reader.close().await;
                store.close().await.unwrap();
                (store, reader) = TwinStore::open(dir).await.unwrap();
                continue;
            }
        }
        store.commit(&commit).await.unwrap();
        model.apply(&commit);
        assert_eq!(store.stored(Stream::Twin).await.unwrap(), model.stored());
        let after = Revision::new(own / 2);
        let fetched = store.fetch(Stream::Twin, after, Revision::new(own), 1000).await.unwrap();
        assert_eq!(fetched, model.own(after.get(), own));
    }
    let live = |e: &&Entry| !e.change.is_deletion();
    let mut all = store.all().await.unwrap();
    all.sort_by_key(|e| e.change.key());
    assert_eq!(all, model.rows.values().filter(live).cloned().collect::<Vec<_>>());
    let mut page = reader.changes(ChangesToken::default(), 1000).await.unwrap().entries;
    page.sort_by_key(|e| e.change.key());
    assert_eq!(page, model.rows.values().cloned().collect::<Vec<_>>());
    reader.close().await;
    store.close().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_database_holds_what_a_map_would(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(play(dir.path(), steps));
    }
}

#[tokio::test]
async fn changes_resume_from_any_place_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, reader) = TwinStore::open(dir.path()).await.unwrap();
    let entry = |n: u64, change| Entry { revision: Revision::new(n), change };
    let authored = (1..=8).map(|n| entry(n, reported(u8::try_from(n).unwrap(), Some(1)))).collect();
    let theirs = vec![entry(1, desired(0, Some(1))), entry(2, desired(1, Some(1)))];
    let followed = vec![Followed::Apply { entries: theirs, cursor: cursor(7, 2) }];
    let commit = Commit {
        token: token(),
        stream: Stream::Twin,
        authored,
        author: Some(cursor(1, 8)),
        forget: None,
        followed,
    };
    store.commit(&commit).await.unwrap();
    let (mut place, mut seen, mut pages) = (ChangesToken::default(), 0, 0);
    loop {
        let page = reader.changes(place, 3).await.unwrap();
        seen += page.entries.len();
        pages += 1;
        place = page.next.to_string().parse().unwrap();
        if !page.more {
            break;
        }
    }
    assert_eq!((seen, pages, place), (10, 3, ChangesToken { own: 8, followed: 2, alarms: 0 }));
    assert!("x.y".parse::<ChangesToken>().is_err());
    assert!("99999999999999999999".parse::<ChangesToken>().is_err());
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = TwinStore::open(dir.path()).await.unwrap();
    store.close().await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join(TwinStore::FILE));
    let mut raw = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut raw).await.unwrap();
    sqlx::Connection::close(raw).await.unwrap();
    let error = TwinStore::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, OpenError::TooNew { found: 99, .. }), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named_with_its_mend() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = TwinStore::open(&file.join("below")).await.unwrap_err();
    assert!(error.to_string().contains("data_dir"), "{error}");
}

#[test]
fn a_hello_is_what_a_follower_says_first() {
    let stored = Stored { followed: Some(cursor(7, 3)), ..Stored::default() };
    let mut replica = Replica::new(Side::Edge, Incarnation::new(1), &stored, Limits::default());
    replica.handle_connected();
    assert_eq!(replica.poll_effect(), Some(Effect::Send(Message::Hello(Some(cursor(7, 3))))));
}
