//! What a device is told to report: bindings, intervals, and alarms that are enrolled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::peer::{Group, Peer, group_of};
use crate::bytes::Field as _;
use crate::host::{ENDPOINT, Place, Trouble};
use crate::point::{Point, Resolved};
use crate::zcl::clusters::id;
use crate::zcl::global::{self, Reporting};
use crate::zcl::{Message as ZclMessage, Scalar, TypeId, status};
use crate::znp::zdo::{BindReq, BindRsp, LONG_ADDRESS};
use crate::znp::{Message as _, status as znp_status};

/// Attributes that are configured by one message.
const MOST_AT_ONCE: usize = 4;
/// How long one waits before a device is told again what it did not take.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// How long one waits for a device to be heard before one looks at all again.
const LOOK_AFTER: Duration = Duration::from_secs(3_600);
/// The attributes of an alarm that enrolling is about. (8.2.2.2)
const ZONE_STATE: u16 = 0x0000;
const CIE_ADDRESS: u16 = 0x0010;
/// The number that an alarm is given.
const ZONE_ID: u8 = 1;

/// A point that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) point: Point,
    pub(super) resolved: Resolved,
    min: Duration,
    max: Duration,
}

impl Watched {
    pub(super) fn new(point: Point, resolved: Resolved, every: Duration, sleepy: bool) -> Self {
        let usual = match (sleepy, resolved.place.cluster) {
            (_, id::POWER) => 3_600,
            (true, _) => 300,
            (false, _) => 60,
        };
        let longest = Duration::from_secs(64_800);
        let max = resolved.max.unwrap_or_else(|| every.max(Duration::from_secs(usual)).min(longest));
        let min = resolved.min.unwrap_or(Duration::from_secs(1)).min(max);
        Self { point, resolved, min, max }
    }
}

/// Keeps the device configured: one that sleeps is told when it listens, and one that joins again is told again.
pub(super) async fn keep(peer: Arc<Peer>, watched: Arc<Vec<Watched>>, mut done: bool) {
    let registry = Arc::clone(peer.coordinator.registry());
    loop {
        let seen = registry.announced(peer.ieee);
        if !done {
            match configure(&peer, &watched).await {
                Ok(()) => tell_first(&peer, &watched).await,
                Err(trouble) => {
                    tracing::debug!(device = %peer.ieee, %trouble, "its reports are not configured yet");
                    registry.until_heard(peer.ieee, AGAIN_AFTER).await;
                    continue;
                }
            }
        }
        while registry.announced(peer.ieee) == seen {
            registry.until_heard(peer.ieee, LOOK_AFTER).await;
        }
        done = false;
    }
}

/// Asks a device that listens for what it has not told yet, so that nobody has to wait for the first report.
async fn tell_first(peer: &Peer, watched: &[Watched]) {
    let registry = peer.coordinator.registry();
    for (group, places) in Group::of(watched.iter().map(|watched| watched.resolved.place)) {
        let Ok(found) = peer.read(group, &places, true).await else { return };
        for (place, told) in found {
            if let Ok(told) = told {
                registry.handle_told(peer.ieee, place, told, true);
            }
        }
    }
}

/// Tells the device what to report. What it refuses is not a trouble: it is read.
pub(super) async fn configure(peer: &Peer, watched: &[Watched]) -> Result<(), Trouble> {
    let mut groups: BTreeMap<Group, Vec<&Watched>> = BTreeMap::new();
    for one in watched {
        groups.entry(group_of(&one.resolved)).or_default().push(one);
    }
    for (group, members) in groups {
        for one in &members {
            peer.factor(&one.resolved).await?;
        }
        if members.iter().any(|one| one.resolved.notified) {
            enrol(peer, group).await?;
        }
        let mut records: BTreeMap<u16, Reporting> = BTreeMap::new();
        for one in members.iter().filter(|one| !one.resolved.notified) {
            let record = record(peer, one);
            records
                .entry(record.id)
                .and_modify(|other| {
                    other.min = other.min.min(record.min);
                    other.max = other.max.min(record.max);
                })
                .or_insert(record);
        }
        let records: Vec<Reporting> = records.into_values().collect();
        if records.is_empty() || !bind(peer, group).await? {
            continue;
        }
        for chunk in records.chunks(MOST_AT_ONCE) {
            report(peer, group, chunk).await?;
        }
    }
    Ok(())
}

