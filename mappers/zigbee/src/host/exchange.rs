//! Requests and answers over the link: one request at a time, and who waits for what. Pure: bytes and the time go in,
//! bytes and events come out.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Ieee;
use crate::bytes::{Field as _, Reader};
use crate::zcl::Message as ZclMessage;
use crate::znp::af::{DataConfirm, IncomingMsg};
use crate::znp::sys::ResetInd;
use crate::znp::zdo::{NwkAddrRsp, StateChangeInd};
use crate::znp::{Decoder, Frame, Kind, Message as _, Subsystem};

/// How long the coordinator may take to answer a request at once. A stick writes its flash meanwhile.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(6);
/// Requests that wait for the one before them.
const MOST_QUEUED: usize = 256;
/// What is waited for at a time.
const MOST_WAITERS: usize = 512;

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A message that comes some time after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// The answer of a device's objects, by its command and the short address of the device.
    Object {
        /// The command.
        id: u8,
        /// Who answers.
        source: u16,
    },
    /// Which short address a device has.
    Address(Ieee),
    /// What became of a message.
    Confirm {
        /// The number of the message.
        transaction: u8,
    },
    /// The answer to a message.
    Reply {
        /// Who answers.
        nwk: u16,
        /// Its endpoint.
        endpoint: u8,
        /// The cluster.
        cluster: u16,
        /// The number of the message.
        sequence: u8,
    },
    /// The coordinator has this state.
    State(u8),
    /// The coordinator has started again.
    Reset,
}

impl Awaited {
    fn is(&self, frame: &Frame) -> bool {
        match self {
            Self::Object { id, source } => {
                let from = u16::take(&mut Reader::new(&frame.data));
                frame.subsystem == Subsystem::Zdo && frame.id == *id && from == Some(*source)
            }
            Self::Address(ieee) => NwkAddrRsp::of(frame).is_some_and(|answer| answer.ieee == *ieee),
            Self::Confirm { transaction } => {
                DataConfirm::of(frame).is_some_and(|confirm| confirm.transaction == *transaction)
            }
            Self::Reply { nwk, endpoint, cluster, sequence } => {
                IncomingMsg::of(frame).is_some_and(|message| {
                    let same =
                        (message.nwk, message.from_endpoint, message.cluster) == (*nwk, *endpoint, *cluster);
                    same && ZclMessage::decode(&message.data.0)
                        .is_some_and(|reply| reply.header.sequence == *sequence && is_reply(&reply))
                })
            }
            Self::State(state) => StateChangeInd::of(frame).is_some_and(|ind| ind.state == *state),
            Self::Reset => ResetInd::of(frame).is_some(),
        }
    }
}

/// Devices number their own messages too: a report is never an answer.
fn is_reply(message: &ZclMessage) -> bool {
    use crate::zcl::global::{READ, REPORT, WRITE};
    message.header.cluster_specific || ![REPORT, READ, WRITE].contains(&message.header.command)
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It did not come in time.
    TimedOut,
    /// There is too much on the way already.
    TooMuch,
    /// The coordinator's firmware does not have the command.
    NotKnown,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The answer to a request, or what was waited for.
    Answer(Token, Result<Frame, Failure>),
    /// A message of the coordinator, whoever waits for it.
    Indication(Frame),
    /// The coordinator did not answer: what comes now may belong to something else, so the link is to be made anew.
    Broken,
}

#[derive(Debug)]
struct Outstanding {
    token: Token,
    subsystem: Subsystem,
    id: u8,
    until: Duration,
}

#[derive(Debug)]
struct Waiter {
    token: Token,
    awaited: Awaited,
    until: Duration,
}

/// The link as the host sees it.
#[derive(Debug, Default)]
pub struct Exchange {
    decoder: Decoder,
    queue: VecDeque<(Token, Frame)>,
    outstanding: Option<Outstanding>,
    waiters: Vec<Waiter>,
    transmit: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
}

