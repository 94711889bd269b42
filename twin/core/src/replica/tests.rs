//! Two replicas joined by hand. Everything that can go wrong on the way is the simulation's work.

use super::*;
use crate::document::{Desired, Reported};
use crate::id::PropertyId;
use crate::quality::Quality;
use crate::value::Value;
use std::collections::BTreeMap;

/// A store that is a map.
#[derive(Default, Clone)]
struct Table {
    rows: BTreeMap<Key, Entry>,
    staging: BTreeMap<Key, Entry>,
    stored: Stored,
}

impl Table {
    fn apply(&mut self, commit: &Commit, side: Side) {
        for entry in &commit.authored {
            self.rows.insert(entry.change.key(), entry.clone());
        }
        if let Some(cursor) = commit.author {
            self.stored.incarnations.retain(|c| c.incarnation != cursor.incarnation);
            self.stored.incarnations.push(cursor);
        }
        if let Some(forget) = commit.forget {
            self.rows.retain(|key, e| {
                key.part().author() != side || !e.change.is_deletion() || e.revision > forget.up_to
            });
            self.stored.floor = self.stored.floor.max(forget.floor);
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
                    self.stored.followed = Some(*cursor);
                }
                Followed::ResetBegin => self.staging.clear(),
                Followed::Stage { entries } => {
                    for entry in entries {
                        self.staging.insert(entry.change.key(), entry.clone());
                    }
                }
                Followed::ResetEnd { cursor } => {
                    self.rows.retain(|key, _| key.part().author() == side);
                    let staged = std::mem::take(&mut self.staging);
                    self.rows.extend(staged.into_iter().filter(|(_, e)| !e.change.is_deletion()));
                    self.stored.followed = Some(*cursor);
                }
            }
        }
    }
}

struct End {
    side: Side,
    table: Table,
    replica: Replica,
    sent: Vec<Message>,
}

impl End {
    fn new(side: Side, incarnation: u64, table: Table) -> Self {
        let limits = Limits { batch_entries: 3, ..Limits::default() };
        let replica = Replica::new(side, Incarnation::new(incarnation), &table.stored, limits);
        Self { side, table, replica, sent: Vec::new() }
    }

    fn turn(&mut self) {
        while let Some(effect) = self.replica.poll_effect() {
            match effect {
                Effect::Commit(commit) => {
                    self.table.apply(&commit, self.side);
                    self.replica.handle_committed(commit.token);
                }
                Effect::Fetch { token, after, up_to, limit } => {
                    let mut rows: Vec<_> = self
                        .table
                        .rows
                        .values()
                        .filter(|e| e.change.part().author() == self.side)
                        .filter(|e| after < e.revision && e.revision <= up_to)
                        .cloned()
                        .collect();
                    rows.sort_by_key(|e| e.revision);
                    rows.truncate(limit);
                    self.replica.handle_fetched(token, up_to, rows, Timestamp::default());
                }
                Effect::Send(message) => self.sent.push(message),
                Effect::Publish(_) => {}
            }
        }
    }

    fn live(&self, author: Side) -> BTreeMap<Key, Entry> {
        let live = |(k, e): &(&Key, &Entry)| k.part().author() == author && !e.change.is_deletion();
        self.table.rows.iter().filter(live).map(|(k, e)| (k.clone(), e.clone())).collect()
    }
}

fn connect(a: &mut End, b: &mut End) {
    a.replica.handle_connected();
    b.replica.handle_connected();
    a.sent.clear();
    b.sent.clear();
    talk(a, b);
}

fn talk(a: &mut End, b: &mut End) {
    loop {
        a.turn();
        b.turn();
        if a.sent.is_empty() && b.sent.is_empty() {
            return;
        }
        for message in std::mem::take(&mut a.sent) {
            b.replica.handle_message(message, Timestamp::default()).unwrap();
        }
        for message in std::mem::take(&mut b.sent) {
            a.replica.handle_message(message, Timestamp::default()).unwrap();
        }
    }
}

fn property(n: usize) -> PropertyId {
    PropertyId::new("pump".parse().unwrap(), format!("p{n}").parse().unwrap())
}

fn reported(n: usize, value: i64) -> Change {
    let reported = Reported {
        value: Some(Value::Int(value)),
        quality: Quality::Good,
        source_time: None,
        gateway_time: None,
        outcome: None,
    };
    Change::Reported(property(n), Some(reported))
}

fn desired(n: usize, value: i64) -> Change {
    let desired = Desired {
        value: Value::Int(value),
        set_by: "alice".into(),
        set_at: Timestamp::default(),
        valid_until: None,
    };
    Change::Desired(property(n), Some(desired))
}

