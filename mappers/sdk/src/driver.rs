//! What a protocol brings: a driver that connects, and a session that reads and writes. The runtime asks, they answer.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use config::Check;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use twin_core::{Timestamp, Value, Why};

use crate::breaker::Pauses;
use crate::fault::Fault;

/// Names one physical connection or bus: what shares it is served one after the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneKey(Arc<str>);

impl LaneKey {
    /// The lane with this name, for example `tcp 10.0.0.7:502` or `/dev/ttyS1`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for LaneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A protocol.
pub trait Driver: Send + Sync + 'static {
    /// Its key in the configuration, for example `modbus`.
    const PROTOCOL: &'static str;

    /// Whether its sessions tell of changes by themselves through [`Session::changed`].
    const PUSHES: bool = false;

    /// How long to wait between two attempts at a device that does not answer.
    const PAUSES: Pauses = Pauses::USUAL;

    /// How to reach a device.
    type Link: DeserializeOwned + JsonSchema + Check + Clone + PartialEq + Send + Sync + 'static;

    /// Where a property lives.
    type Point: DeserializeOwned + JsonSchema + Check + Clone + Ord + fmt::Debug + Send + Sync + 'static;

    /// A device that is connected.
    type Session: Session<Point = Self::Point>;

    /// The connection or bus that the link uses. Devices with the same key are never asked at the same time.
    fn lane(&self, link: &Self::Link) -> LaneKey;

    /// Reaches a device; must end by itself within the time-out of the link.
    ///
    /// # Errors
    /// A [`Fault`] when the device cannot be reached.
    fn connect(&self, link: &Self::Link) -> impl Future<Output = Result<Self::Session, Fault>> + Send;
}

/// A connected device. Every call must end by itself within the time-outs of the link. Dropping the future of
/// [`read`](Self::read) or [`changed`](Self::changed) must leave the session such that the next call gives right values.
pub trait Session: Send {
    /// Where a property lives.
    type Point: Send + Sync;

    /// Reads `points`: one sample each, in the same order.
    ///
    /// Of a point that it [watches](Self::watch), a session may answer with what it was last told, but only while it
    /// knows that it would have been told of a change: a subscription that is kept alive, a report that is not overdue.
    /// Otherwise it asks the device, or says that there is no value.
    ///
    /// # Errors
    /// A [`Fault`] when the device as a whole does not answer; what concerns one point is in its sample.
    fn read<'p>(
        &mut self,
        points: &'p [Self::Point],
    ) -> impl Future<Output = Result<Vec<Sample<'p, Self::Point>>, Fault>> + Send;

    /// Writes one point.
    ///
    /// # Errors
    /// A [`Fault`] whose [`verdict`](Fault::verdict) says whether to try again.
    fn write(&mut self, point: &Self::Point, value: &Value)
    -> impl Future<Output = Result<(), Fault>> + Send;

    /// Asks to be told of changes of these points through [`changed`](Self::changed). Called once, right after the
    /// connection was made, when the protocol [pushes](Driver::PUSHES). What cannot be watched is not a fault: it is read.
    ///
    /// # Errors
    /// A [`Fault`] when the device does not answer.
    fn watch(&mut self, points: &[Watch<Self::Point>]) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = points;
        std::future::ready(Ok(()))
    }

    /// The next change that the device tells of; pending for ever where the protocol only answers.
    ///
    /// # Errors
    /// A [`Fault`] when the connection is lost.
    fn changed(&mut self) -> impl Future<Output = Result<Sample<'_, Self::Point>, Fault>> + Send {
        std::future::pending()
    }

    /// Ends the session in the way the protocol wants it.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A point of which changes are to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch<Point> {
    /// The point.
    pub point: Point,
    /// How often it is read as well, and so how old a value may be: the sampling interval of protocols that have one.
    pub every: Duration,
}

/// What a device says of one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'p, Point> {
    /// The point.
    pub point: &'p Point,
    /// Its value, or why there is none.
    pub value: Result<Value, Fault>,
    /// The device's own time of the value, where it has a clock.
    pub source_time: Option<Timestamp>,
    /// Why the value is not quite to be believed, where the device itself says so.
    pub doubt: Option<Why>,
}

impl<'p, Point> Sample<'p, Point> {
    /// A sample of a device without a clock.
    #[must_use]
    pub fn new(point: &'p Point, value: Result<Value, Fault>) -> Self {
        Self { point, value, source_time: None, doubt: None }
    }
}
