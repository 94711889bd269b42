use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A schedule of devices numbered from 0, at time 0.
fn schedule(devices: &[Vec<Duration>], seed: u64) -> Schedule {
    let mut schedule = Schedule::new(Pauses::default(), seed);
    for (number, periods) in devices.iter().enumerate() {
        schedule.insert(number, periods, at(0));
    }
    schedule
}

/// A lane on simulated time: what is asked takes `answer`, what does not answer takes `time_out`.
struct Lane {
    schedule: Schedule,
    now: Timestamp,
    dead: BTreeSet<usize>,
    answer: Duration,
    time_out: Duration,
    readings: Vec<u64>,
    attempts_at_dead: Vec<Timestamp>,
}

impl Lane {
    fn new(devices: &[Vec<Duration>], answer: Duration, time_out: Duration) -> Self {
        let schedule = schedule(devices, 7);
        let readings = vec![0; devices.len()];
        Self {
            schedule,
            now: at(0),
            dead: BTreeSet::new(),
            answer,
            time_out,
            readings,
            attempts_at_dead: Vec::new(),
        }
    }

    fn run_until(&mut self, end: Timestamp) {
        while self.now < end {
            match self.schedule.poll_job(self.now) {
                Some(Job::Read { device, .. } | Job::Write { device }) if self.dead.contains(&device) => {
                    self.attempts_at_dead.push(self.now);
                    self.now = self.now.after(self.time_out);
                    self.schedule.handle_silence(device, self.now);
                }
                Some(Job::Read { device, .. }) => {
                    self.now = self.now.after(self.answer);
                    self.readings[device] += 1;
                    self.schedule.handle_answer(device, self.now);
                }
                Some(Job::Write { device }) => {
                    self.now = self.now.after(self.answer);
                    self.schedule.handle_answer(device, self.now);
                }
                None => match self.schedule.poll_timeout() {
                    Some(next) => {
                        assert!(next > self.now, "something is due and was not given");
                        self.now = next.min(end);
                    }
                    None => self.now = end,
                },
            }
        }
    }
}

#[test]
fn with_one_dead_device_of_32_on_a_line_the_others_keep_95_percent_of_their_period() {
    let mut lane = Lane::new(&vec![vec![ms(1000)]; 32], ms(20), ms(500));
    lane.dead.insert(13);
    lane.run_until(at(600_000));
    for (device, readings) in lane.readings.iter().enumerate().filter(|(device, _)| *device != 13) {
        assert!(*readings >= 570, "device {device} was read {readings} times in 600 s");
    }
    assert_eq!(lane.readings[13], 0);
    assert!((20..=60).contains(&lane.attempts_at_dead.len()), "{} probes", lane.attempts_at_dead.len());
}

#[test]
fn a_device_that_comes_back_is_read_within_the_longest_pause_and_then_in_its_period() {
    let mut lane = Lane::new(&vec![vec![ms(1000)]; 4], ms(20), ms(500));
    lane.dead.insert(0);
    lane.run_until(at(120_000));
    lane.dead.clear();
    lane.run_until(at(151_000));
    assert!(lane.readings[0] >= 1);
    let before = lane.readings[0];
    lane.run_until(at(161_000));
    assert!(lane.readings[0] - before >= 9);
}

#[test]
fn a_neighbour_that_comes_back_lets_the_others_be_asked_at_once() {
    let mut schedule = schedule(&vec![vec![ms(1000)]; 2], 1);
    for _ in 0..8 {
        schedule.handle_silence(0, at(0));
        schedule.handle_silence(1, at(0));
    }
    assert_eq!(schedule.poll_job(at(1)), None);
    schedule.handle_answer(0, at(1));
    let jobs: Vec<_> = std::iter::from_fn(|| schedule.poll_job(at(1))).collect();
    assert!(jobs.contains(&Job::Read { device: 1, polls: vec![0], probe: true }), "{jobs:?}");
}

#[test]
fn pauses_between_probes_grow_and_are_never_twice_the_same() {
    let mut schedule = schedule(&[vec![ms(1000)]], 3);
    let pauses: Vec<u128> =
        (0..8).map(|_| schedule.handle_silence(0, at(0)).since(at(0)).as_millis()).collect();
    for (pause, longest) in pauses.iter().zip([1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]) {
        assert!((longest / 2..=longest).contains(pause), "{pauses:?}");
    }
    assert_ne!(pauses[6], pauses[7]);
}

