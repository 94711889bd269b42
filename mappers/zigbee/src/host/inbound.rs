//! What the coordinator tells by itself: who joined and left, what devices report, and what they are answered.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::Ieee;
use crate::bytes::{List, Reader};
use crate::host::registry::{Place, Registry, Told};
use crate::zcl::clusters::id;
use crate::zcl::{Direction, Message as ZclMessage, Scalar, TypeId, global, status};
use crate::znp::af::{DataRequest, IncomingMsg, RADIUS};
use crate::znp::sys::ResetInd;
use crate::znp::zdo::{EndDeviceAnnceInd, IeeeAddrReq, IeeeAddrRsp, LeaveInd, NwkAddrRsp, TcDeviceInd};
use crate::znp::{Frame, Message as _};

/// How long nobody is asked again who has a short address.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Short addresses of which nobody knows whose they are.
const MOST_STRANGERS: usize = 64;
/// The attribute with the status of a zone.
const ZONE_STATUS: u16 = 0x0002;
/// The number that an alarm is given; all are told apart by their addresses.
pub(super) const ZONE_ID: u8 = 1;

/// Takes indications; pure but for what it puts into the registry.
#[derive(Debug, Default)]
pub struct Inbound {
    strangers: BTreeMap<u16, Instant>,
}

impl Inbound {
    /// Takes one; gives the frames that it is answered with, which nobody waits for.
    pub fn handle(&mut self, registry: &Registry, frame: &Frame, now: Instant) -> Vec<Frame> {
        if let Some(message) = IncomingMsg::of(frame) {
            let Some(ieee) = registry.by_nwk(message.nwk) else {
                return self.ask_for(message.nwk, now).into_iter().collect();
            };
            return heard(registry, ieee, &message, now).into_iter().collect();
        }
        if let Some(joined) = EndDeviceAnnceInd::of(frame) {
            tracing::info!(device = %joined.ieee, "a ZigBee device has joined");
            self.strangers.remove(&joined.nwk);
            registry.update(joined.ieee, |device| {
                device.nwk = Some(joined.nwk);
                device.sleepy = Some(joined.capabilities & 0x08 == 0);
            });
            registry.handle_announced(joined.ieee, now);
        } else if let Some(joined) = TcDeviceInd::of(frame) {
            registry.update(joined.ieee, |device| device.nwk = Some(joined.nwk));
        } else if let Some(left) = LeaveInd::of(frame) {
            if left.rejoin == 0 && registry.device(left.ieee).is_some() {
                tracing::warn!(device = %left.ieee, "a ZigBee device has left");
                registry.update(left.ieee, |device| device.nwk = None);
            }
        } else if let Some(found) = IeeeAddrRsp::of(frame).filter(|found| found.status == 0) {
            self.strangers.remove(&found.nwk);
            registry.update(found.ieee, |device| device.nwk = Some(found.nwk));
        } else if let Some(found) = NwkAddrRsp::of(frame).filter(|found| found.status == 0) {
            registry.update(found.ieee, |device| device.nwk = Some(found.nwk));
        }
        Vec::new()
    }

    /// Whether the coordinator has just started by itself, and forgotten that it was running.
    #[must_use]
    pub fn is_reset(frame: &Frame) -> bool {
        ResetInd::of(frame).is_some()
    }

    fn ask_for(&mut self, nwk: u16, now: Instant) -> Option<Frame> {
        self.strangers.retain(|_, at| now.duration_since(*at) < ASK_AGAIN);
        if self.strangers.contains_key(&nwk) || self.strangers.len() >= MOST_STRANGERS {
            return None;
        }
        self.strangers.insert(nwk, now);
        Some(IeeeAddrReq { nwk, kind: 0, start: 0 }.frame())
    }
}

