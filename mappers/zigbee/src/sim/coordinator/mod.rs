//! The coordinator: what it holds, and which of its parts answers a frame of the host.

mod af;
mod nv;
mod sys;
mod zdo;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::Ieee;
use crate::sim::mesh::{Event, Mesh};
use crate::znp::af::Register;
use crate::znp::util::STATE_COORDINATOR;
use crate::znp::zdo::{PermitJoinInd, StateChangeInd};
use crate::znp::{Frame, Kind, Message as _, Subsystem, app_cnf, sys as sys_commands};

/// What a coordinator may do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It says nothing.
    Silent,
    /// All that it says comes so much later.
    Slow(Duration),
    /// It sends half a frame and closes the connection.
    Cut,
    /// It sends noise between its frames.
    Noise,
}

impl Fault {
    pub(super) fn is_silent(self) -> bool {
        self == Self::Silent
    }

    pub(super) fn delay(self) -> Duration {
        match self {
            Self::Slow(time) => time,
            Self::None | Self::Silent | Self::Cut | Self::Noise => Duration::ZERO,
        }
    }
}

/// A network that was formed.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub(super) pan_id: u16,
    pub(super) ext_pan_id: [u8; 8],
    pub(super) channel: u8,
}

/// The coordinator.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) ieee: Ieee,
    pub(super) fault: Fault,
    pub(super) state: u8,
    pub(super) network: Option<Network>,
    items: BTreeMap<u16, Vec<u8>>,
    tables: BTreeMap<(u8, u16, u16), Vec<u8>>,
    endpoints: BTreeMap<u8, Register>,
    groups: BTreeSet<(u8, u16)>,
    open_until: Option<Duration>,
    channels: u32,
}

impl Coordinator {
    pub(super) fn new(ieee: Ieee) -> Self {
        let mut new = Self {
            ieee,
            fault: Fault::None,
            state: 0,
            network: None,
            items: BTreeMap::new(),
            tables: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            groups: BTreeSet::new(),
            open_until: None,
            channels: 0,
        };
        new.factory_items();
        new
    }

    /// Whether the network is up.
    pub(super) fn runs(&self) -> bool {
        self.state == STATE_COORDINATOR
    }

    /// Whether devices may join.
    pub(super) fn is_open(&self, now: Duration) -> bool {
        self.runs() && self.open_until.is_some_and(|until| now < until)
    }
}

impl Mesh {
    pub(super) fn handle_frame(&mut self, frame: &Frame) {
        let at_once = Duration::from_micros(500);
        match frame.kind {
            Kind::Sreq => {
                let answer = match frame.subsystem {
                    Subsystem::Sys => self.coordinator.sys(frame),
                    Subsystem::Util => self.util(frame),
                    Subsystem::Zdo => self.zdo(frame),
                    Subsystem::Af => self.af(frame),
                    Subsystem::AppCnf => self.app_cnf(frame),
                    Subsystem::RpcError
                    | Subsystem::Mac
                    | Subsystem::Nwk
                    | Subsystem::Sapi
                    | Subsystem::Debug
                    | Subsystem::App
                    | Subsystem::GreenPower => None,
                };
                let answer = answer.unwrap_or_else(|| not_known(frame));
                self.tell_host(at_once, answer);
            }
            Kind::Areq => {
                if sys_commands::ResetReq::of(frame).is_some() {
                    self.later(Duration::from_millis(30), Event::Reset);
                }
            }
            Kind::Poll | Kind::Srsp => {}
        }
    }

    fn app_cnf(&mut self, frame: &Frame) -> Option<Frame> {
        if let Some(set) = app_cnf::SetChannel::of(frame) {
            if set.primary == 1 {
                self.coordinator.channels = set.channels;
            }
            return Some(app_cnf::SetChannelAnswer { status: 0 }.frame());
        }
        let start = app_cnf::StartCommissioning::of(frame)?;
        if start.mode == app_cnf::MODE_FORM {
            self.coordinator.form(&mut self.rng);
            self.later(Duration::from_millis(300), Event::Started);
        }
        Some(app_cnf::StartCommissioningAnswer { status: 0 }.frame())
    }

    pub(super) fn started(&mut self) {
        self.coordinator.state = STATE_COORDINATOR;
        self.tell_host(Duration::ZERO, StateChangeInd { state: STATE_COORDINATOR }.frame());
        let done = app_cnf::CommissioningInd { status: 0, mode: 2, left: 0 };
        self.tell_host(Duration::from_millis(5), done.frame());
    }

    pub(super) fn was_reset(&mut self) {
        let was = self.coordinator.network.clone();
        self.coordinator.restart();
        if was.is_some() && self.coordinator.network.is_none() {
            // The key is gone: nobody hears the devices any more.
            for node in &mut self.nodes {
                node.nwk = None;
                node.left();
            }
        }
        let (product, major, minor) = (1, 2, 7);
        let ind = sys_commands::ResetInd { reason: 0, transport: 2, product, major, minor, hardware: 1 };
        self.tell_host(Duration::from_millis(20), ind.frame());
    }

    pub(super) fn permit(&mut self, seconds: u8) {
        let time = Duration::from_secs(u64::from(seconds));
        self.coordinator.open_until = (seconds > 0).then_some(self.now() + time);
        self.tell_host(Duration::from_millis(10), PermitJoinInd { seconds }.frame());
        if seconds > 0 {
            self.later(time, Event::PermitEnds);
            self.invite();
        }
    }

    pub(super) fn permit_ends(&mut self) {
        if self.coordinator.open_until.is_some_and(|until| until <= self.now()) {
            self.coordinator.open_until = None;
            self.tell_host(Duration::ZERO, PermitJoinInd { seconds: 0 }.frame());
        }
    }
}

/// The answer to what the coordinator does not know. ("Error Response": the command is not there)
fn not_known(frame: &Frame) -> Frame {
    let cmd0 = (frame.kind as u8) << 5 | frame.subsystem as u8;
    Frame { kind: Kind::Srsp, subsystem: Subsystem::RpcError, id: 0, data: vec![2, cmd0, frame.id] }
}
