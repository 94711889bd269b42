//! The machine, by a table and by anything that may happen.

use proptest::prelude::*;

use super::*;
use crate::document::Reported;
use crate::quality::{Quality, Why};
use crate::time::Timestamp;
use crate::value::Value;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn float(number: f64) -> Value {
    Value::float(number).unwrap()
}

fn reported(value: Value, quality: Quality, read_at: i64) -> Reported {
    Reported {
        value: Some(value),
        quality,
        source_time: None,
        gateway_time: Some(at(read_at)),
        outcome: None,
    }
}

fn high(limit: f64, hysteresis: f64, delay_ms: u64) -> AlarmRule {
    AlarmRule { delay_ms, ..AlarmRule::new(Condition::High { limit, hysteresis }) }
}

fn watch(rule: AlarmRule) -> Watch {
    let message = rule.words("t", Some("°C"));
    Watch::new(rule, message, None, at(0))
}

fn anna() -> Person {
    Person { by: "anna".into(), comment: None }
}

fn word(watch: &Watch) -> &'static str {
    watch.alarm().map_or("none", |alarm| alarm.state().word())
}

#[derive(Clone, Copy)]
enum Step {
    Good(f64),
    Bad(f64),
    Time,
    Ack,
    Shelve(i64),
    Unshelve,
}
use Step::{Ack, Bad, Good, Shelve, Time, Unshelve};

fn step(watch: &mut Watch, step: Step, now: i64) -> bool {
    match step {
        Good(v) => watch.handle_reported(Some(&reported(float(v), Quality::Good, now)), at(now)),
        Bad(v) => watch.handle_reported(Some(&reported(float(v), Quality::Bad(Why::Stale), now)), at(now)),
        Time => watch.handle_timeout(at(now)),
        Ack => watch.acknowledge(anna(), at(now)).unwrap_or(false),
        Shelve(until) => watch.shelve(at(until), anna(), at(now)).unwrap(),
        Unshelve => watch.unshelve().unwrap(),
    }
}

