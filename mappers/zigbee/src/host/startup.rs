//! How a coordinator is brought up: asked who it is, its network taken up again or formed. Pure: answers go in, steps come out.
//!
//! TI, Z-Stack Monitor and Test API: `SYS_*` for the items, "MT_APP_CONFIG" for the formation, `ZDO_STARTUP_FROM_APP`.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::Ieee;
use crate::bytes::{List, Long};
use crate::host::exchange::Awaited;
use crate::host::saved::{Key, NetworkIds};
use crate::znp::af::Register;
use crate::znp::app_cnf::{MODE_FORM, SetChannel, StartCommissioning};
use crate::znp::sys::{
    GetExtAddr, GetExtAddrAnswer, NvItemInit, NvItemInitAnswer, NvLength, NvLengthAnswer, NvRead,
    NvReadAnswer, NvWriteExt, NvWriteExtAnswer, Ping, ResetReq, Version, VersionAnswer, item,
};
use crate::znp::util::{GetDeviceInfo, GetDeviceInfoAnswer, STATE_COORDINATOR};
use crate::znp::zdo::{ActiveEpReq, ActiveEpRsp, ExtNwkInfo, ExtNwkInfoAnswer, StartupFromApp};
use crate::znp::{Frame, Message as _};

/// Our endpoint, of the home automation profile.
pub const ENDPOINT: u8 = 1;
const HOME_AUTOMATION: u16 = 0x0104;
/// A combined interface. (Home automation profile, table 5.1)
const COMBINED_INTERFACE: u16 = 0x0007;
/// How long forming a network or starting an old one may take.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How long a reset may take.
const RESET_WITHIN: Duration = Duration::from_secs(10);
/// Clears the configuration and the state of the network at the next start. (`ZCD_STARTOPT_CLEAR_CONFIG | _STATE`)
const CLEAR_ALL: u8 = 3;

/// What a network is formed with.
#[derive(Debug, Clone)]
pub struct Formation {
    /// PAN id, extended PAN id and channel.
    pub ids: NetworkIds,
    /// The network key.
    pub key: Key,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// Send this; its answer, or what is waited for after it, goes to [`StartUp::handle_answer`].
    Ask {
        /// The request.
        frame: Frame,
        /// What is waited for after its answer, and how long.
        then: Option<(Awaited, Duration)>,
    },
    /// Find out what is known of the network of this coordinator, for [`StartUp::handle_known`].
    LookUp(Ieee),
    /// It runs.
    Done(Started),
    /// It cannot be.
    Failed(StartFault),
}

/// A coordinator that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Its address.
    pub ieee: Ieee,
    /// Its network.
    pub ids: NetworkIds,
    /// Whether the network has just been formed.
    pub formed: bool,
    /// The date of its firmware, as a number such as 20221226.
    pub firmware: u32,
}

/// Why a coordinator cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartFault {
    /// It said something else than an answer.
    #[error("the coordinator gave a wrong answer while it was started ({0})")]
    WrongAnswer(&'static str),
    /// It said no.
    #[error("the coordinator refused {0} (status {1:#04x})")]
    Refused(&'static str, u8),
    /// Its firmware is too old.
    #[error("the coordinator has the firmware of Z-Stack 1.2: put Z-Stack 3.x.0 on it")]
    TooOld,
    /// It is in another network than the one that is known.
    #[error(
        "the coordinator is in the network {found}, and the devices of this gateway are in {known}: \
         use the coordinator that they joined, or delete the gateway's file of its network to take this one"
    )]
    OtherNetwork {
        /// What it is in.
        found: NetworkIds,
        /// What is in the file.
        known: NetworkIds,
    },
}

#[derive(Clone, PartialEq)]
enum Op {
    Ping,
    Version,
    Address,
    LookUp,
    IsOnANetwork,
    Length(u16, Vec<u8>),
    Make(u16, Vec<u8>),
    Write(u16, Vec<u8>),
    Reset,
    Channels { primary: u8, mask: u32 },
    Form,
    State,
    Start,
    Network,
    Endpoints,
    Register,
}

