//! What devices tell by themselves.

use std::collections::BTreeMap;

use futures_util::future::{BoxFuture, FutureExt as _, select_all};

use crate::driver::Driver;
use crate::fault::Fault;
use crate::runtime::lane::Said;
use crate::runtime::seat::Seat;

/// Waits for what a device tells by itself, or for one that is lost.
pub(super) async fn pushed<D: Driver>(
    seats: &mut BTreeMap<usize, Seat<D>>,
) -> (usize, Result<Vec<Said>, Fault>) {
    if !D::PUSHES {
        return std::future::pending().await;
    }
    let waits: Vec<BoxFuture<'_, (usize, Result<_, Fault>)>> = seats
        .iter_mut()
        .filter(|(_, seat)| seat.session.is_some())
        .map(|(number, seat)| async move { (*number, seat.changed().await) }.boxed())
        .collect();
    if waits.is_empty() {
        return std::future::pending().await;
    }
    select_all(waits).await.0
}
