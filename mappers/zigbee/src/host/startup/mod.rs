//! How a coordinator is brought up: asked who it is, its network taken up again or formed. Pure: answers go in, steps come out.
//!
//! TI, Z-Stack Monitor and Test API: `SYS_*` for the items, "MT_APP_CONFIG" for the formation, `ZDO_STARTUP_FROM_APP`.

mod step;

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

pub use step::{Formation, StartFault, Started, Step};

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
mod tests;