/// A coordinator on its way up.
pub struct StartUp {
    ops: VecDeque<Op>,
    fresh: Formation,
    known: Option<(NetworkIds, Option<Key>)>,
    ieee: Ieee,
    firmware: u32,
    formed: bool,
    ids: Option<NetworkIds>,
    fault: Option<StartFault>,
}

/// Without what is to be written, the key among it.
impl fmt::Debug for StartUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartUp")
            .field("ieee", &self.ieee)
            .field("left", &self.ops.len())
            .finish_non_exhaustive()
    }
}

impl StartUp {
    /// Begins; `fresh` is what a network is formed with when there is none.
    #[must_use]
    pub fn new(fresh: Formation) -> Self {
        let ops = [Op::Ping, Op::Version, Op::Address, Op::LookUp, Op::IsOnANetwork];
        Self {
            ops: ops.into(),
            fresh,
            known: None,
            ieee: Ieee(0),
            firmware: 0,
            formed: false,
            ids: None,
            fault: None,
        }
    }

    /// The key of the network, where it was formed here.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        if self.formed { self.formation().map(|formation| formation.key) } else { None }
    }

    /// What is known of the network.
    pub fn handle_known(&mut self, known: Option<(NetworkIds, Option<Key>)>) {
        self.known = known;
        self.ops.pop_front();
    }

    /// What is to be done next.
    #[must_use]
    pub fn poll_step(&self) -> Step {
        if let Some(fault) = &self.fault {
            return Step::Failed(fault.clone());
        }
        let Some(op) = self.ops.front() else { return self.done() };
        let ask = |frame| Step::Ask { frame, then: None };
        match op {
            Op::Ping => ask(Ping {}.frame()),
            Op::Version => ask(Version {}.frame()),
            Op::Address => ask(GetExtAddr {}.frame()),
            Op::LookUp => Step::LookUp(self.ieee),
            Op::IsOnANetwork => ask(NvRead { id: item::ON_A_NETWORK, offset: 0 }.frame()),
            Op::Length(id, _) => ask(NvLength { id: *id }.frame()),
            Op::Make(id, value) => {
                let length = u16::try_from(value.len()).unwrap_or(0);
                ask(NvItemInit { id: *id, length, value: List(value.clone()) }.frame())
            }
            Op::Write(id, value) => {
                ask(NvWriteExt { id: *id, offset: 0, value: Long(value.clone()) }.frame())
            }
            Op::Reset => {
                Step::Ask { frame: ResetReq { way: 1 }.frame(), then: Some((Awaited::Reset, RESET_WITHIN)) }
            }
            Op::Channels { primary, mask } => ask(SetChannel { primary: *primary, channels: *mask }.frame()),
            Op::Form => Step::Ask {
                frame: StartCommissioning { mode: MODE_FORM }.frame(),
                then: Some((Awaited::State(STATE_COORDINATOR), START_WITHIN)),
            },
            Op::State => ask(GetDeviceInfo {}.frame()),
            Op::Start => Step::Ask {
                frame: StartupFromApp { delay: 100 }.frame(),
                then: Some((Awaited::State(STATE_COORDINATOR), START_WITHIN)),
            },
            Op::Network => ask(ExtNwkInfo {}.frame()),
            Op::Endpoints => Step::Ask {
                frame: ActiveEpReq { nwk: 0, of: 0 }.frame(),
                then: Some((Awaited::Object { id: 0x85, source: 0 }, RESET_WITHIN)),
            },
            Op::Register => ask(register()),
        }
    }

    /// Takes the answer to the last step, or what was waited for after it.
    pub fn handle_answer(&mut self, frame: &Frame) {
        let Some(op) = self.ops.pop_front() else { return };
        if let Err(fault) = self.answered(op, frame) {
            self.fault = Some(fault);
        }
    }

    fn answered(&mut self, op: Op, frame: &Frame) -> Result<(), StartFault> {
        let status = frame.data.first().copied().unwrap_or(0xFF);
        let done = |what| if status == 0 { Ok(()) } else { Err(StartFault::Refused(what, status)) };
        let wrong = StartFault::WrongAnswer;
        match op {
            Op::Ping | Op::LookUp | Op::Reset | Op::Form | Op::Start => {}
            Op::Version => {
                let version = VersionAnswer::of(frame).ok_or(wrong("version"))?;
                if version.product == 0 {
                    return Err(StartFault::TooOld);
                }
                self.firmware = version.revision;
            }
            Op::Address => self.ieee = GetExtAddrAnswer::of(frame).ok_or(wrong("address"))?.ieee,
            Op::IsOnANetwork => {
                let item = NvReadAnswer::of(frame).ok_or(wrong("item"))?;
                if item.status == 0 && item.value.0 == [1] {
                    self.ops.extend([Op::State, Op::Network, Op::Endpoints]);
                } else {
                    self.plan_formation();
                }
            }
            Op::Length(id, value) => {
                let there = NvLengthAnswer::of(frame).ok_or(wrong("length of an item"))?.length;
                let next = if there == 0 { Op::Make(id, value) } else { Op::Write(id, value) };
                self.ops.push_front(next);
            }
            Op::Make(..) => {
                let made = NvItemInitAnswer::of(frame).ok_or(wrong("new item"))?;
                if made.status != 0 && made.status != 9 {
                    return Err(StartFault::Refused("a new item", made.status));
                }
            }
            Op::Write(..) => {
                NvWriteExtAnswer::of(frame).ok_or(wrong("item"))?;
                done("to write an item")?;
            }
            Op::Channels { .. } => done("the channel")?,
            Op::State => {
                let info = GetDeviceInfoAnswer::of(frame).ok_or(wrong("state"))?;
                if info.state != STATE_COORDINATOR {
                    self.ops.push_front(Op::Start);
                }
            }
            Op::Network => {
                let info = ExtNwkInfoAnswer::of(frame).ok_or(wrong("network"))?;
                let found =
                    NetworkIds { pan_id: info.pan_id, ext_pan_id: info.ext_pan_id, channel: info.channel };
                if let Some((known, _)) = &self.known
                    && !known.is_same_network(&found)
                {
                    return Err(StartFault::OtherNetwork { found, known: known.clone() });
                }
                self.ids = Some(found);
            }
            Op::Endpoints => {
                let active = ActiveEpRsp::of(frame).ok_or(wrong("endpoints"))?;
                if !active.endpoints.0.contains(&ENDPOINT) {
                    self.ops.push_back(Op::Register);
                }
            }
            Op::Register => done("the endpoint")?,
        }
        Ok(())
    }

    /// With what the network is formed: as it was, where that is known.
    fn formation(&self) -> Option<Formation> {
        match &self.known {
            Some((ids, Some(key))) => Some(Formation { ids: ids.clone(), key: key.clone() }),
            Some((_, None)) => None,
            None => Some(self.fresh.clone()),
        }
    }

    fn plan_formation(&mut self) {
        let formation = self.formation().unwrap_or_else(|| self.fresh.clone());
        if self.formation().is_none() {
            // The file has no key: the network of before cannot be made again, and is not known any more.
            self.known = None;
        }
        let (ids, key) = (formation.ids, formation.key);
        let mask = 1u32 << ids.channel;
        let ext = ids.ext_pan_id.to_le_bytes().to_vec();
        self.formed = true;
        self.ops.extend([Op::Length(item::STARTUP_OPTION, vec![CLEAR_ALL]), Op::Reset]);
        let items = [
            (item::STARTUP_OPTION, vec![0]),
            (item::LOGICAL_TYPE, vec![0]),
            (item::ZDO_DIRECT_CB, vec![1]),
            (item::CHANNEL_LIST, mask.to_le_bytes().to_vec()),
            (item::PAN_ID, ids.pan_id.to_le_bytes().to_vec()),
            (item::EXTENDED_PAN_ID, ext.clone()),
            (item::USE_EXT_PAN_ID, ext),
            (item::PRECONFIGURED_KEYS_ENABLE, vec![0]),
            (item::PRECONFIGURED_KEY, key.bytes().to_vec()),
        ];
        self.ops.extend(items.map(|(id, value)| Op::Length(id, value)));
        self.ops.extend([
            Op::Channels { primary: 1, mask },
            Op::Channels { primary: 0, mask: 0 },
            Op::Form,
            Op::State,
            Op::Network,
            Op::Endpoints,
        ]);
    }

    fn done(&self) -> Step {
        match &self.ids {
            Some(ids) => Step::Done(Started {
                ieee: self.ieee,
                ids: ids.clone(),
                formed: self.formed,
                firmware: self.firmware,
            }),
            None => Step::Failed(StartFault::WrongAnswer("network")),
        }
    }
}

