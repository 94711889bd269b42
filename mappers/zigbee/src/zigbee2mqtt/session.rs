//! A device behind a zigbee2mqtt: what it said, and what it is told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mapper_sdk::{Fault, Sample, Session, Watch};
use tokio::sync::Notify;
use tokio::time::Instant;
use twin_core::{Value, Why};

use super::exposes::{Feature, at, message};
use super::hub::Hub;
use super::link::{Link, Point};

/// A device behind a zigbee2mqtt.
pub struct Zigbee2MqttSession {
    hub: Arc<Hub>,
    name: String,
    timeout: Duration,
    bell: Arc<Notify>,
    watched: Vec<Point>,
    /// What was told of each watched point at last.
    told: BTreeMap<Point, Result<Value, Fault>>,
}

impl fmt::Debug for Zigbee2MqttSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zigbee2MqttSession").field("name", &self.name).finish_non_exhaustive()
    }
}

pub(super) async fn connect(hub: Arc<Hub>, link: &Link) -> Result<Zigbee2MqttSession, Fault> {
    let within = link.timeout();
    let up = hub.until(within, |bridge| bridge.is_known() && bridge.is_online() != Some(false)).await;
    if !up {
        let why = if hub.handle.is_connected() {
            format!("zigbee2mqtt does not run, or its base topic is not `{}`", link.base)
        } else {
            format!("the broker {} does not answer", link.broker)
        };
        return Err(Fault::Link(why));
    }
    let name = hub.bridge().name_of(&link.device);
    let name = name.ok_or_else(|| {
        Fault::Denied(format!(
            "zigbee2mqtt has no device `{}`: write its friendly name or its address as zigbee2mqtt shows it",
            link.device
        ))
    })?;
    let bell = hub.bell(&name);
    let session =
        Zigbee2MqttSession { hub, name, timeout: within, bell, watched: Vec::new(), told: BTreeMap::new() };
    session.check()?;
    Ok(session)
}

impl Zigbee2MqttSession {
    /// Whether zigbee2mqtt runs and reaches the device.
    fn check(&self) -> Result<(), Fault> {
        let bridge = self.hub.bridge();
        if !self.hub.handle.is_connected() || !bridge.is_known() {
            return Err(Fault::Link("the broker does not answer".to_owned()));
        }
        if bridge.is_online() == Some(false) {
            return Err(Fault::Link("zigbee2mqtt does not run".to_owned()));
        }
        if bridge.is_available(&self.name) == Some(false) {
            return Err(Fault::Link("zigbee2mqtt says that the device is offline".to_owned()));
        }
        Ok(())
    }

    fn feature(&self, point: &Point) -> Result<Feature, Fault> {
        let found = self.hub.bridge().feature(&self.name, &point.property).cloned();
        let missing = || Fault::Refused(format!("zigbee2mqtt exposes no `{}` of the device", point.property));
        found.ok_or_else(missing)
    }

    /// What was said of a point, and whether nobody knows when.
    fn said(&self, point: &Point) -> (Result<Value, Fault>, Option<Why>) {
        let feature = match self.feature(point) {
            Ok(feature) => feature,
            Err(fault) => return (Err(fault), None),
        };
        let bridge = self.hub.bridge();
        let state = bridge.state(&self.name);
        let Some(json) = state.and_then(|state| at(&state.values, &point.property)) else {
            return (Err(Fault::NotTold("the device has not told it yet".to_owned())), None);
        };
        let old = state.is_some_and(|state| state.retained) && bridge.is_available(&self.name) != Some(true);
        let doubt =
            old.then(|| Why::Other("kept by the broker; the device has not told it since".to_owned()));
        (feature.decode(json), doubt)
    }

    fn sample<'p>(&self, point: &'p Point) -> Sample<'p, Point> {
        let (value, doubt) = self.said(point);
        Sample { doubt, ..Sample::new(point, value) }
    }

    async fn say(&self, what: &str, body: &serde_json::Value) -> Result<(), Fault> {
        let topic = format!("{}/{}/{what}", self.hub.base, self.name);
        let sent = self.hub.handle.publish_acked(&topic, body.to_string(), false).await;
        sent.map_err(|error| Fault::Link(error.to_string()))
    }

    /// Asks for what has never been told, of properties that can be asked for.
    async fn ask(&self, points: &[Point]) -> Result<(), Fault> {
        let open = |point: &&Point| {
            let untold = matches!(self.said(point).0, Err(Fault::NotTold(_)));
            untold && self.feature(point).is_ok_and(|feature| feature.is_readable())
        };
        let open: Vec<&Point> = points.iter().filter(open).collect();
        for point in &open {
            self.say("get", &message(&point.property, "".into())).await?;
        }
        let until = Instant::now() + self.timeout;
        for point in open {
            while matches!(self.said(point).0, Err(Fault::NotTold(_))) {
                let rung = self.bell.notified();
                if !matches!(self.said(point).0, Err(Fault::NotTold(_))) {
                    break;
                }
                if tokio::time::timeout_at(until, rung).await.is_err() {
                    return Err(Fault::TimedOut(self.timeout));
                }
            }
        }
        Ok(())
    }
}

impl Session for Zigbee2MqttSession {
    type Point = Point;

    async fn read<'p>(&mut self, points: &'p [Point]) -> Result<Vec<Sample<'p, Point>>, Fault> {
        self.check()?;
        self.ask(points).await?;
        self.check()?;
        let samples: Vec<_> = points.iter().map(|point| self.sample(point)).collect();
        for sample in &samples {
            if self.told.contains_key(sample.point) {
                self.told.insert(sample.point.clone(), sample.value.clone());
            }
        }
        Ok(samples)
    }

    async fn write(&mut self, point: &Point, value: &Value) -> Result<(), Fault> {
        self.check()?;
        let json = self.feature(point)?.encode(value)?;
        let before = self.hub.bridge().state(&self.name).map_or(0, |state| state.count);
        self.hub.take_failure(&self.name);
        self.say("set", &message(&point.property, json.clone())).await?;
        let until = Instant::now() + self.timeout;
        loop {
            let rung = self.bell.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            if let Some(why) = self.hub.take_failure(&self.name) {
                return Err(Fault::Busy(why));
            }
            let done = {
                let bridge = self.hub.bridge();
                let state = bridge.state(&self.name);
                state.is_some_and(|state| {
                    state.count > before && at(&state.values, &point.property) == Some(&json)
                })
            };
            if done {
                return Ok(());
            }
            self.check()?;
            if tokio::time::timeout_at(until, rung).await.is_err() {
                return Err(Fault::TimedOut(self.timeout));
            }
        }
    }

    async fn watch(&mut self, points: &[Watch<Point>]) -> Result<(), Fault> {
        self.watched = points.iter().map(|watch| watch.point.clone()).collect();
        self.told = self.watched.iter().map(|point| (point.clone(), self.said(point).0)).collect();
        Ok(())
    }

    async fn changed(&mut self) -> Result<Sample<'_, Point>, Fault> {
        loop {
            let bell = Arc::clone(&self.bell);
            let rung = bell.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            self.check()?;
            let moved = self.watched.iter().position(|point| {
                let (now, _) = self.said(point);
                !matches!(now, Err(Fault::NotTold(_))) && self.told.get(point) != Some(&now)
            });
            if let Some(place) = moved {
                let (now, _) = self.said(&self.watched[place]);
                self.told.insert(self.watched[place].clone(), now);
                return Ok(self.sample(&self.watched[place]));
            }
            rung.await;
        }
    }

    async fn close(self) {}
}