fn assert_equal(edge: &End, cloud: &End) {
    assert_eq!(edge.live(Side::Edge), cloud.live(Side::Edge));
    assert_eq!(edge.live(Side::Cloud), cloud.live(Side::Cloud));
}

#[test]
fn what_each_side_writes_reaches_the_other_in_batches() {
    let mut edge = End::new(Side::Edge, 1, Table::default());
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    connect(&mut edge, &mut cloud);
    for n in 0..10 {
        edge.replica.write(reported(n, 1)).unwrap();
        cloud.replica.write(desired(n, 2)).unwrap();
    }
    talk(&mut edge, &mut cloud);
    assert_equal(&edge, &cloud);
    assert_eq!(cloud.live(Side::Edge).len(), 10);
    assert!(edge.replica.is_settled() && cloud.replica.is_settled());
}

#[test]
fn a_part_of_the_other_side_is_refused() {
    let mut edge = End::new(Side::Edge, 1, Table::default());
    assert!(edge.replica.write(desired(1, 1)).is_err());
}

#[test]
fn flapping_while_offline_costs_one_row_and_deletions_arrive() {
    let mut edge = End::new(Side::Edge, 1, Table::default());
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    for n in 0..3 {
        edge.replica.write(reported(n, 0)).unwrap();
    }
    connect(&mut edge, &mut cloud);
    edge.replica.handle_disconnected();
    cloud.replica.handle_disconnected();
    for value in 0..1000 {
        edge.replica.write(reported(0, value)).unwrap();
        edge.turn();
    }
    edge.replica.write(Change::Reported(property(1), None)).unwrap();
    edge.turn();
    edge.replica.handle_connected();
    cloud.replica.handle_connected();
    edge.turn();
    cloud.turn();
    let hello = cloud.sent.remove(0);
    edge.replica.handle_message(hello, Timestamp::default()).unwrap();
    edge.turn();
    let crossed: usize =
        edge.sent.iter().map(|m| if let Message::Batch(b) = m { b.entries.len() } else { 0 }).sum();
    assert_eq!(crossed, 2, "one row for the flapping property, one tombstone");
    talk(&mut edge, &mut cloud);
    assert_equal(&edge, &cloud);
    assert!(
        edge.table.rows.values().all(|e| !e.change.is_deletion()),
        "the acknowledged tombstone is dropped"
    );
}

#[test]
fn an_edge_restored_from_a_backup_resets_the_cloud() {
    let mut edge = End::new(Side::Edge, 1, Table::default());
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    connect(&mut edge, &mut cloud);
    edge.replica.write(reported(0, 1)).unwrap();
    talk(&mut edge, &mut cloud);
    let backup = edge.table.clone();
    edge.replica.write(reported(0, 2)).unwrap();
    edge.replica.write(reported(1, 2)).unwrap();
    talk(&mut edge, &mut cloud);
    let mut edge = End::new(Side::Edge, 3, backup);
    edge.replica.write(reported(0, 7)).unwrap();
    edge.replica.write(reported(2, 7)).unwrap();
    connect(&mut edge, &mut cloud);
    assert_equal(&edge, &cloud);
    assert_eq!(cloud.live(Side::Edge).len(), 2);
}

#[test]
fn a_batch_that_does_not_join_on_is_answered_with_the_cursor_and_not_applied() {
    let mut edge = End::new(Side::Edge, 1, Table::default());
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    connect(&mut edge, &mut cloud);
    let incarnation = Incarnation::new(1);
    let at = |n| Cursor { incarnation, revision: Revision::new(n) };
    let batch = Batch { base: Base::Cursor(at(7)), cursor: at(8), entries: vec![] };
    cloud.replica.handle_message(Message::Batch(batch), Timestamp::default()).unwrap();
    cloud.turn();
    assert_eq!(cloud.sent, vec![Message::Ack(at(0))]);
}

#[test]
fn a_batch_with_entries_of_the_wrong_author_or_order_is_an_error() {
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    let cursor = Cursor { incarnation: Incarnation::new(1), revision: Revision::new(2) };
    let base = Base::Reset { after: None, last: true };
    let entry = |n, change| Entry { revision: Revision::new(n), change };
    for entries in [
        vec![entry(1, desired(0, 1))],
        vec![entry(2, reported(0, 1)), entry(1, reported(1, 1))],
        vec![entry(3, reported(0, 1))],
        vec![entry(0, reported(0, 1))],
    ] {
        let message = Message::Batch(Batch { base, cursor, entries });
        assert!(cloud.replica.handle_message(message, Timestamp::default()).is_err());
    }
}

