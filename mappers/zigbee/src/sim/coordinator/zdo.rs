//! Device objects: of the coordinator itself, and of devices that are asked through it.

use std::time::Duration;

use crate::Ieee;
use crate::bytes::{Field as _, List, Rest};
use crate::sim::mesh::{Event, Mesh, Parcel};
use crate::znp::zdo::{
    ActiveEpReq, ActiveEpReqAnswer, ActiveEpRsp, BindReq, BindReqAnswer, BindRsp, ExtAddGroup,
    ExtAddGroupAnswer, ExtFindGroup, ExtFindGroupAnswer, ExtNwkInfo, ExtNwkInfoAnswer, ExtRouteDisc,
    ExtRouteDiscAnswer, IeeeAddrReq, IeeeAddrReqAnswer, MgmtLeaveReq, MgmtLeaveReqAnswer, MgmtLeaveRsp,
    MgmtLqiReq, MgmtLqiReqAnswer, MgmtLqiRsp, MgmtPermitJoinReq, MgmtPermitJoinReqAnswer, MgmtPermitJoinRsp,
    NodeDescReq, NodeDescReqAnswer, NodeDescRsp, NwkAddrReq, NwkAddrReqAnswer, SimpleDescReq,
    SimpleDescReqAnswer, SimpleDescRsp, StartupFromApp, StartupFromAppAnswer, UnbindReq, UnbindReqAnswer,
    UnbindRsp,
};
use crate::znp::{Frame, Kind, Message, Subsystem};

/// The device has no such endpoint. (ZigBee specification, 2.4.5: `INVALID_EP`)
const INVALID_ENDPOINT: u8 = 0x82;
/// Bytes before the clusters of a simple descriptor: endpoint, profile, device, version.
const BEFORE_CLUSTERS: usize = 6;

impl Mesh {
    pub(super) fn zdo(&mut self, frame: &Frame) -> Option<Frame> {
        if let Some(answer) = self.own_zdo(frame) {
            return Some(answer);
        }
        if let Some(request) = NwkAddrReq::of(frame) {
            self.address(request.ieee.into(), 0x80);
            return Some(NwkAddrReqAnswer { status: 0 }.frame());
        }
        if let Some(request) = IeeeAddrReq::of(frame) {
            self.address(Whose::Nwk(request.nwk), 0x81);
            return Some(IeeeAddrReqAnswer { status: 0 }.frame());
        }
        if let Some(request) = NodeDescReq::of(frame) {
            self.pass_on(request.nwk, frame);
            return Some(NodeDescReqAnswer { status: 0 }.frame());
        }
        if let Some(request) = SimpleDescReq::of(frame) {
            self.pass_on(request.nwk, frame);
            return Some(SimpleDescReqAnswer { status: 0 }.frame());
        }
        if let Some(request) = ActiveEpReq::of(frame) {
            self.pass_on(request.nwk, frame);
            return Some(ActiveEpReqAnswer { status: 0 }.frame());
        }
        if let Some(request) = BindReq::of(frame) {
            self.pass_on(request.nwk, frame);
            return Some(BindReqAnswer { status: 0 }.frame());
        }
        if let Some(request) = UnbindReq::of(frame) {
            self.pass_on(request.nwk, frame);
            return Some(UnbindReqAnswer { status: 0 }.frame());
        }
        if let Some(request) = MgmtLqiReq::of(frame) {
            self.neighbours(request.nwk, request.start);
            return Some(MgmtLqiReqAnswer { status: 0 }.frame());
        }
        let request = MgmtLeaveReq::of(frame)?;
        self.pass_on(request.nwk, frame);
        Some(MgmtLeaveReqAnswer { status: 0 }.frame())
    }

