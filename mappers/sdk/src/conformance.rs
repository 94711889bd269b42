//! What every driver must do, whatever its protocol: run against a simulated device that can be made to misbehave.
//!
//! A new driver implements [`Rig`] for its simulated device and calls [`run_all`] in a test. Every check panics with a
//! sentence that says what does not hold.

use std::time::{Duration, Instant};

use twin_core::Value;

use crate::driver::{Driver, Session};
use crate::fault::{Fault, Verdict};

/// A driver with a simulated device that the suite can control.
pub trait Rig: Send {
    /// The driver under test.
    type Driver: Driver;

    /// The driver.
    fn driver(&self) -> &Self::Driver;
    /// How the simulated device is reached, with a short time-out.
    fn link(&self) -> <Self::Driver as Driver>::Link;
    /// Points that are read, with what they hold now; at least two, which a session may ask for in one request.
    fn readable(&self) -> Vec<(<Self::Driver as Driver>::Point, Value)>;
    /// A point that is not there, though the device answers.
    fn missing(&self) -> <Self::Driver as Driver>::Point;
    /// A point that can be written, and two values for it.
    fn writable(&self) -> (<Self::Driver as Driver>::Point, Value, Value);
    /// A point that can be read but not written.
    fn read_only(&self) -> <Self::Driver as Driver>::Point;
    /// What the device itself holds at the writable point, seen without the driver.
    fn held(&self) -> Value;
    /// From now on the device answers nothing.
    fn die(&mut self);
    /// It answers again.
    fn revive(&mut self);
    /// From now on it answers later than the time-out of the link.
    fn answer_late(&mut self);
    /// Gives the readable points other values.
    fn change(&mut self);
}

/// Runs the whole suite.
///
/// # Panics
/// When the driver does not do what it must.
pub async fn run_all(rig: &mut impl Rig) {
    good_values_are_read(rig).await;
    a_missing_point_does_not_hurt_the_others(rig).await;
    a_write_arrives_and_reads_back(rig).await;
    a_write_to_a_read_only_point_is_refused_for_good(rig).await;
    a_dead_device_is_a_fault_in_time_and_comes_back(rig).await;
    a_late_answer_is_never_taken_for_a_value(rig).await;
    a_read_that_is_dropped_half_way_does_no_harm(rig).await;
    a_session_closes(rig).await;
}

type SessionOf<R> = <<R as Rig>::Driver as Driver>::Session;

async fn connect<R: Rig>(rig: &R) -> SessionOf<R> {
    match rig.driver().connect(&rig.link()).await {
        Ok(session) => session,
        Err(fault) => panic!("a device that answers must be reached: {fault}"),
    }
}

async fn assert_good<R: Rig>(rig: &R, session: &mut SessionOf<R>) {
    let (points, values): (Vec<_>, Vec<_>) = rig.readable().into_iter().unzip();
    let samples = match session.read(&points).await {
        Ok(samples) => samples,
        Err(fault) => panic!("points that are there must be read: {fault}"),
    };
    assert_eq!(samples.len(), points.len(), "there must be one sample for each point");
    for ((sample, point), value) in samples.iter().zip(&points).zip(values) {
        assert!(sample.point == point, "samples must come in the order of the points");
        assert_eq!(sample.value, Ok(value), "{point:?} must give its value");
    }
}

/// Values are read as they are, in the order asked for.
pub async fn good_values_are_read(rig: &mut impl Rig) {
    let mut session = connect(rig).await;
    assert_good(rig, &mut session).await;
    rig.change();
    assert_good(rig, &mut session).await;
    session.close().await;
}

/// A point that is refused gets a fault of its own, the others their values; again and again.
pub async fn a_missing_point_does_not_hurt_the_others(rig: &mut impl Rig) {
    let mut session = connect(rig).await;
    let (mut points, values): (Vec<_>, Vec<_>) = rig.readable().into_iter().unzip();
    points.insert(1, rig.missing());
    for _ in 0..3 {
        let samples = match session.read(&points).await {
            Ok(samples) => samples,
            Err(fault) => panic!("one refused point must not fail the reading: {fault}"),
        };
        let mut found: Vec<_> = samples.into_iter().map(|sample| sample.value).collect();
        let refused = found.remove(1);
        assert!(
            refused.as_ref().is_err_and(|fault| fault.verdict() == Verdict::GiveUpOnPoint),
            "a point that is not there must be given up, not {refused:?}"
        );
        assert_eq!(
            found,
            values.iter().cloned().map(Ok).collect::<Vec<_>>(),
            "the other points must be read"
        );
    }
    session.close().await;
}

