//! A line, one request at a time.
//!
//! A request is noted as unanswered before its first byte goes out, and stays so until its answer has come: through
//! time-outs, garbage, and futures that are dropped half-way. Before a function is asked of a unit that may still answer
//! an older request for the same function, the unit is made to answer a read of another kind: that proves that the old
//! answer has come or never will. Should the unit be dead, that read is the one time-out which asking it costs.

use std::fmt;

use mapper_sdk::Fault;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_modbus::Request;

use crate::bus::{Answer, Terms};
use crate::link::{Framing, Way};
use crate::serial::framing::Piece;
use crate::serial::pdu;
use crate::serial::port::{self, Port};
use crate::serial::suspects::Suspects;

/// How many bytes are taken from the line at once.
const CHUNK: usize = 256;

/// A serial line, or a connection to a serial server.
pub(crate) struct Line {
    framing: Framing,
    way: Way,
    port: Option<Box<dyn Port>>,
    has_answered: bool,
    quiet_from: Instant,
    suspects: Suspects,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("way", &self.way).finish_non_exhaustive()
    }
}

/// What is asked of a unit, ready to be sent.
struct Question {
    unit: u8,
    function: u8,
    /// How many registers or bits a read asks for.
    count: usize,
    body: Vec<u8>,
}

impl Line {
    pub(crate) fn new(framing: Framing, way: Way) -> Self {
        Self {
            framing,
            way,
            port: None,
            has_answered: false,
            quiet_from: Instant::now(),
            suspects: Suspects::default(),
        }
    }

    /// Opens the port or connects, if that has not been done.
    pub(crate) async fn connect(&mut self, terms: Terms) -> Result<(), Fault> {
        if self.port.is_none() {
            self.has_answered = false;
            self.port = Some(port::open(&self.way, terms.timeout).await?);
        }
        Ok(())
    }

    /// Drops the connection.
    pub(crate) fn disconnect(&mut self) {
        self.port = None;
    }

    /// Asks. Should a connection that has worked turn out to be closed, it asks once more on a new one.
    pub(crate) async fn ask(&mut self, terms: Terms, request: &Request<'static>) -> Result<Answer, Fault> {
        let idle = self.port.is_some() && self.has_answered;
        match self.ask_surely(terms, request).await {
            Err(Fault::Link(_)) if idle => self.ask_surely(terms, request).await,
            other => other,
        }
    }

    async fn ask_surely(&mut self, terms: Terms, request: &Request<'static>) -> Result<Answer, Fault> {
        let body = pdu::request(request);
        let body = body.ok_or_else(|| Fault::Protocol("this function is not used on a line".into()))?;
        let question = Question::new(terms.unit, body);
        let now = Instant::now();
        if self.suspects.contains(terms.unit, question.function, now) {
            self.prove(terms, now).await?;
        }
        self.ask_once(terms, &question).await
    }

    /// Makes the unit answer a read of a kind that it was not asked for, so that nothing old is on its way.
    async fn prove(&mut self, terms: Terms, now: Instant) -> Result<(), Fault> {
        let Some(function) = self.suspects.proof(terms.unit, now) else {
            // It owes answers of every kind: listening is all that can be done.
            self.settle(terms, Instant::now() + terms.timeout).await?;
            return Err(Fault::TimedOut(terms.timeout));
        };
        let question = Question::new(terms.unit, vec![function, 0, 0, 0, 1]);
        self.ask_once(terms, &question).await.map(|_| ())
    }

    async fn ask_once(&mut self, terms: Terms, question: &Question) -> Result<Answer, Fault> {
        self.connect(terms).await?;
        self.settle(terms, self.quiet_from).await?;
        let frame = self.framing.wrap(question.unit, &question.body);
        let on_the_line = self.way.line_time(frame.len());
        let sent = Instant::now() + on_the_line;
        self.suspects.handle_sent(question.unit, question.function, terms.timeout, sent);
        self.quiet_from = sent + self.way.silence();
        let until = sent + terms.timeout + self.way.line_time(self.framing.longest());
        let result = match timeout_at(until, self.exchange(&frame, question)).await {
            Ok(result) => result,
            Err(_) => Err(Fault::TimedOut(terms.timeout)),
        };
        self.quiet_from = Instant::now() + terms.pause.max(self.way.silence());
        match &result {
            Ok(_) => self.has_answered = true,
            Err(Fault::Link(_)) => self.port = None,
            Err(_) => {}
        }
        result
    }

    async fn exchange(&mut self, frame: &[u8], question: &Question) -> Result<Answer, Fault> {
        let lost = |error: std::io::Error| Fault::Link(error.to_string());
        let port = self.port.as_mut().ok_or_else(|| Fault::Link("closed".into()))?;
        port.write_all(frame).await.map_err(lost)?;
        port.flush().await.map_err(lost)?;
        let mut bytes = Vec::with_capacity(self.framing.longest());
        loop {
            let mut chunk = [0; CHUNK];
            let len = port.read(&mut chunk).await.map_err(lost)?;
            if len == 0 {
                return Err(Fault::Link("the other side closed the connection".into()));
            }
            bytes.extend_from_slice(&chunk[..len]);
            loop {
                match self.framing.first_answer(&bytes) {
                    Piece::Unfinished => break,
                    Piece::Garbage(why) => return Err(Fault::Protocol(why.into())),
                    Piece::Whole { unit, body, len } => {
                        let function = body.first().map_or(0, |function| function & 0x7F);
                        if !self.suspects.handle_answer(unit, function) {
                            let who = format!("unit {unit} answers what it was not asked");
                            return Err(Fault::Protocol(who));
                        }
                        if (unit, function) != (question.unit, question.function) {
                            // A late answer, to somebody who has given up.
                            bytes.drain(..len);
                            continue;
                        }
                        let answer = pdu::answer(&body, question.count);
                        if len < bytes.len() {
                            return Err(Fault::Protocol("more than one answer".into()));
                        }
                        return answer.ok_or_else(|| Fault::Protocol("not what was asked for".into()));
                    }
                }
            }
        }
    }

    /// Waits until `quiet_from`, and as long as something still comes; what comes is nobody's.
    async fn settle(&mut self, terms: Terms, quiet_from: Instant) -> Result<(), Fault> {
        let latest =
            quiet_from.max(Instant::now()) + terms.timeout + self.way.line_time(self.framing.longest());
        let mut until = quiet_from;
        loop {
            let Some(port) = self.port.as_mut() else { return Ok(()) };
            let mut chunk = [0; CHUNK];
            match timeout_at(until, port.read(&mut chunk)).await {
                Err(_) => return Ok(()),
                Ok(Ok(1..)) if Instant::now() < latest => until = Instant::now() + self.way.silence(),
                Ok(Ok(1..)) => return Err(Fault::Protocol("the line is never silent".into())),
                Ok(Ok(0)) => {
                    self.port = None;
                    return Err(Fault::Link("the other side closed the connection".into()));
                }
                Ok(Err(error)) => {
                    self.port = None;
                    return Err(Fault::Link(error.to_string()));
                }
            }
        }
    }
}

impl Question {
    fn new(unit: u8, body: Vec<u8>) -> Self {
        let count = match body.as_slice() {
            [1..=4, _, _, high, low] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        };
        Self { unit, function: body.first().copied().unwrap_or(0), count, body }
    }
}