#[test]
fn each_step_gives_its_state() {
    type Table<'a> = &'a [(&'a str, AlarmRule, &'a [(i64, Step, &'a str)])];
    let table: Table<'_> = &[
        (
            "at the limit it is kept, above it is broken, and it clears below the hysteresis",
            high(80.0, 2.0, 0),
            &[
                (1, Good(80.0), "none"),
                (2, Good(80.1), "active"),
                (3, Good(79.0), "active"),
                (4, Good(78.0), "cleared_unacknowledged"),
                (5, Ack, "cleared"),
                (6, Good(81.0), "active"),
                (7, Ack, "acknowledged"),
                (8, Good(70.0), "cleared"),
            ],
        ),
        (
            "low is the mirror of high",
            AlarmRule::new(Condition::Low { limit: 5.0, hysteresis: 1.0 }),
            &[
                (1, Good(5.0), "none"),
                (2, Good(4.9), "active"),
                (3, Good(5.5), "active"),
                (4, Good(6.0), "cleared_unacknowledged"),
            ],
        ),
        (
            "a delay must run out while the rule is broken all the time",
            high(80.0, 2.0, 10),
            &[
                (0, Good(90.0), "none"),
                (9, Time, "none"),
                (9, Good(79.5), "none"),
                (10, Time, "none"),
                (11, Good(90.0), "none"),
                (20, Good(95.0), "none"),
                (21, Time, "active"),
            ],
        ),
        (
            "a bad value neither raises nor clears, nor does it end a delay",
            high(80.0, 0.0, 10),
            &[
                (0, Bad(90.0), "none"),
                (50, Time, "none"),
                (51, Good(90.0), "none"),
                (55, Bad(90.0), "none"),
                (70, Time, "none"),
                (71, Good(90.0), "active"),
                (72, Bad(10.0), "active"),
                (73, Good(10.0), "cleared_unacknowledged"),
            ],
        ),
        (
            "on the shelf it goes on underneath, and time takes it out",
            high(80.0, 0.0, 0),
            &[
                (1, Shelve(10), "shelved"),
                (2, Good(90.0), "shelved"),
                (9, Time, "shelved"),
                (10, Time, "active"),
                (11, Shelve(20), "shelved"),
                (12, Good(10.0), "shelved"),
                (13, Unshelve, "cleared_unacknowledged"),
            ],
        ),
        (
            "what was never raised leaves nothing behind after the shelf",
            high(80.0, 0.0, 0),
            &[
                (1, Shelve(10), "shelved"),
                (10, Time, "none"),
                (11, Shelve(20), "shelved"),
                (12, Unshelve, "none"),
            ],
        ),
        (
            "no value for too long",
            AlarmRule::new(Condition::Stale { after_ms: 10 }),
            &[
                (5, Good(1.0), "none"),
                (15, Time, "none"),
                (16, Time, "active"),
                (17, Good(1.0), "cleared_unacknowledged"),
                (28, Time, "active"),
            ],
        ),
        (
            "a value that never came is as old as the watch",
            AlarmRule::new(Condition::Stale { after_ms: 10 }),
            &[(10, Time, "none"), (11, Time, "active")],
        ),
        (
            "a value that it must not be",
            AlarmRule::new(Condition::Equals { value: float(3.0) }),
            &[(1, Good(2.0), "none"), (2, Good(3.0), "active"), (3, Good(4.0), "cleared_unacknowledged")],
        ),
    ];
    for (what, rule, steps) in table {
        let mut watch = watch(rule.clone());
        for (now, one, wanted) in *steps {
            step(&mut watch, *one, *now);
            assert_eq!(word(&watch), *wanted, "{what}: at {now}");
        }
    }
}

#[test]
fn an_active_alarm_says_why_it_is_held_and_what_raised_it() {
    let mut watch = watch(high(80.0, 0.0, 0));
    assert!(step(&mut watch, Good(90.0), 1));
    assert!(step(&mut watch, Bad(90.0), 2));
    assert!(!step(&mut watch, Bad(91.0), 3));
    let alarm = watch.alarm().unwrap();
    assert_eq!((alarm.held.clone(), alarm.value.clone()), (Some(Why::Stale), Some(float(90.0))));
    assert_eq!((alarm.message.as_str(), alarm.raised_at), ("t is above 80 °C", Some(at(1))));
    assert!(step(&mut watch, Good(91.0), 4));
    assert_eq!(watch.alarm().unwrap().held, None);
}

#[test]
fn a_restart_does_not_raise_a_second_time_nor_clear() {
    for rule in [high(80.0, 0.0, 0), AlarmRule::new(Condition::Stale { after_ms: 10 })] {
        let mut first = watch(rule.clone());
        step(&mut first, Good(90.0), 1);
        step(&mut first, Time, 100);
        step(&mut first, Ack, 101);
        let stored = first.alarm().cloned();
        assert_eq!(stored.as_ref().map(|a| a.raised), Some(1));
        let mut second = Watch::new(rule, "t".into(), stored, at(1000));
        let doubted = reported(float(90.0), Quality::Uncertain(Why::NotReadYet), 1);
        second.handle_reported(Some(&doubted), at(1000));
        second.handle_timeout(at(2000));
        assert_eq!((word(&second), second.alarm().unwrap().raised), ("acknowledged", 1));
    }
}

#[test]
fn people_are_told_what_cannot_be_done() {
    let mut watch = watch(high(80.0, 0.0, 0));
    assert_eq!(watch.acknowledge(anna(), at(1)), Err(NotDone::NeverRaised));
    assert_eq!(watch.unshelve(), Err(NotDone::NotShelved));
    assert_eq!(watch.shelve(at(1), anna(), at(1)), Err(NotDone::Time));
    assert_eq!(watch.shelve(at(i64::MAX), anna(), at(-5)), Err(NotDone::Time));
    let talker = Person { by: "anna".into(), comment: Some("a".repeat(1025)) };
    assert_eq!(watch.shelve(at(9), talker, at(1)), Err(NotDone::TooLong));
    step(&mut watch, Good(90.0), 1);
    assert_eq!(watch.acknowledge(anna(), at(2)), Ok(true));
    assert_eq!(watch.acknowledge(Person { by: "bert".into(), comment: None }, at(3)), Ok(false));
    assert_eq!(watch.alarm().unwrap().acknowledged.as_ref().unwrap().by, "anna");
}

#[test]
fn a_changed_rule_is_judged_anew_and_keeps_what_people_did() {
    let mut watch = watch(high(80.0, 0.0, 0));
    step(&mut watch, Good(90.0), 1);
    step(&mut watch, Ack, 2);
    assert!(watch.set_rule(AlarmRule { severity: Severity::Critical, ..high(80.0, 0.0, 0) }, "hot".into()));
    assert_eq!((word(&watch), watch.alarm().unwrap().severity), ("acknowledged", Severity::Critical));
    assert!(!watch.set_rule(AlarmRule { severity: Severity::Critical, ..high(95.0, 0.0, 0) }, "hot".into()));
    step(&mut watch, Good(90.0), 3);
    assert_eq!(word(&watch), "cleared");
}

fn any_rule() -> impl Strategy<Value = AlarmRule> {
    let condition = prop_oneof![
        (0.0..6.0, 0.0..3.0).prop_map(|(limit, hysteresis)| Condition::High { limit, hysteresis }),
        (0.0..6.0, 0.0..3.0).prop_map(|(limit, hysteresis)| Condition::Low { limit, hysteresis }),
        (0i32..6).prop_map(|v| Condition::Equals { value: float(f64::from(v)) }),
        (1u64..20).prop_map(|after_ms| Condition::Stale { after_ms }),
    ];
    (condition, prop_oneof![Just(0u64), 1u64..20])
        .prop_map(|(condition, delay_ms)| AlarmRule { delay_ms, ..AlarmRule::new(condition) })
}

#[derive(Debug, Clone)]
enum Event {
    Value(i32, bool),
    Time,
    Ack,
    Shelve(i64),
    Unshelve,
    Restart,
}

fn any_event() -> impl Strategy<Value = (i64, Event)> {
    let event = prop_oneof![
        4 => (0i32..7, proptest::bool::weighted(0.7)).prop_map(|(value, good)| Event::Value(value, good)),
        4 => Just(Event::Time),
        1 => Just(Event::Ack),
        1 => (1i64..30).prop_map(Event::Shelve),
        1 => Just(Event::Unshelve),
        1 => Just(Event::Restart),
    ];
    (0i64..8, event)
}

proptest! {
    #[test]
    fn whatever_happens_the_machine_keeps_its_word(rule in any_rule(), events in proptest::collection::vec(any_event(), 0..60)) {
        let mut watch = watch(rule.clone());
        let mut now = 0;
        let mut last: Option<Reported> = None;
        for (wait, event) in events {
            now += wait;
            let before = watch.alarm().cloned();
            let changed = match event {
                Event::Value(value, good) => {
                    let quality = if good { Quality::Good } else { Quality::Bad(Why::PointRefused) };
                    let next = reported(float(f64::from(value)), quality, now);
                    let changed = watch.handle_reported(Some(&next), at(now));
                    if !good && !matches!(rule.condition, Condition::Stale { .. }) {
                        prop_assert_eq!(before.as_ref().map(|a| a.active).unwrap_or(false), watch.alarm().is_some_and(|a| a.active), "a bad value decided");
                    }
                    last = Some(next);
                    changed
                }
                Event::Time => watch.handle_timeout(at(now)),
                Event::Ack => watch.acknowledge(anna(), at(now)).unwrap_or(false),
                Event::Shelve(time) => watch.shelve(at(now + time), anna(), at(now)).unwrap(),
                Event::Unshelve => watch.unshelve().unwrap_or(false),
                Event::Restart => {
                    let doubted = last.clone().map(|r| Reported { quality: Quality::Uncertain(Why::NotReadYet), ..r });
                    watch = Watch::new(rule.clone(), watch.message.clone(), before.clone(), at(now));
                    let changed = watch.handle_reported(doubted.as_ref(), at(now));
                    prop_assert_eq!(before.as_ref().map(|a| a.raised), watch.alarm().map(|a| a.raised), "a restart raised");
                    changed
                }
            };
            let after = watch.alarm().cloned();
            prop_assert_eq!(changed, before != after, "it did not say whether it changed");
            // A raise is counted once, and only a raise.
            let (was, is) = (before.as_ref(), after.as_ref());
            let raised = !was.is_some_and(|a| a.active) && is.is_some_and(|a| a.active);
            let count = |a: Option<&Alarm>| a.map_or(0, |a| a.raised);
            if is.is_some() {
                prop_assert_eq!(count(is), count(was) + u64::from(raised));
            }
            if let Some(alarm) = is {
                prop_assert!(alarm.raised_at.is_some() || alarm.shelved.is_some());
                prop_assert_eq!(alarm.raised_at.is_some() && !alarm.active, alarm.cleared_at.is_some());
                prop_assert!(alarm.active || alarm.held.is_none());
                prop_assert!(!raised || alarm.acknowledged.is_none(), "a new raise that somebody knew of before");
            }
            // Time that was told is not asked for again.
            watch.handle_timeout(at(now));
            prop_assert!(watch.poll_timeout().is_none_or(|next| next > at(now)), "it would spin");
        }
    }

    #[test]
    fn a_rule_survives_being_written_and_read(rule in any_rule()) {
        let json = serde_json::to_string(&rule).unwrap();
        prop_assert_eq!(serde_json::from_str::<AlarmRule>(&json).unwrap(), rule);
    }
}
