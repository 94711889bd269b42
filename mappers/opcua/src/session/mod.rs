//! A device on a server: reads, writes, and is told of changes.

mod call;
mod items;
mod names;
mod places;
mod sample;
mod types;
mod watch;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mapper_sdk::{Fault, Sample, Session, Watch};
use opcua_types::{DataValue, NodeId, QualifiedName, ReadValueId};
use twin_core::Value;

use crate::connection::Connection;
use crate::link::Link;
use crate::point::{NodeName, Point};
use crate::told::Life;
use crate::value::Shape;
use watch::Watching;

/// How often the list of namespaces is read again when nodes are missing.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Sets of points that are read together, of which the plan is kept.
const MOST_PLANS: usize = 4;

/// A connected device.
#[derive(Debug)]
pub struct OpcUaSession {
    connection: Arc<Connection>,
    link: Link,
    watching: Option<Watching>,
    /// The types of nodes that were written.
    shapes: HashMap<NodeId, Shape>,
    /// The names that the server has for the numbers of a node.
    names: HashMap<NodeId, Arc<BTreeMap<i64, String>>>,
    looked_at: Instant,
    plans: Vec<Plan>,
}

/// What is asked for one set of points.
#[derive(Debug)]
struct Plan {
    points: Vec<Point>,
    /// Whether each of them has a node on this server.
    known: Vec<Result<(), Fault>>,
    /// The nodes of those that have.
    nodes: Vec<ReadValueId>,
}

impl OpcUaSession {
    pub(crate) fn new(connection: Arc<Connection>, link: Link) -> Self {
        let (shapes, names) = (HashMap::new(), HashMap::new());
        Self { connection, link, watching: None, shapes, names, looked_at: Instant::now(), plans: Vec::new() }
    }

    /// The node of a point on this server.
    fn node(&self, name: &str) -> Result<NodeId, Fault> {
        let name: NodeName = name.parse().map_err(|fault| Fault::Refused(format!("{fault}")))?;
        let namespaces = self.connection.namespaces();
        name.resolve(namespaces).ok_or_else(|| {
            let own: Vec<&str> = namespaces.iter().skip(1).map(String::as_str).collect();
            Fault::Refused(format!("the server does not have this namespace; it has {}", own.join(", ")))
        })
    }

    fn read_value_id(&self, point: &Point) -> Result<ReadValueId, Fault> {
        Ok(ReadValueId {
            node_id: self.node(&point.node)?,
            attribute_id: point.attribute(),
            index_range: point.range(),
            data_encoding: QualifiedName::null(),
        })
    }

    /// Asks the server for these points, one answer each.
    async fn asked(&mut self, points: &[&Point]) -> Result<Vec<Result<DataValue, Fault>>, Fault> {
        let place = self.planned(points);
        let plan = &self.plans[place];
        let mut answers = self.connection.read(&plan.nodes).await?.into_iter();
        let missing = || Fault::Protocol("an answer is missing".into());
        let answer =
            |known: &Result<(), Fault>| known.clone().and_then(|()| answers.next().ok_or_else(missing));
        Ok(plan.known.iter().map(answer).collect())
    }

    /// The place of the plan for these points, made if there is none.
    fn planned(&mut self, points: &[&Point]) -> usize {
        if let Some(place) = self.plans.iter().position(|plan| plan.points.iter().eq(points.iter().copied()))
        {
            return place;
        }
        if self.plans.len() >= MOST_PLANS {
            self.plans.remove(0);
        }
        let ids: Vec<_> = points.iter().map(|point| self.read_value_id(point)).collect();
        self.plans.push(Plan {
            points: points.iter().copied().cloned().collect(),
            known: ids.iter().map(|id| id.as_ref().map(|_| ()).map_err(Fault::clone)).collect(),
            nodes: ids.into_iter().flatten().collect(),
        });
        self.plans.len() - 1
    }