#[test]
fn what_is_lost_is_sent_again_after_the_timeout() {
    let mut edge = End::new(Side::Edge, 1, Table::default());
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    connect(&mut edge, &mut cloud);
    edge.replica.write(reported(0, 1)).unwrap();
    edge.turn();
    edge.sent.clear();
    let at = edge.replica.poll_timeout().unwrap();
    edge.replica.handle_timeout(at);
    talk(&mut edge, &mut cloud);
    assert_equal(&edge, &cloud);
    assert_eq!(edge.replica.poll_timeout(), None);
}

/// What the edge's own documents are, `count` of them, each written once.
fn edge_with_rows(incarnation: u64, count: usize) -> End {
    let mut edge = End::new(Side::Edge, incarnation, Table::default());
    for n in 0..count {
        edge.replica.write(reported(n, 1)).unwrap();
    }
    edge.turn();
    edge
}

fn give(to: &mut End, message: Message) {
    to.replica.handle_message(message, Timestamp::default()).unwrap();
}

#[test]
fn hello_is_the_first_word_on_a_connection_whatever_is_being_committed() {
    let mut edge = edge_with_rows(1, 2);
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    cloud.turn();
    edge.replica.handle_connected();
    cloud.replica.handle_connected();
    cloud.turn();
    cloud.sent.clear();
    give(&mut edge, Message::Hello(None));
    edge.turn();
    give(&mut cloud, edge.sent.pop().unwrap());
    let Some(Effect::Commit(commit)) = cloud.replica.poll_effect() else {
        panic!("the batch is to be committed")
    };
    cloud.replica.handle_connected();
    give(&mut cloud, Message::Hello(None));
    assert_eq!(cloud.replica.poll_effect(), None, "neither a batch nor an old hello");
    cloud.replica.handle_committed(commit.token);
    cloud.turn();
    let at = Some(Cursor { incarnation: Incarnation::new(1), revision: Revision::new(2) });
    assert_eq!(cloud.sent.first(), Some(&Message::Hello(at)));
}

#[test]
fn an_author_restored_to_the_middle_of_what_was_read_resets_its_follower() {
    let mut edge = edge_with_rows(1, 6);
    let backup = edge.table.clone();
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    edge.replica.write(reported(0, 2)).unwrap();
    edge.turn();
    // The follower's first batches are read after the backup: they lack the document that had changed again.
    edge.replica.handle_connected();
    cloud.replica.handle_connected();
    let mut table = cloud.table.clone();
    table.stored.followed = Some(Cursor { incarnation: Incarnation::new(1), revision: Revision::ZERO });
    cloud = End::new(Side::Cloud, 3, table);
    cloud.replica.handle_connected();
    cloud.turn();
    give(&mut edge, cloud.sent.remove(0));
    edge.turn();
    let Message::Batch(first) = edge.sent.iter().find(|m| matches!(m, Message::Batch(_))).unwrap().clone()
    else {
        unreachable!()
    };
    assert_eq!(first.cursor.revision, Revision::new(4), "less than the backup has");
    give(&mut cloud, Message::Batch(first));
    cloud.turn();
    let mut edge = End::new(Side::Edge, 4, backup);
    connect(&mut edge, &mut cloud);
    assert_equal(&edge, &cloud);
    assert_eq!(cloud.live(Side::Edge).len(), 6);
}

#[test]
fn a_follower_on_the_way_goes_on_where_it_was_when_only_the_connection_broke() {
    let mut edge = edge_with_rows(1, 7);
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    connect(&mut edge, &mut cloud);
    for n in 0..7 {
        edge.replica.write(reported(n, 2)).unwrap();
    }
    edge.turn();
    give(&mut cloud, edge.sent.remove(0));
    cloud.turn();
    edge.replica.handle_connected();
    cloud.replica.handle_connected();
    cloud.sent.clear();
    cloud.turn();
    edge.sent.clear();
    give(&mut edge, cloud.sent.remove(0));
    edge.turn();
    let crossed: usize =
        edge.sent.iter().map(|m| if let Message::Batch(b) = m { b.entries.len() } else { 0 }).sum();
    assert_eq!(crossed, 4);
    talk(&mut edge, &mut cloud);
    assert_equal(&edge, &cloud);
}