fn record(peer: &Peer, watched: &Watched) -> Reporting {
    let seconds = |time: Duration| u16::try_from(time.as_secs()).unwrap_or(64_800);
    let resolved = &watched.resolved;
    let factor = peer.known_factor(resolved).unwrap_or(1.0);
    Reporting {
        id: resolved.place.attribute,
        kind: resolved.kind,
        min: seconds(watched.min),
        max: seconds(watched.max).max(1),
        change: resolved.raw_change(factor),
    }
}

/// Binds a cluster to us; false when the device does not.
async fn bind(peer: &Peer, group: Group) -> Result<bool, Trouble> {
    let Some(nwk) = peer.coordinator.registry().device(peer.ieee).and_then(|device| device.nwk) else {
        return Err(Trouble::NotDelivered(znp_status::NO_ROUTE));
    };
    let request = BindReq {
        nwk,
        source: peer.ieee,
        endpoint: group.endpoint,
        cluster: group.cluster,
        mode: LONG_ADDRESS,
        to: peer.coordinator.started().ieee,
        to_endpoint: ENDPOINT,
    };
    // A parent keeps a message for a device that sleeps for some seconds, and nobody says whether it was fetched.
    let within = peer.patience.map_or(peer.within(), |patience| patience.max(peer.within()));
    let answer = peer.coordinator.ask_device(nwk, request.frame(), BindRsp::ID, within).await?;
    let bound = BindRsp::of(&answer).is_some_and(|answer| answer.status == 0);
    if !bound {
        tracing::debug!(device = %peer.ieee, cluster = group.cluster, "the device does not bind; it is read instead");
    }
    Ok(bound)
}

async fn report(peer: &Peer, group: Group, records: &[Reporting]) -> Result<(), Trouble> {
    let mut payload = Vec::new();
    for record in records {
        record.put(&mut payload);
    }
    let message = |sequence| ZclMessage::global(sequence, global::CONFIGURE_REPORTING, payload.clone());
    let answer = peer.talk(group, true, message).await?;
    let is_answer = answer.header.command == global::CONFIGURE_REPORTING_RESPONSE;
    let refused = if is_answer { global::configure_response(&answer.payload) } else { None };
    for record in records {
        let refused = match &refused {
            Some(refused) => refused.iter().any(|(id, _)| *id == record.id || *id == u16::MAX),
            None => true,
        };
        let Group { endpoint, cluster, manufacturer } = group;
        let place = Place { endpoint, cluster, manufacturer, attribute: record.id };
        let max = Duration::from_secs(u64::from(record.max));
        peer.set_reported(place, (!refused).then_some(max));
        if refused {
            tracing::debug!(device = %peer.ieee, cluster, attribute = record.id, "the device does not report it; it is read instead");
        }
    }
    Ok(())
}

/// Makes an alarm tell us of its status. (8.2.2.2.3)
async fn enrol(peer: &Peer, group: Group) -> Result<(), Trouble> {
    let mut own = Vec::new();
    peer.coordinator.started().ieee.put(&mut own);
    let place = |attribute| Place {
        endpoint: group.endpoint,
        cluster: group.cluster,
        manufacturer: group.manufacturer,
        attribute,
    };
    let found = peer.read(group, &[place(ZONE_STATE), place(CIE_ADDRESS)], true).await?;
    let holds = |attribute, value: &Scalar| {
        found.get(&place(attribute)).is_some_and(|told| told.as_ref().is_ok_and(|told| told.value == *value))
    };
    if holds(ZONE_STATE, &Scalar::Unsigned(1)) && holds(CIE_ADDRESS, &Scalar::Bytes(own.clone())) {
        return Ok(());
    }
    let mut payload = Vec::new();
    let attribute = global::Attribute { id: CIE_ADDRESS, kind: TypeId::IEEE, value: Scalar::Bytes(own) };
    attribute.put(&mut payload);
    peer.talk(group, true, |sequence| ZclMessage::global(sequence, global::WRITE, payload.clone())).await?;
    let accept = |sequence| ZclMessage::specific(sequence, 0x00, vec![status::SUCCESS, ZONE_ID]);
    peer.talk(group, true, accept).await?;
    Ok(())
}