    /// A node that is missing may be there under another index: namespaces are renumbered when a server changes.
    async fn look_again(&mut self) -> Result<(), Fault> {
        if self.looked_at.elapsed() < LOOK_AGAIN {
            return Ok(());
        }
        self.looked_at = Instant::now();
        if self.connection.namespaces_changed().await? {
            let fault = Fault::Link("the namespaces of the server have changed".into());
            self.connection.end().end(fault.clone());
            return Err(fault);
        }
        Ok(())
    }
}

impl Session for OpcUaSession {
    type Point = Point;

    async fn read<'p>(&mut self, points: &'p [Point]) -> Result<Vec<Sample<'p, Point>>, Fault> {
        if let Some(fault) = self.connection.end().fault() {
            return Err(fault);
        }
        if self.watching.as_ref().is_some_and(|watching| watching.life() == Life::Lost) {
            let fault = Fault::Link("the server tells of nothing any more".into());
            self.connection.end().end(fault.clone());
            return Err(fault);
        }
        let mut values: Vec<Option<Result<DataValue, Fault>>> = match &self.watching {
            Some(watching) => watching.told(points).into_iter().map(|value| value.map(Ok)).collect(),
            None => points.iter().map(|_| None).collect(),
        };
        let open: Vec<usize> = (0..points.len()).filter(|place| values[*place].is_none()).collect();
        if !open.is_empty() {
            let asked: Vec<&Point> = open.iter().map(|place| &points[*place]).collect();
            let versions = self.watching.as_ref().map(|watching| watching.versions(&asked));
            let answers = self.asked(&asked).await?;
            if let (Some(watching), Some(versions)) = (&mut self.watching, versions) {
                watching.handle_read(&asked, &versions, &answers);
            }
            let is_missing = |answer: &Result<DataValue, Fault>| match answer {
                Ok(value) => value.status() == opcua_types::StatusCode::BadNodeIdUnknown,
                Err(_) => true,
            };
            let any_missing = answers.iter().any(is_missing);
            for (place, answer) in open.into_iter().zip(answers) {
                values[place] = Some(answer);
            }
            if any_missing {
                self.look_again().await?;
            }
            self.mend_watch().await?;
        }
        self.learn_types(points, &values).await?;
        let unread = || Err(Fault::Protocol("the point was not read".into()));
        let samples = points.iter().zip(values);
        Ok(samples.map(|(point, value)| self.sample(point, value.unwrap_or_else(unread))).collect())
    }

    async fn write(&mut self, point: &Point, value: &Value) -> Result<(), Fault> {
        if let Some(fault) = self.connection.end().fault() {
            return Err(fault);
        }
        if let Some(method) = &point.method {
            return self.call(&point.node, method, value).await;
        }
        let written = self.write_value(point, value).await;
        if let Some(watching) = &self.watching {
            watching.handle_written(point);
        }
        written
    }

    async fn watch(&mut self, points: &[Watch<Point>]) -> Result<(), Fault> {
        self.watch_points(points).await
    }

    async fn changed(&mut self) -> Result<Sample<'_, Point>, Fault> {
        let Some(watching) = &self.watching else {
            return Err(self.connection.end().ended().await);
        };
        let (place, value) = tokio::select! {
            news = watching.news() => news,
            fault = self.connection.end().ended() => return Err(fault),
            () = watching.lost() => {
                let fault = Fault::Link("the server tells of nothing any more".into());
                self.connection.end().end(fault.clone());
                return Err(fault);
            }
        };
        Ok(self.sample(watching.point(place), Ok(value)))
    }

    async fn close(mut self) {
        let watching = self.watching.take();
        // The driver holds it too, and so does the subscription.
        if Arc::strong_count(&self.connection) <= 2 + usize::from(watching.is_some()) {
            self.connection.close().await;
        } else if let Some(watching) = watching {
            watching.close().await;
        }
    }
}
