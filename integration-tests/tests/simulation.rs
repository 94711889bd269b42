//! Seeds of the simulation, and that it would notice a broken rule.

use std::time::Duration;

use integration_tests::sim::month::{self, live_through};
use integration_tests::sim::offline::{Plan, run_day};
use integration_tests::sim::{Options, Report, Sabotage, run};

/// The seeds that every change has to pass.
const SEEDS: u64 = 200;

/// As many again with sessions that cut batches.
const CUT_SEEDS: u64 = 60;

/// Every broken rule shows within so many.
const CAUGHT_WITHIN: u64 = 1500;

/// How a run ends that does not hold.
const OUTCOMES: [&str; 4] = ["differ", "not settled", "ahead of the cursor", "at a follower that is at"];

fn first_failure(sabotage: Sabotage, check_steps: bool, within: u64) -> String {
    let options = Options { sabotage, check_steps, only_cut: false };
    let failure = (0..within).find_map(|seed| run(seed, options, None).err());
    failure.unwrap_or_else(|| panic!("{sabotage:?} is not noticed in {within} seeds")).what
}

/// Without the checks of each step: it is the outcome that is wrong.
fn caught_at_the_end(sabotage: Sabotage) {
    let what = first_failure(sabotage, false, CAUGHT_WITHIN);
    assert!(OUTCOMES.iter().any(|outcome| what.contains(outcome)), "{what}");
}

#[test]
fn the_first_seeds_hold() {
    let mut sum = Report::default();
    for seed in 0..SEEDS {
        let report = run(seed, Options::default(), None);
        sum.add(&report.unwrap_or_else(|failure| panic!("{failure}")));
    }
    assert!(sum.crashes > SEEDS && sum.restores > SEEDS && sum.resets > SEEDS, "too little trouble: {sum:?}");
}

#[test]
fn the_first_seeds_hold_with_sessions_that_cut_every_long_batch() {
    let options = Options { only_cut: true, ..Options::default() };
    let mut sum = Report::default();
    for seed in 0..CUT_SEEDS {
        let report = run(seed, options, None);
        sum.add(&report.unwrap_or_else(|failure| panic!("{failure}")));
    }
    assert!(sum.cuts > 20 * CUT_SEEDS && sum.restores > CUT_SEEDS / 2, "too few cuts: {sum:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    for seed in 0..20 {
        let first = run(seed, Options::default(), None).unwrap();
        assert_eq!(first, run(seed, Options::default(), None).unwrap());
        assert_ne!(first.hash, run(seed + 1, Options::default(), None).unwrap().hash);
    }
}

#[test]
fn an_epoch_number_in_place_of_an_incarnation_is_caught() {
    caught_at_the_end(Sabotage::EpochNumber);
}

#[test]
fn an_incarnation_whose_end_is_not_checked_is_caught() {
    caught_at_the_end(Sabotage::EndsUnchecked);
}

#[test]
fn a_cursor_that_moves_with_each_entry_is_caught() {
    caught_at_the_end(Sabotage::CursorPerEntry);
}

#[test]
fn an_acknowledgement_before_the_commit_is_caught() {
    let what = first_failure(Sabotage::AckBeforeCommit, true, CAUGHT_WITHIN);
    assert!(what.contains("before its commit"), "{what}");
}

#[test]
fn tombstones_dropped_without_saying_from_where_on_are_caught() {
    caught_at_the_end(Sabotage::FloorForgotten);
}

#[test]
fn after_a_day_of_flapping_without_a_link_one_row_per_property_crosses_it() {
    let plan = Plan { properties: 1000, away: Duration::from_secs(86_400), flapping_s: 30, every_s: 5 };
    let day = run_day(plan).unwrap();
    assert!(day.changes > 200_000, "{day:?}");
    assert_eq!((day.crossed, day.most_of_one, day.rows), (1000, 1, 1000));
    assert!(day.most_held < 10, "an idle replica holds no rows: {day:?}");
}

#[test]
fn days_without_a_link_leave_the_cloud_with_every_sample_once() {
    let plan = month::Plan { days: 2, properties: 40, every_s: 120, max_bytes: 1 << 30, restarts: 3 };
    let month = live_through(plan).unwrap();
    assert_eq!((month.kept, month.arrived, month.missed), (month.logged, month.logged, 0), "{month:?}");
    assert_eq!(month.kills, 3);
}

#[test]
fn what_a_small_disk_had_no_room_for_is_told_to_the_last_sample() {
    let plan = month::Plan { days: 2, properties: 400, every_s: 120, max_bytes: 16 << 20, restarts: 3 };
    let month = live_through(plan).unwrap();
    assert!(month.kept < month.logged && month.missed > 0, "{month:?}");
    assert_eq!(month.arrived + month.missed, month.logged, "{month:?}");
}