#[test]
fn a_write_goes_before_reads_that_are_due() {
    let mut schedule = schedule(&vec![vec![ms(100)]; 3], 1);
    schedule.handle_write_wanted(2, at(0));
    assert_eq!(schedule.poll_job(at(0)), Some(Job::Write { device: 2 }));
    assert!(matches!(schedule.poll_job(at(0)), Some(Job::Read { .. })));
}

#[test]
fn a_flood_of_writes_does_not_stop_the_readings() {
    let mut schedule = schedule(&[vec![ms(100)]], 1);
    let mut reads = 0;
    for now in 0..1000 {
        schedule.handle_write_wanted(0, at(now));
        reads += u32::from(matches!(schedule.poll_job(at(now)), Some(Job::Read { .. })));
    }
    assert!(reads >= 9, "{reads}");
}

#[test]
fn a_write_to_a_device_that_does_not_answer_waits_until_it_does() {
    let mut schedule = schedule(&[vec![ms(1000)]], 1);
    let probe_at = schedule.handle_silence(0, at(0));
    schedule.handle_write_wanted(0, at(0));
    assert_eq!(schedule.poll_job(at(1)), None);
    assert_eq!(schedule.poll_job(probe_at), Some(Job::Read { device: 0, polls: vec![0], probe: true }));
    schedule.handle_answer(0, probe_at);
    assert_eq!(schedule.poll_job(probe_at), Some(Job::Write { device: 0 }));
}

#[test]
fn a_device_that_is_only_written_is_probed_with_the_write() {
    let mut schedule = schedule(&[vec![]], 1);
    let probe_at = schedule.handle_silence(0, at(0));
    assert_eq!(schedule.poll_timeout(), None);
    schedule.handle_write_wanted(0, at(0));
    assert_eq!(schedule.poll_timeout(), Some(probe_at));
    assert_eq!(schedule.poll_job(probe_at), Some(Job::Write { device: 0 }));
}

#[test]
fn polls_of_one_device_whose_periods_are_multiples_fall_together() {
    let mut schedule = schedule(&vec![vec![ms(100), ms(500)]; 3], 1);
    let mut both = 0;
    let mut slow_alone = 0;
    for now in 0..5000 {
        while let Some(Job::Read { polls, .. }) = schedule.poll_job(at(now)) {
            both += u32::from(polls == [0, 1]);
            slow_alone += u32::from(polls == [1]);
        }
    }
    assert_eq!(slow_alone, 0);
    assert!(both >= 3 * 9, "{both}");
}

#[test]
fn the_first_readings_come_at_once_and_the_next_are_spread_over_the_period() {
    let mut schedule = schedule(&vec![vec![ms(1000)]; 10], 1);
    let mut read_at = Vec::new();
    for now in 0..2000 {
        while let Some(Job::Read { .. }) = schedule.poll_job(at(now)) {
            read_at.push(now);
        }
    }
    assert_eq!(read_at.iter().filter(|now| **now == 0).count(), 10);
    let later: BTreeSet<_> = read_at.iter().filter(|now| **now > 0).collect();
    assert_eq!(later.len(), read_at.len() - 10, "two devices share a moment: {read_at:?}");
}

#[test]
fn an_overloaded_lane_serves_equal_devices_equally_and_counts_what_it_left_out() {
    let mut lane = Lane::new(&vec![vec![ms(100)]; 20], ms(20), ms(500));
    lane.run_until(at(60_000));
    let (least, most) = (lane.readings.iter().min().unwrap(), lane.readings.iter().max().unwrap());
    assert!(most - least <= 2, "{:?}", lane.readings);
    assert!(lane.schedule.overruns() > 5_000);
}

#[test]
fn devices_that_come_and_go_change_nothing_for_the_others() {
    let moments = |churn: bool| {
        let mut schedule = schedule(&vec![vec![ms(100)]; 5], 1);
        let mut moments = Vec::new();
        for now in 0..5_000 {
            if churn && now % 70 == 3 {
                schedule.remove(2);
                schedule.remove(7);
                schedule.insert(7, &[ms(10)], at(now));
            }
            while let Some(Job::Read { device, .. }) = schedule.poll_job(at(now)) {
                if ![2, 7].contains(&device) {
                    moments.push((now, device));
                }
            }
        }
        moments
    };
    let sorted = |mut moments: Vec<(i64, usize)>| {
        moments.sort_unstable();
        moments
    };
    assert_eq!(sorted(moments(true)), sorted(moments(false)));
}