    /// What the coordinator does itself.
    fn own_zdo(&mut self, frame: &Frame) -> Option<Frame> {
        if let Some(request) = MgmtPermitJoinReq::of(frame) {
            if !self.coordinator.runs() {
                return Some(MgmtPermitJoinReqAnswer { status: 1 }.frame());
            }
            self.permit(request.seconds);
            self.tell_host(Duration::from_millis(5), MgmtPermitJoinRsp { source: 0, status: 0 }.frame());
            return Some(MgmtPermitJoinReqAnswer { status: 0 }.frame());
        }
        if StartupFromApp::of(frame).is_some() {
            let known = self.coordinator.network.is_some();
            if known {
                self.later(Duration::from_millis(150), Event::Started);
            }
            return Some(StartupFromAppAnswer { status: u8::from(!known) }.frame());
        }
        if let Some(request) = ExtRouteDisc::of(frame) {
            let now = self.now();
            for node in self.nodes.iter_mut().filter(|node| node.nwk == Some(request.nwk)) {
                node.route_from = node.route_from.min(now);
            }
            return Some(ExtRouteDiscAnswer { status: 0 }.frame());
        }
        if let Some(find) = ExtFindGroup::of(frame) {
            let found = self.coordinator.groups.contains(&(find.endpoint, find.group));
            let answer =
                ExtFindGroupAnswer { status: u8::from(!found), group: find.group, name: List(Vec::new()) };
            return Some(answer.frame());
        }
        if let Some(add) = ExtAddGroup::of(frame) {
            let room = self.coordinator.groups.len() < 64;
            if room {
                self.coordinator.groups.insert((add.endpoint, add.group));
            }
            return Some(ExtAddGroupAnswer { status: u8::from(!room) }.frame());
        }
        ExtNwkInfo::of(frame)?;
        let network = self.coordinator.network.clone();
        let answer = ExtNwkInfoAnswer {
            nwk: if self.coordinator.runs() { 0 } else { 0xFFFE },
            state: self.coordinator.state,
            pan_id: network.as_ref().map_or(0xFFFF, |network| network.pan_id),
            parent: 0,
            ext_pan_id: network.as_ref().map_or(0, |network| u64::from_le_bytes(network.ext_pan_id)),
            parent_ieee: Ieee(0),
            channel: network.as_ref().map_or(0, |network| network.channel),
        };
        Some(answer.frame())
    }

    /// Sends a request on to a device, or answers it when the coordinator itself is meant.
    fn pass_on(&mut self, nwk: u16, frame: &Frame) {
        if nwk == 0 {
            if let Some(answer) = self.coordinator_object(frame) {
                self.tell_host(Duration::from_millis(2), answer);
            }
        } else if self.coordinator.runs() {
            self.post(nwk, Parcel::Object(frame.clone()));
        }
    }

    fn coordinator_object(&self, frame: &Frame) -> Option<Frame> {
        let own = &self.coordinator.endpoints;
        if ActiveEpReq::of(frame).is_some() {
            let endpoints = List(own.keys().copied().collect());
            return Some(ActiveEpRsp { source: 0, status: 0, nwk: 0, endpoints }.frame());
        }
        if NodeDescReq::of(frame).is_some() {
            let body = Rest(node_descriptor(0, 0x8F, 0x0000, 0x41));
            return Some(NodeDescRsp { source: 0, status: 0, nwk: 0, body }.frame());
        }
        if let Some(request) = SimpleDescReq::of(frame) {
            let (status, body) = match own.get(&request.endpoint) {
                Some(made) => {
                    let clusters = (made.inputs.0.as_slice(), made.outputs.0.as_slice());
                    (0, simple_descriptor(made.endpoint, (made.profile, made.device), clusters))
                }
                None => (INVALID_ENDPOINT, vec![0]),
            };
            return Some(SimpleDescRsp { source: 0, status, nwk: 0, body: Rest(body) }.frame());
        }
        BindReq::of(frame).map(|_| BindRsp { source: 0, status: 0 }.frame())
    }

    /// A device answers a request to its device objects.
    pub(in crate::sim) fn object(&mut self, number: usize, frame: &Frame, wait: Duration) {
        let node = &mut self.nodes[number];
        let Some(nwk) = node.nwk else { return };
        let wait = wait + node.fault.delay();
        if node.fault.is_mute() {
            return;
        }
        let answer = if NodeDescReq::of(frame).is_some() {
            let kind = if node.poll_every.is_some() { 2 } else { 1 };
            let body = node_descriptor(kind, node.capabilities(), node.manufacturer_code, 0);
            Some(NodeDescRsp { source: nwk, status: 0, nwk, body: Rest(body) }.frame())
        } else if let Some(request) = SimpleDescReq::of(frame) {
            let (status, body) = if request.endpoint == node.endpoint {
                let inputs = node.clusters();
                (0, simple_descriptor(node.endpoint, (0x0104, node.device_id()), (&inputs, &[0x0019])))
            } else {
                (INVALID_ENDPOINT, vec![0])
            };
            Some(SimpleDescRsp { source: nwk, status, nwk, body: Rest(body) }.frame())
        } else if ActiveEpReq::of(frame).is_some() {
            Some(ActiveEpRsp { source: nwk, status: 0, nwk, endpoints: List(vec![node.endpoint]) }.frame())
        } else if let Some(request) = BindReq::of(frame) {
            let known = request.endpoint == node.endpoint && node.clusters().contains(&request.cluster);
            if known {
                node.bind(request.cluster, request.to_endpoint);
            }
            Some(BindRsp { source: nwk, status: if known { 0 } else { INVALID_ENDPOINT } }.frame())
        } else if let Some(request) = UnbindReq::of(frame) {
            node.unbind(request.cluster);
            Some(UnbindRsp { source: nwk, status: 0 }.frame())
        } else if MgmtLeaveReq::of(frame).is_some() {
            self.tell_host(wait, MgmtLeaveRsp { source: nwk, status: 0 }.frame());
            return self.drop_out(number, wait + Duration::from_millis(20));
        } else {
            None
        };
        if let Some(answer) = answer {
            self.tell_host(wait, answer);
        }
    }