fn heard(registry: &Registry, ieee: Ieee, message: &IncomingMsg, now: Instant) -> Option<Frame> {
    registry.handle_heard(ieee, now);
    let zcl = ZclMessage::decode(&message.data.0)?;
    let header = zcl.header;
    let place = |attribute| Place {
        endpoint: message.from_endpoint,
        cluster: message.cluster,
        manufacturer: header.manufacturer,
        attribute,
    };
    let (from_alarm, to_us) = (message.cluster == id::IAS_ZONE, header.direction == Direction::ToClient);
    let is_report = !header.cluster_specific && header.command == global::REPORT;
    if is_report {
        for attribute in global::attributes(&zcl.payload) {
            let told = Told { kind: attribute.kind, value: attribute.value, at: now };
            registry.handle_told(ieee, place(attribute.id), told, true);
        }
    } else if header.cluster_specific && from_alarm && to_us && header.command == 0x00 {
        let zone = Reader::new(&zcl.payload).get::<u16>()?;
        let value = Scalar::Unsigned(u64::from(zone));
        registry.handle_told(ieee, place(ZONE_STATUS), Told { kind: TypeId::BITMAP16, value, at: now }, true);
    } else if header.cluster_specific && from_alarm && to_us && header.command == 0x01 {
        let mut answer = ZclMessage::specific(header.sequence, 0x00, vec![0, ZONE_ID]);
        answer.header.quiet = true;
        return Some(reply(message, &answer));
    }
    let wants_answer = !header.quiet && message.broadcast == 0 && message.group == 0;
    let is_request = is_report || header.cluster_specific || header.direction == Direction::ToServer;
    let is_default = !header.cluster_specific && header.command == global::DEFAULT_RESPONSE;
    if !wants_answer || !is_request || is_default {
        return None;
    }
    let code = if to_us { status::SUCCESS } else { status::UNSUPPORTED_CLUSTER };
    let mut answer =
        ZclMessage::global(header.sequence, global::DEFAULT_RESPONSE, vec![header.command, code]);
    answer.header.manufacturer = header.manufacturer;
    answer.header.direction = if to_us { Direction::ToServer } else { Direction::ToClient };
    Some(reply(message, &answer))
}

/// A message back to where one came from; its number is one that no request has.
fn reply(to: &IncomingMsg, answer: &ZclMessage) -> Frame {
    let request = DataRequest {
        nwk: to.nwk,
        to_endpoint: to.from_endpoint,
        from_endpoint: to.to_endpoint,
        cluster: to.cluster,
        transaction: 0,
        options: 0,
        radius: RADIUS,
        data: List(answer.encode()),
    };
    request.frame()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::saved::{NetworkIds, Saved};

    fn registry() -> Registry {
        let registry = Registry::default();
        let ids = NetworkIds { pan_id: 1, ext_pan_id: 2, channel: 15 };
        registry.adopt(Saved { coordinator: Ieee(1), ids, key: None, devices: [].into() });
        registry
    }

    fn message(nwk: u16, cluster: u16, data: Vec<u8>) -> Frame {
        IncomingMsg {
            group: 0,
            cluster,
            nwk,
            from_endpoint: 1,
            to_endpoint: 1,
            broadcast: 0,
            lqi: 100,
            secured: 0,
            timestamp: 0,
            sequence: 0,
            data: List(data),
        }
        .frame()
    }

    #[tokio::test]
    async fn a_report_reaches_the_listener_and_is_acknowledged_when_that_is_wanted() {
        let (registry, mut inbound, now) = (registry(), Inbound::default(), Instant::now());
        registry.update(Ieee(7), |device| device.nwk = Some(0x1234));
        let ear = registry.listen(Ieee(7));
        let report = [0x08, 9, 0x0A, 0, 0, 0x29, 0x66, 0x08];
        let answers = inbound.handle(&registry, &message(0x1234, id::TEMPERATURE, report.to_vec()), now);
        let (place, told) = ear.next().await;
        assert_eq!((place.cluster, place.attribute), (id::TEMPERATURE, 0));
        assert_eq!(told.value, Scalar::Signed(2150));
        let request = DataRequest::of(&answers[0]).unwrap();
        assert_eq!(request.data.0, [0x10, 9, 0x0B, 0x0A, 0]);
        let quiet = [0x18, 9, 0x0A, 0, 0, 0x29, 0x66, 0x08];
        assert!(inbound.handle(&registry, &message(0x1234, id::TEMPERATURE, quiet.to_vec()), now).is_empty());
    }

    #[tokio::test]
    async fn a_stranger_is_asked_for_once_and_then_known() {
        let (registry, mut inbound, now) = (registry(), Inbound::default(), Instant::now());
        let frame = message(0x4321, id::TEMPERATURE, vec![0x18, 1, 0x0A]);
        assert_eq!(inbound.handle(&registry, &frame, now).len(), 1);
        assert!(inbound.handle(&registry, &frame, now).is_empty());
        let answer = IeeeAddrRsp { status: 0, ieee: Ieee(9), nwk: 0x4321 }.frame();
        inbound.handle(&registry, &answer, now);
        assert_eq!(registry.by_nwk(0x4321), Some(Ieee(9)));
    }

    #[tokio::test]
    async fn an_alarm_that_asks_to_be_taken_is_taken() {
        let (registry, mut inbound, now) = (registry(), Inbound::default(), Instant::now());
        registry.update(Ieee(7), |device| device.nwk = Some(5));
        let answers =
            inbound.handle(&registry, &message(5, id::IAS_ZONE, vec![0x09, 3, 1, 0x15, 0, 0, 0]), now);
        assert_eq!(DataRequest::of(&answers[0]).unwrap().data.0, [0x11, 3, 0, 0, ZONE_ID]);
    }
}