proptest! {
    /// Every moment of every grid is either read or counted as left out: nothing is made up for later.
    #[test]
    fn readings_and_overruns_together_are_the_moments_that_passed(
        periods in proptest::collection::vec(10u64..500, 1..8),
        answer in 1u64..100,
    ) {
        let devices: Vec<_> = periods.iter().map(|p| vec![ms(*p)]).collect();
        let mut lane = Lane::new(&devices, ms(answer), ms(500));
        lane.run_until(at(20_000));
        let readings: u64 = lane.readings.iter().sum();
        let moments: u64 = periods.iter().map(|p| 20_000 / p).sum();
        let slack = 3 * periods.len() as u64 + 200 * periods.len() as u64 / periods.iter().min().unwrap();
        let seen = readings + lane.schedule.overruns();
        prop_assert!(seen.abs_diff(moments) <= slack, "{seen} of {moments}");
    }

    #[test]
    fn nothing_is_read_before_it_is_due_nor_more_often_than_its_period(
        period in 10u64..500,
        steps in proptest::collection::vec(0i64..300, 1..200),
    ) {
        let mut schedule = schedule(&[vec![ms(period)]], 1);
        let (mut now, mut reads) = (0, 0u64);
        for step in steps {
            now += step;
            while schedule.poll_job(at(now)).is_some() {
                reads += 1;
            }
            prop_assert!(reads <= u64::try_from(now).unwrap() / period + 1);
            prop_assert!(schedule.poll_timeout().unwrap() > at(now));
        }
    }

    #[test]
    fn no_order_of_events_makes_it_panic_or_forget_a_write(
        events in proptest::collection::vec((0usize..4, 0u8..4, 0i64..2000), 1..100),
    ) {
        let mut schedule = schedule(&vec![vec![ms(100), ms(250)]; 4], 5);
        let mut now = at(0);
        let mut wanted = [false; 4];
        for (device, event, step) in events {
            now = now.after(ms(step.unsigned_abs()));
            match event {
                0 => { schedule.handle_write_wanted(device, now); wanted[device] = true; }
                1 => { schedule.handle_silence(device, now); }
                2 => schedule.handle_answer(device, now),
                _ => if let Some(Job::Write { device }) = schedule.poll_job(now) { wanted[device] = false; }
            }
        }
        for device in 0..4 {
            schedule.handle_answer(device, now);
        }
        while let Some(job) = schedule.poll_job(now) {
            if let Job::Write { device } = job { wanted[device] = false; }
        }
        prop_assert_eq!(wanted, [false; 4]);
    }
}

#[test]
fn a_paused_device_is_due_for_nothing_and_what_it_missed_is_no_overrun() {
    let mut lane = Lane::new(&vec![vec![ms(100)]; 2], ms(1), ms(50));
    lane.run_until(at(1000));
    lane.schedule.set_paused(0, true, lane.now);
    lane.schedule.handle_write_wanted(0, lane.now);
    let before = lane.readings.clone();
    lane.run_until(at(61_000));
    assert_eq!(lane.readings[0], before[0]);
    assert!(lane.readings[1] >= before[1] + 590, "the other goes on");
    lane.schedule.set_paused(0, false, lane.now);
    let due = lane.schedule.poll_timeout().unwrap();
    assert!(due <= lane.now, "it is read at once");
    lane.run_until(at(62_000));
    assert!((9..=12).contains(&(lane.readings[0] - before[0])), "{} readings", lane.readings[0] - before[0]);
    assert_eq!(lane.schedule.overruns(), 0);
}

#[test]
fn a_device_that_was_dead_when_it_was_paused_is_asked_at_once_when_it_is_resumed() {
    let mut lane = Lane::new(&[vec![ms(100)]], ms(1), ms(50));
    lane.dead.insert(0);
    lane.run_until(at(60_000));
    lane.schedule.set_paused(0, true, lane.now);
    assert_eq!(lane.schedule.poll_timeout(), None);
    lane.dead.clear();
    lane.schedule.set_paused(0, false, lane.now);
    assert_eq!(lane.schedule.poll_job(lane.now), Some(Job::Read { device: 0, polls: vec![0], probe: false }));
}