    /// Who has which address: everybody who is awake hears the question, and parents answer for those who sleep.
    fn address(&mut self, whose: Whose, id: u8) {
        let own = match whose {
            Whose::Nwk(nwk) => nwk == 0,
            Whose::Ieee(ieee) => ieee == self.coordinator.ieee,
        };
        let found = self.nodes.iter().find(|node| match whose {
            Whose::Nwk(nwk) => node.nwk == Some(nwk),
            Whose::Ieee(ieee) => node.ieee == ieee && node.nwk.is_some(),
        });
        let found = found.filter(|node| node.is_awake());
        let (ieee, nwk) = match (own, found) {
            (true, _) => (self.coordinator.ieee, 0),
            (false, Some(node)) => (node.ieee, node.nwk.unwrap_or(0xFFFE)),
            (false, None) => return,
        };
        let mut data = vec![0];
        ieee.put(&mut data);
        nwk.put(&mut data);
        data.extend([0, 0]);
        let answer = Frame { kind: Kind::Areq, subsystem: Subsystem::Zdo, id, data };
        self.tell_host(self.air.hop * 4, answer);
    }

    /// The neighbours of the coordinator; devices say nothing of theirs. (ZigBee specification, 2.4.4.3.2)
    fn neighbours(&mut self, nwk: u16, start: u8) {
        if nwk != 0 {
            return;
        }
        let near: Vec<_> = self.nodes.iter().filter(|node| node.nwk.is_some() && node.hops == 1).collect();
        let ext_pan_id = self.coordinator.network.as_ref().map_or([0; 8], |network| network.ext_pan_id);
        let mut rows = Vec::new();
        let mut count = 0u8;
        for node in near.iter().skip(usize::from(start)).take(3) {
            rows.extend(ext_pan_id);
            node.ieee.put(&mut rows);
            node.nwk.unwrap_or(0xFFFE).put(&mut rows);
            let (kind, relation) = if node.poll_every.is_some() { (2, 1) } else { (1, 1) };
            let listens = u8::from(node.poll_every.is_none());
            rows.extend([kind | listens << 2 | relation << 4, 0, 1, 200]);
            count += 1;
        }
        let total = u8::try_from(near.len()).unwrap_or(u8::MAX);
        let answer = MgmtLqiRsp { source: 0, status: 0, total, start, count, rows: Rest(rows) };
        self.tell_host(self.air.hop, answer.frame());
    }
}

/// Whose address is asked for.
#[derive(Clone, Copy)]
enum Whose {
    Nwk(u16),
    Ieee(Ieee),
}

impl From<Ieee> for Whose {
    fn from(ieee: Ieee) -> Self {
        Self::Ieee(ieee)
    }
}

/// ZigBee specification, 2.3.2.3: 2.4 GHz, stack revision 22.
fn node_descriptor(kind: u8, capabilities: u8, manufacturer: u16, server: u16) -> Vec<u8> {
    let mut body = vec![kind, 0x40, capabilities];
    manufacturer.put(&mut body);
    body.push(82);
    128u16.put(&mut body);
    (server | 22 << 9).put(&mut body);
    128u16.put(&mut body);
    body.push(0);
    body
}

/// ZigBee specification, 2.3.2.5, with its length before it.
fn simple_descriptor(
    endpoint: u8,
    (profile, device): (u16, u16),
    (inputs, outputs): (&[u16], &[u16]),
) -> Vec<u8> {
    let length = BEFORE_CLUSTERS + 2 + 2 * (inputs.len() + outputs.len());
    let mut body = vec![u8::try_from(length).unwrap_or(u8::MAX), endpoint];
    profile.put(&mut body);
    device.put(&mut body);
    body.push(0);
    List(inputs.to_vec()).put(&mut body);
    List(outputs.to_vec()).put(&mut body);
    body
}
