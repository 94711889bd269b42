//! After the trouble: the link is whole, both sides run, and soon both have to hold the same.

use twin_core::Side;

use super::index;
use super::link::Weather;
use super::world::{SIDES, World};

/// Far more rounds than the largest reset takes.
const MOST_ROUNDS: usize = 3000;

impl World {
    pub(super) fn calm_down(&mut self) -> Result<(), String> {
        self.say(format_args!("calm"));
        self.link.weather = Weather::FAIR;
        for side in SIDES {
            if self.ends[index(side)].process.is_none() {
                self.start(side);
            }
        }
        for _ in 0..MOST_ROUNDS {
            if self.link.connection().is_none() {
                self.open();
            }
            let mut busy = false;
            for side in SIDES {
                while self.turn(side)? {
                    busy = true;
                    self.report.steps += 1;
                }
                busy |= self.deliver_all(side)?;
            }
            if busy {
                continue;
            }
            if self.link.next_arrival().is_none() && self.is_settled() {
                return self.check_equal();
            }
            if !self.jump() {
                return Err("nothing is left to do and the sides are not settled".into());
            }
        }
        Err(format!("the sides are not settled after {MOST_ROUNDS} rounds"))
    }

    fn deliver_all(&mut self, side: Side) -> Result<bool, String> {
        let before = self.report.delivered;
        loop {
            let delivered = self.report.delivered;
            self.deliver(side)?;
            if delivered == self.report.delivered {
                return Ok(delivered > before);
            }
        }
    }

    fn is_settled(&self) -> bool {
        self.ends.iter().all(|end| {
            let replica = end.process.as_ref().and_then(|p| p.replica.as_ref());
            replica.is_some_and(twin_core::replica::Replica::is_settled)
        })
    }

    fn check_equal(&mut self) -> Result<(), String> {
        self.say(format_args!("quiet"));
        let [edge, cloud] = &self.ends;
        for (author, follower) in [(edge, cloud), (cloud, edge)] {
            let side = author.side;
            if !author.table.live(side).eq(follower.table.live(side)) {
                return Err(format!(
                    "quiet, and the halves of {side:?} differ: {} documents there, {} at its follower",
                    author.table.live(side).count(),
                    follower.table.live(side).count()
                ));
            }
            author.check_own()?;
            author.check_answered()?;
            author.truth.check_follower(&follower.table, side, author.running(), &author.ever)?;
            if follower.table.tombstones(side) > 0 {
                return Err(format!("the follower of {side:?} keeps tombstones"));
            }
        }
        Ok(())
    }
}