/// A written value is in the device, and reads back.
pub async fn a_write_arrives_and_reads_back(rig: &mut impl Rig) {
    let mut session = connect(rig).await;
    let (point, first, second) = rig.writable();
    for value in [first, second] {
        if let Err(fault) = session.write(&point, &value).await {
            panic!("a value that fits must be written: {fault}");
        }
        assert_eq!(rig.held(), value, "the device must hold what was written");
        match session.read(std::slice::from_ref(&point)).await {
            Ok(samples) => assert_eq!(samples[0].value, Ok(value), "a written value must read back"),
            Err(fault) => panic!("a written point must read back: {fault}"),
        }
    }
    session.close().await;
}

/// A write that cannot be is refused with a reason, and the session goes on.
pub async fn a_write_to_a_read_only_point_is_refused_for_good(rig: &mut impl Rig) {
    let mut session = connect(rig).await;
    let (_, value, _) = rig.writable();
    match session.write(&rig.read_only(), &value).await {
        Ok(()) => panic!("a write to a point that is read only must be refused"),
        Err(fault) => {
            assert_eq!(fault.verdict(), Verdict::GiveUpOnPoint, "{fault}");
            assert!(!fault.to_string().is_empty(), "a refusal must say why");
        }
    }
    assert_good(rig, &mut session).await;
    session.close().await;
}

/// Silence is a fault of the link within a bounded time; when the device is back, so are its values.
pub async fn a_dead_device_is_a_fault_in_time_and_comes_back(rig: &mut impl Rig) {
    let mut session = connect(rig).await;
    assert_good(rig, &mut session).await;
    rig.die();
    let begun = Instant::now();
    let fault = fault_of(rig, &mut session).await;
    assert_eq!(fault.verdict(), Verdict::Reconnect, "silence must break the session: {fault}");
    assert!(begun.elapsed() < Duration::from_secs(30), "a fault must come within the time-outs of the link");
    session.close().await;
    rig.revive();
    let mut session = connect(rig).await;
    assert_good(rig, &mut session).await;
    session.close().await;
}

/// An answer that comes after its time-out is not taken for the answer to something else.
pub async fn a_late_answer_is_never_taken_for_a_value(rig: &mut impl Rig) {
    let mut session = connect(rig).await;
    rig.answer_late();
    let fault = fault_of(rig, &mut session).await;
    assert_eq!(fault.verdict(), Verdict::Reconnect, "a time-out must break the session: {fault}");
    rig.revive();
    rig.change();
    session.close().await;
    let mut session = connect(rig).await;
    for _ in 0..3 {
        assert_good(rig, &mut session).await;
    }
    session.close().await;
}

/// Dropping a read at any moment, as `select!` does, leaves the session fit for the next.
pub async fn a_read_that_is_dropped_half_way_does_no_harm(rig: &mut impl Rig) {
    let mut session = connect(rig).await;
    let (points, _): (Vec<_>, Vec<_>) = rig.readable().into_iter().unzip();
    for polls in 1..20 {
        {
            let mut reading = std::pin::pin!(session.read(&points));
            for _ in 0..polls {
                if futures_util::poll!(reading.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        rig.change();
        assert_good(rig, &mut session).await;
    }
    session.close().await;
}

/// Closing ends, also while the device does not answer.
pub async fn a_session_closes(rig: &mut impl Rig) {
    let session = connect(rig).await;
    rig.die();
    let closed = tokio::time::timeout(Duration::from_secs(5), session.close()).await;
    assert!(closed.is_ok(), "closing must end within 5 s");
    rig.revive();
}

async fn fault_of<R: Rig>(rig: &R, session: &mut SessionOf<R>) -> Fault {
    let (points, _): (Vec<_>, Vec<_>) = rig.readable().into_iter().unzip();
    match session.read(&points).await {
        Ok(samples) => panic!("a device that does not answer gave {:?}", samples.first().map(|s| &s.value)),
        Err(fault) => fault,
    }
}