fn register() -> Frame {
    let register = Register {
        endpoint: ENDPOINT,
        profile: HOME_AUTOMATION,
        device: COMBINED_INTERFACE,
        version: 0,
        latency: 0,
        inputs: List(Vec::new()),
        outputs: List(vec![crate::zcl::clusters::id::IAS_ZONE]),
    };
    register.frame()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::host::exchange::{Event, Exchange, Token};
    use crate::sim::Mesh;

    fn formation() -> Formation {
        let ids = NetworkIds { pan_id: 0x1A62, ext_pan_id: 0x0102_0304_0506_0708, channel: 15 };
        Formation { ids, key: Key::new([7; 16]) }
    }

    /// Runs a start-up against a simulated coordinator, without a clock.
    fn run(
        mesh: &mut Mesh,
        known: Option<(NetworkIds, Option<Key>)>,
    ) -> Result<(Started, StartUp), StartFault> {
        let mut start_up = StartUp::new(formation());
        let mut exchange = Exchange::default();
        let mut events = VecDeque::new();
        loop {
            let (frame, then) = match start_up.poll_step() {
                Step::Ask { frame, then } => (frame, then),
                Step::LookUp(_) => {
                    start_up.handle_known(known.clone());
                    continue;
                }
                Step::Done(started) => return Ok((started, start_up)),
                Step::Failed(fault) => return Err(fault),
            };
            let wanted = if then.is_some() { Token(2) } else { Token(1) };
            if let Some((awaited, within)) = then {
                exchange.handle_wait(Token(2), awaited, within, mesh.now());
            }
            exchange.handle_request(Token(1), frame, mesh.now());
            let answer = loop {
                while let Some(bytes) = exchange.poll_transmit() {
                    mesh.handle_bytes(&bytes, mesh.now());
                }
                while let Some(frame) = mesh.poll_frame() {
                    exchange.handle_bytes(&frame.encode(), mesh.now());
                }
                events.extend(std::iter::from_fn(|| exchange.poll_event()));
                match events.pop_front() {
                    Some(Event::Answer(token, result)) if token == wanted => break result.unwrap(),
                    Some(_) => {}
                    None => mesh.handle_timeout(mesh.poll_timeout().unwrap()),
                }
            };
            start_up.handle_answer(&answer);
        }
    }

    #[test]
    fn a_new_coordinator_forms_the_network_and_takes_it_up_again_after_a_reset() {
        let mut mesh = Mesh::new(1);
        let (started, first) = run(&mut mesh, None).unwrap();
        assert!(started.formed);
        assert_eq!(started.ids, formation().ids);
        assert_eq!(started.ieee, mesh.ieee());
        assert!(first.key().is_some());
        mesh.reset_coordinator();
        let later = mesh.now() + Duration::from_secs(1);
        mesh.handle_timeout(later);
        let known = Some((started.ids.clone(), Some(Key::new([7; 16]))));
        let (again, second) = run(&mut mesh, known).unwrap();
        assert!(!again.formed);
        assert_eq!(again.ids, started.ids);
        assert!(second.key().is_none());
    }

    #[test]
    fn a_coordinator_of_another_network_is_refused_and_left_as_it_is() {
        let mut mesh = Mesh::new(1);
        run(&mut mesh, None).unwrap();
        let other = NetworkIds { pan_id: 0x2222, ..formation().ids };
        let fault = run(&mut mesh, Some((other, None))).unwrap_err();
        assert!(matches!(fault, StartFault::OtherNetwork { .. }), "{fault}");
        assert!(run(&mut mesh, Some((formation().ids, None))).is_ok());
    }

    #[test]
    fn a_new_coordinator_forms_the_network_that_is_known() {
        let known = NetworkIds { pan_id: 0x3333, ext_pan_id: 9, channel: 20 };
        let (started, _) = run(&mut Mesh::new(2), Some((known.clone(), Some(Key::new([1; 16]))))).unwrap();
        assert_eq!(started.ids, known);
        assert!(started.formed);
    }
}