impl Exchange {
    /// Sends a request as soon as those before it are answered; one that nobody answers is sent with them.
    pub fn handle_request(&mut self, token: Token, frame: Frame, now: Duration) {
        if self.queue.len() >= MOST_QUEUED {
            return self.events.push_back(Event::Answer(token, Err(Failure::TooMuch)));
        }
        self.queue.push_back((token, frame));
        self.send_next(now);
    }

    /// Waits for a message.
    pub fn handle_wait(&mut self, token: Token, awaited: Awaited, within: Duration, now: Duration) {
        if self.waiters.len() >= MOST_WAITERS {
            return self.events.push_back(Event::Answer(token, Err(Failure::TooMuch)));
        }
        self.waiters.push(Waiter { token, awaited, until: now + within });
    }

    /// Nobody waits for this any more.
    pub fn handle_cancel(&mut self, token: Token) {
        self.waiters.retain(|waiter| waiter.token != token);
    }

    /// Takes bytes of the coordinator.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Duration) {
        for frame in self.decoder.handle_bytes(bytes) {
            match frame.kind {
                Kind::Srsp => self.answered(frame, now),
                Kind::Areq => self.indicated(frame),
                Kind::Poll | Kind::Sreq => {}
            }
        }
    }

    /// Lets the time pass.
    pub fn handle_timeout(&mut self, now: Duration) {
        if let Some(late) = self.outstanding.take_if(|outstanding| outstanding.until <= now) {
            self.events.push_back(Event::Answer(late.token, Err(Failure::TimedOut)));
            self.events.push_back(Event::Broken);
        }
        let events = &mut self.events;
        self.waiters.retain(|waiter| {
            let waits = waiter.until > now;
            if !waits {
                events.push_back(Event::Answer(waiter.token, Err(Failure::TimedOut)));
            }
            waits
        });
    }

    /// The next bytes for the coordinator.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When something will be too late.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let waiters = self.waiters.iter().map(|waiter| waiter.until);
        waiters.chain(self.outstanding.as_ref().map(|outstanding| outstanding.until)).min()
    }

    fn send_next(&mut self, now: Duration) {
        while self.outstanding.is_none() {
            let Some((token, frame)) = self.queue.pop_front() else { return };
            self.transmit.push_back(frame.encode());
            if frame.kind == Kind::Sreq {
                let (subsystem, id) = (frame.subsystem, frame.id);
                self.outstanding = Some(Outstanding { token, subsystem, id, until: now + ANSWER_WITHIN });
            }
        }
    }

    fn answered(&mut self, frame: Frame, now: Duration) {
        let Some(outstanding) = &self.outstanding else { return };
        let refused = frame.subsystem == Subsystem::RpcError;
        let same = (frame.subsystem, frame.id) == (outstanding.subsystem, outstanding.id);
        if !refused && !same {
            return;
        }
        let token = outstanding.token;
        self.outstanding = None;
        let result = if refused { Err(Failure::NotKnown) } else { Ok(frame) };
        self.events.push_back(Event::Answer(token, result));
        self.send_next(now);
    }

    fn indicated(&mut self, frame: Frame) {
        if let Some(place) = self.waiters.iter().position(|waiter| waiter.awaited.is(&frame)) {
            let waiter = self.waiters.swap_remove(place);
            self.events.push_back(Event::Answer(waiter.token, Ok(frame.clone())));
        }
        self.events.push_back(Event::Indication(frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::znp::sys::{GetExtAddr, GetExtAddrAnswer, Ping, PingAnswer};

    const START: Duration = Duration::ZERO;

    #[test]
    fn a_second_request_waits_for_the_answer_to_the_first() {
        let mut exchange = Exchange::default();
        exchange.handle_request(Token(1), Ping {}.frame(), START);
        exchange.handle_request(Token(2), GetExtAddr {}.frame(), START);
        assert_eq!(exchange.poll_transmit(), Some(Ping {}.frame().encode()));
        assert_eq!(exchange.poll_transmit(), None);
        // An answer to something else is not the answer.
        let other = GetExtAddrAnswer { ieee: Ieee(1) }.frame();
        exchange.handle_bytes(&other.encode(), START);
        assert_eq!(exchange.poll_event(), None);
        let answer = PingAnswer { capabilities: 1 }.frame();
        exchange.handle_bytes(&answer.encode(), START);
        assert_eq!(exchange.poll_event(), Some(Event::Answer(Token(1), Ok(answer))));
        assert_eq!(exchange.poll_transmit(), Some(GetExtAddr {}.frame().encode()));
    }

    #[test]
    fn a_coordinator_that_does_not_answer_breaks_the_link() {
        let mut exchange = Exchange::default();
        exchange.handle_request(Token(1), Ping {}.frame(), START);
        assert_eq!(exchange.poll_timeout(), Some(ANSWER_WITHIN));
        exchange.handle_timeout(ANSWER_WITHIN);
        assert_eq!(exchange.poll_event(), Some(Event::Answer(Token(1), Err(Failure::TimedOut))));
        assert_eq!(exchange.poll_event(), Some(Event::Broken));
    }

    #[test]
    fn what_is_waited_for_comes_once_and_everybody_else_still_sees_it() {
        let mut exchange = Exchange::default();
        let confirm = |transaction| DataConfirm { status: 0, endpoint: 1, transaction }.frame();
        exchange.handle_wait(Token(7), Awaited::Confirm { transaction: 3 }, ANSWER_WITHIN, START);
        exchange.handle_bytes(&confirm(4).encode(), START);
        exchange.handle_bytes(&confirm(3).encode(), START);
        exchange.handle_bytes(&confirm(3).encode(), START);
        let events: Vec<_> = std::iter::from_fn(|| exchange.poll_event()).collect();
        let indicated = |transaction| Event::Indication(confirm(transaction));
        let expected = [indicated(4), Event::Answer(Token(7), Ok(confirm(3))), indicated(3), indicated(3)];
        assert_eq!(events, expected);
        assert_eq!(exchange.poll_timeout(), None);
    }

    #[test]
    fn the_late_answer_to_another_message_and_a_report_are_not_the_answer() {
        let mut exchange = Exchange::default();
        let reply = Awaited::Reply { nwk: 5, endpoint: 1, cluster: 6, sequence: 9 };
        exchange.handle_wait(Token(1), reply, ANSWER_WITHIN, START);
        let said = |nwk, cluster, data: &[u8]| IncomingMsg {
            group: 0,
            cluster,
            nwk,
            from_endpoint: 1,
            to_endpoint: 1,
            broadcast: 0,
            lqi: 0,
            secured: 0,
            timestamp: 0,
            sequence: 0,
            data: crate::bytes::List(data.to_vec()),
        };
        let answer = [0x18, 9, 0x01, 0, 0, 0, 0x10, 1];
        let late = [0x18, 8, 0x01, 0, 0, 0, 0x10, 0];
        let report = [0x18, 9, 0x0A, 0, 0, 0x10, 0];
        for other in [said(5, 6, &late), said(5, 6, &report), said(4, 6, &answer), said(5, 8, &answer)] {
            exchange.handle_bytes(&other.frame().encode(), START);
            assert_eq!(exchange.poll_event(), Some(Event::Indication(other.frame())));
        }
        let right = said(5, 6, &answer).frame();
        exchange.handle_bytes(&right.encode(), START);
        assert_eq!(exchange.poll_event(), Some(Event::Answer(Token(1), Ok(right))));
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut exchange = Exchange::default();
        for n in 0..2_000 {
            exchange.handle_request(Token(n), Ping {}.frame(), START);
            exchange.handle_wait(Token(n), Awaited::Reset, ANSWER_WITHIN, START);
        }
        assert!(exchange.queue.len() <= MOST_QUEUED && exchange.waiters.len() <= MOST_WAITERS);
    }
}
