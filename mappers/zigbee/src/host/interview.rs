//! What a device is: its descriptors, its maker and its model. Pure: answers go in, requests come out.

use std::collections::VecDeque;

use crate::bytes::{List, Reader};
use crate::host::saved::{Device, Endpoint};
use crate::zcl::clusters::id;
use crate::zcl::{Message as ZclMessage, Scalar, global};
use crate::znp::zdo::{ActiveEpReq, ActiveEpRsp, NodeDescReq, NodeDescRsp, SimpleDescReq, SimpleDescRsp};
use crate::znp::{Frame, Message as _};

/// Endpoints that are asked.
const MOST_ENDPOINTS: usize = 32;

/// What a device did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the device does not say {0}")]
pub struct InterviewFault(&'static str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Node,
    Endpoints,
    Simple(u8),
    Basic(u8),
}

/// What is asked next.
#[derive(Debug, PartialEq)]
pub enum Ask {
    /// A request to the device's objects, and the command of the answer.
    Object(Frame, u8),
    /// The maker and the model, at this endpoint.
    Basic(u8, Vec<u8>),
}

/// A device that is being asked.
#[derive(Debug)]
pub struct Interview {
    nwk: u16,
    open: VecDeque<Question>,
    found: Device,
}

impl Interview {
    /// Begins; what is known of the device so far is kept where it is not asked.
    #[must_use]
    pub fn new(nwk: u16, known: Device) -> Self {
        let found = Device { nwk: Some(nwk), endpoints: [].into(), interviewed: false, ..known };
        Self { nwk, open: [Question::Node, Question::Endpoints].into(), found }
    }

    /// What is asked next; none when all is known.
    #[must_use]
    pub fn poll_ask(&self) -> Option<Ask> {
        let (nwk, of) = (self.nwk, self.nwk);
        Some(match *self.open.front()? {
            Question::Node => Ask::Object(NodeDescReq { nwk, of }.frame(), NodeDescRsp::ID),
            Question::Endpoints => Ask::Object(ActiveEpReq { nwk, of }.frame(), ActiveEpRsp::ID),
            Question::Simple(endpoint) => {
                Ask::Object(SimpleDescReq { nwk, of, endpoint }.frame(), SimpleDescRsp::ID)
            }
            Question::Basic(endpoint) => Ask::Basic(endpoint, global::read(&[0x0004, 0x0005])),
        })
    }

    /// Takes the answer of the device's objects.
    ///
    /// # Errors
    /// [`InterviewFault`] when it is not one.
    pub fn handle_object(&mut self, frame: &Frame) -> Result<(), InterviewFault> {
        let Some(question) = self.open.pop_front() else { return Ok(()) };
        match question {
            Question::Node => {
                let answer = NodeDescRsp::of(frame).filter(|answer| answer.status == 0);
                let answer = answer.ok_or(InterviewFault("what kind of node it is"))?;
                self.node(&answer.body.0).ok_or(InterviewFault("what kind of node it is"))?;
            }
            Question::Endpoints => {
                let answer = ActiveEpRsp::of(frame).filter(|answer| answer.status == 0);
                let answer = answer.ok_or(InterviewFault("its endpoints"))?;
                let endpoints =
                    answer.endpoints.0.into_iter().filter(|endpoint| (1..=240).contains(endpoint));
                self.open.extend(endpoints.take(MOST_ENDPOINTS).map(Question::Simple));
            }
            Question::Simple(number) => {
                let answer = SimpleDescRsp::of(frame).filter(|answer| answer.status == 0);
                let answer = answer.ok_or(InterviewFault("what its endpoint is"))?;
                let endpoint = simple(&answer.body.0).ok_or(InterviewFault("what its endpoint is"))?;
                if endpoint.inputs.contains(&id::BASIC) && !self.open.iter().any(is_basic) {
                    self.open.push_back(Question::Basic(number));
                }
                self.found.endpoints.insert(number, endpoint);
            }
            Question::Basic(_) => {}
        }
        self.found.interviewed = self.open.is_empty();
        Ok(())
    }

    /// Takes the answer of the basic cluster; none when there was none, which some devices never give.
    pub fn handle_basic(&mut self, answer: Option<&ZclMessage>) {
        self.open.pop_front();
        self.found.interviewed = self.open.is_empty();
        let Some(answer) = answer.filter(|answer| answer.header.command == global::READ_RESPONSE) else {
            return;
        };
        for record in global::read_response(&answer.payload) {
            let Ok((_, Scalar::Text(text))) = record.result else { continue };
            let text: String = text.chars().take(64).collect();
            if record.id == 0x0004 {
                self.found.manufacturer = text;
            } else {
                self.found.model = text;
            }
        }
    }

    /// What was found out.
    #[must_use]
    pub fn found(&self) -> &Device {
        &self.found
    }

    /// ZigBee specification, 2.3.2.3.
    fn node(&mut self, body: &[u8]) -> Option<()> {
        let mut input = Reader::new(body);
        let [_kind, _flags, capabilities]: [u8; 3] = input.get()?;
        self.found.sleepy = Some(capabilities & 0x08 == 0);
        self.found.manufacturer_code = Some(input.get()?);
        Some(())
    }
}

fn is_basic(question: &Question) -> bool {
    matches!(question, Question::Basic(_))
}

/// ZigBee specification, 2.3.2.5, with its length before it.
fn simple(body: &[u8]) -> Option<Endpoint> {
    let mut input = Reader::new(body);
    let [_length, _endpoint]: [u8; 2] = input.get()?;
    let (profile, device, _version): (u16, u16, u8) = (input.get()?, input.get()?, input.get()?);
    let (inputs, outputs): (List<u16>, List<u16>) = (input.get()?, input.get()?);
    Some(Endpoint { profile, device, inputs: inputs.0, outputs: outputs.0 })
}
