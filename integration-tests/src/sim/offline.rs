//! A day without a link: what flaps all day costs one row per property when the link is back.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use twin_core::replica::{Effect, Limits, Message, Replica};
use twin_core::{Incarnation, Key, Side, Timestamp};

use super::change::Plant;
use super::check::entries_held;
use super::other;
use super::table::Table;

/// How long, and how much flaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many properties.
    pub properties: usize,
    /// How long the link is gone.
    pub away: Duration,
    /// Of each hour, in seconds: the time from its beginning in which all properties flap.
    pub flapping_s: i64,
    /// The longest time between two changes of a flapping property, in seconds.
    pub every_s: i64,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day {
    /// Changes while the link was gone.
    pub changes: u64,
    /// Entries that crossed the link when it was back.
    pub crossed: usize,
    /// The most entries of one property among them.
    pub most_of_one: usize,
    /// The most entries that the edge's replica held in memory.
    pub most_held: usize,
    /// Rows in the edge's database at the end.
    pub rows: usize,
}

struct Node {
    side: Side,
    table: Table,
    replica: Replica,
    sent: Vec<Message>,
}

impl Node {
    fn new(side: Side, incarnation: u64) -> Self {
        let table = Table::default();
        let incarnation = Incarnation::new(incarnation);
        let replica = Replica::new(side, incarnation, &table.stored(side), Limits::default());
        Self { side, table, replica, sent: Vec::new() }
    }

    fn turn(&mut self, now: Timestamp) {
        while let Some(effect) = self.replica.poll_effect() {
            match effect {
                Effect::Commit(commit) => {
                    self.table.apply(&commit, self.side);
                    self.replica.handle_committed(commit.token);
                }
                Effect::Fetch { token, after, up_to, limit } => {
                    let rows = self.table.fetch(self.side, after, up_to, limit);
                    self.replica.handle_fetched(token, up_to, rows, now);
                }
                Effect::Send(message) => self.sent.push(message),
                Effect::Publish(_) => {}
            }
        }
    }
}

/// Lives through the day.
///
/// # Errors
/// In words, what does not hold.
pub fn run_day(plan: Plan) -> Result<Day, String> {
    let mut rng = Rng::with_seed(7);
    let mut plant = Plant::new(1, plan.properties);
    let mut nodes = [Node::new(Side::Edge, 11), Node::new(Side::Cloud, 12)];
    let mut now = Timestamp::from_millis(0);
    for n in 0..plan.properties {
        let change = plant.reported(plant.property(n));
        nodes[0].replica.write(change).map_err(|rejected| rejected.to_string())?;
    }
    connect(&mut nodes, now)?;
    for node in &mut nodes {
        node.replica.handle_disconnected();
    }

    let mut day = Day::default();
    let mut due: Vec<i64> = (0..plan.properties).map(|_| rng.i64(0..plan.every_s)).collect();
    let seconds = i64::try_from(plan.away.as_secs()).map_err(|error| error.to_string())?;
    for second in (0..seconds).filter(|second| second % 3600 < plan.flapping_s) {
        now = Timestamp::from_millis(second * 1000);
        for (n, due) in due.iter_mut().enumerate().filter(|(_, due)| **due <= second) {
            *due = second + rng.i64(1..=plan.every_s);
            let change = plant.reported(plant.property(n));
            nodes[0].replica.write(change).map_err(|rejected| rejected.to_string())?;
            day.changes += 1;
        }
        nodes[0].turn(now);
        if second % 600 == 0 {
            day.most_held = day.most_held.max(entries_held(&nodes[0].replica));
        }
    }

    let crossed = connect(&mut nodes, now)?;
    day.crossed = crossed.values().sum();
    day.most_of_one = crossed.values().copied().max().unwrap_or(0);
    day.rows = nodes[0].table.rows.len();
    let [edge, cloud] = &nodes;
    if !edge.table.live(Side::Edge).eq(cloud.table.live(Side::Edge)) {
        return Err("the cloud is not equal after the day".into());
    }
    Ok(day)
}

/// Joins both until nothing more is said; the answer is how many entries of each document crossed.
fn connect(nodes: &mut [Node; 2], now: Timestamp) -> Result<BTreeMap<Key, usize>, String> {
    let mut crossed = BTreeMap::new();
    for node in nodes.iter_mut() {
        node.sent.clear();
        node.replica.handle_connected();
    }
    loop {
        nodes.iter_mut().for_each(|node| node.turn(now));
        let [edge, cloud] = nodes;
        if edge.sent.is_empty() && cloud.sent.is_empty() {
            return Ok(crossed);
        }
        carry(edge, cloud, now, &mut crossed)?;
        carry(cloud, edge, now, &mut crossed)?;
    }
}

fn carry(
    from: &mut Node,
    to: &mut Node,
    now: Timestamp,
    crossed: &mut BTreeMap<Key, usize>,
) -> Result<(), String> {
    for message in std::mem::take(&mut from.sent) {
        if let Message::Batch(batch) = &message {
            for entry in &batch.entries {
                *crossed.entry(entry.change.key()).or_insert(0) += 1;
            }
        }
        let refused = |bad| format!("{:?} is refused by {:?}: {bad}", from.side, other(from.side));
        to.replica.handle_message(message, now).map_err(refused)?;
    }
    Ok(())
}
