//! What devices tell by themselves.

use futures_util::future::{BoxFuture, FutureExt as _, select_all};

use crate::driver::Driver;
use crate::fault::Fault;
use crate::runtime::clock::Clock;
use crate::runtime::marks::Marks;
use crate::runtime::seat::Seat;

/// Waits for what devices tell by themselves; gives the first that is lost.
pub(super) async fn pushed<D: Driver>(seats: &mut [Seat<D>], news: &Marks, clock: Clock) -> (usize, Fault) {
    if !D::PUSHES {
        return std::future::pending().await;
    }
    loop {
        let waits: Vec<BoxFuture<'_, (usize, Result<_, Fault>)>> = seats
            .iter_mut()
            .enumerate()
            .filter(|(_, seat)| seat.session.is_some())
            .map(|(number, seat)| async move { (number, seat.changed().await) }.boxed())
            .collect();
        if waits.is_empty() {
            return std::future::pending().await;
        }
        let (first, ..) = select_all(waits).await;
        match first {
            (number, Ok(samples)) => {
                seats[number].observe(samples, clock.steady());
                news.mark(seats[number].device.number);
            }
            (number, Err(fault)) => return (number, fault),
        }
    }
}