#[test]
fn an_echo_of_a_reset_does_not_take_the_follower_back() {
    let mut edge = edge_with_rows(1, 2);
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    edge.replica.handle_connected();
    give(&mut edge, Message::Hello(None));
    edge.turn();
    let reset = edge.sent.pop().unwrap();
    connect(&mut edge, &mut cloud);
    edge.replica.write(reported(0, 7)).unwrap();
    talk(&mut edge, &mut cloud);
    give(&mut cloud, reset);
    talk(&mut edge, &mut cloud);
    assert_equal(&edge, &cloud);
}

#[test]
fn an_echo_of_the_hello_does_not_begin_a_reset_again() {
    let mut edge = edge_with_rows(1, 2);
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    connect(&mut edge, &mut cloud);
    give(&mut edge, Message::Hello(None));
    edge.turn();
    assert_eq!(edge.sent, []);
    assert!(edge.replica.is_settled());
}

#[test]
fn a_reset_is_done_when_its_last_batch_is_acknowledged_not_one_before_it() {
    let mut edge = edge_with_rows(1, 3);
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    cloud.turn();
    edge.replica.handle_connected();
    give(&mut edge, Message::Hello(None));
    edge.turn();
    edge.sent.retain(|m| matches!(m, Message::Batch(_)));
    assert_eq!(edge.sent.len(), 2, "a full batch, and one that says that this was all");
    give(&mut cloud, edge.sent.remove(0));
    cloud.turn();
    give(&mut edge, cloud.sent.remove(0));
    let at = edge.replica.poll_timeout().unwrap();
    edge.replica.handle_timeout(at);
    assert!(!edge.replica.is_settled());
    talk(&mut edge, &mut cloud);
    assert_equal(&edge, &cloud);
}

#[test]
fn what_another_writer_stored_is_recorded_in_this_incarnation_before_it_is_sent() {
    let mut cloud = End::new(Side::Cloud, 2, Table::default());
    cloud.turn();
    let other = Cursor { incarnation: Incarnation::new(9), revision: Revision::new(1) };
    cloud.replica.handle_authored(other, None);
    cloud.turn();
    let mine = Cursor { incarnation: Incarnation::new(2), ..other };
    assert!(cloud.table.stored.incarnations.contains(&mine));
}

#[test]
fn flapping_while_a_commit_takes_long_does_not_fill_the_memory() {
    let mut edge = End::new(Side::Edge, 1, Table::default());
    edge.replica.write(reported(0, 0)).unwrap();
    let Some(Effect::Commit(commit)) = edge.replica.poll_effect() else {
        panic!("a write is to be committed")
    };
    for value in 1..10_000 {
        edge.replica.write(reported(usize::try_from(value % 3).unwrap(), value)).unwrap();
    }
    assert!(edge.replica.pending.len() < 100);
    edge.table.apply(&commit, Side::Edge);
    edge.replica.handle_committed(commit.token);
    edge.turn();
    let values: Vec<Change> = edge.table.rows.values().map(|e| e.change.clone()).collect();
    assert_eq!(values, [reported(0, 9999), reported(1, 9997), reported(2, 9998)]);
}

#[test]
fn a_reset_that_ends_where_the_follower_is_on_the_way_is_taken() {
    let mut edge = edge_with_rows(1, 3);
    let at = Cursor { incarnation: Incarnation::new(1), revision: Revision::new(3) };
    let stored = Stored { followed: Some(at.on_the_way_at(at.revision)), ..Stored::default() };
    let mut cloud = End::new(Side::Cloud, 2, Table { stored, ..Table::default() });
    edge.replica.handle_connected();
    cloud.replica.handle_connected();
    cloud.turn();
    cloud.sent.clear();
    give(&mut edge, Message::Hello(None));
    talk(&mut edge, &mut cloud);
    assert!(edge.replica.is_settled());
    assert_eq!(cloud.replica.followed(), Some(at));
}

#[test]
fn a_cursor_inside_a_batch_is_good_for_the_start_that_gave_it_only() {
    let edge = edge_with_rows(1, 5);
    let at = Cursor { incarnation: Incarnation::new(1), revision: Revision::new(5) };
    let inside = at.on_the_way_at(Revision::new(2));
    assert_eq!(inside.on_the_way_at(Revision::new(2)), inside);
    for (mut edge, crossing) in [(End::new(Side::Edge, 7, edge.table.clone()), 5), (edge, 3)] {
        edge.replica.handle_connected();
        give(&mut edge, Message::Hello(Some(inside)));
        edge.turn();
        let crossed: usize =
            edge.sent.iter().map(|m| if let Message::Batch(b) = m { b.entries.len() } else { 0 }).sum();
        assert_eq!(crossed, crossing);
    }
}
