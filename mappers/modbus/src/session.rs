//! A device that is connected: reads in the planned requests, writes, and never takes a wrong answer for a value.

use std::sync::Arc;
use std::time::Duration;

use mapper_sdk::{Fault, Sample, Session};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_modbus::{ExceptionCode, Request, Response};
use twin_core::Value;

use crate::bus::{Bus, Terms, exception_fault};
use crate::link::Link;
use crate::plan::{self, Lessons, Rules, Splitter};
use crate::point::{Area, Layout, Point};

/// After this long the device may have been changed: what it refused is tried again.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// Sets of points that are read together, of which the plan is kept.
const MOST_PLANS: usize = 16;

/// A connected Modbus device.
#[derive(Debug)]
pub struct ModbusSession {
    bus: Arc<Mutex<Bus>>,
    terms: Terms,
    rules: Rules,
    plans: Vec<Planned>,
    lessons: Lessons,
    learnt_at: Instant,
    no_mask_write: bool,
    no_single_write: bool,
}

/// The plan for one set of points.
#[derive(Debug)]
struct Planned {
    points: Vec<Point>,
    /// In the order of `points`; what cannot be resolved is refused.
    layouts: Vec<Result<Layout, Fault>>,
    requests: Vec<plan::Request>,
    refused: Vec<usize>,
}

/// What came for the points of one request.
type Samples = Vec<Option<Result<Value, Fault>>>;

impl ModbusSession {
    pub(crate) fn new(bus: Arc<Mutex<Bus>>, link: &Link) -> Self {
        Self {
            bus,
            terms: terms(link),
            rules: Rules::of(link),
            plans: Vec::new(),
            lessons: Lessons::default(),
            learnt_at: Instant::now(),
            no_mask_write: false,
            no_single_write: false,
        }
    }

    /// The place of the plan for `points`, made if there is none.
    fn planned(&mut self, points: &[Point]) -> usize {
        if self.lessons != Lessons::default() && self.learnt_at.elapsed() > FORGET_AFTER {
            self.lessons = Lessons::default();
            self.plans.clear();
        }
        if let Some(found) = self.plans.iter().position(|planned| planned.points == points) {
            return found;
        }
        if self.plans.len() >= MOST_PLANS {
            self.plans.remove(0);
        }
        self.plans.push(Planned::new(points, &self.rules, &self.lessons));
        self.plans.len() - 1
    }

    /// What is in a stretch of a table as it is: registers, or 0 and 1 for bits.
    ///
    /// # Errors
    /// A [`Fault`] when the device does not answer, or refuses.
    pub async fn words(&mut self, area: Area, start: u16, count: u16) -> Result<Vec<u16>, Fault> {
        let start = u32::from(start);
        let span = plan::Span { area, start, end: start + u32::from(count) };
        let bus = Arc::clone(&self.bus);
        let mut bus = bus.lock().await;
        let answer = bus.ask(self.terms, asking_for(&plan::Request { span, members: Vec::new() })).await?;
        let response = answer.map_err(exception_fault)?;
        let mut words = if let Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) = response {
            bits.into_iter().map(u16::from).collect()
        } else if let Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) = response {
            words
        } else {
            Vec::new()
        };
        if words.len() < usize::from(count) {
            return Err(wrong_answer(&mut bus));
        }
        words.truncate(usize::from(count));
        Ok(words)
    }

    async fn write_register(&mut self, bus: &mut Bus, layout: &Layout, value: &Value) -> Result<(), Fault> {
        let registers = layout.codec.encode(value)?;
        let start = layout.start;
        if let Some(mask) = layout.codec.mask() {
            return self.write_part(bus, start, mask, registers.first().copied().unwrap_or(0)).await;
        }
        match registers.as_slice() {
            [one] => self.write_one(bus, start, *one).await,
            many => self.write_many(bus, start, many).await,
        }
    }

    /// Writes one register, as one of several where the device does not know the function for one.
    async fn write_one(&mut self, bus: &mut Bus, start: u16, word: u16) -> Result<(), Fault> {
        if !self.no_single_write {
            let answer = bus.ask(self.terms, Request::WriteSingleRegister(start, word)).await?;
            if answer != Err(ExceptionCode::IllegalFunction) {
                return written(answer, &Response::WriteSingleRegister(start, word));
            }
        }
        let done = self.write_many(bus, start, &[word]).await;
        self.no_single_write |= done.is_ok();
        done
    }

    async fn write_many(&mut self, bus: &mut Bus, start: u16, words: &[u16]) -> Result<(), Fault> {
        let count = u16::try_from(words.len()).unwrap_or(u16::MAX);
        let request = Request::WriteMultipleRegisters(start, words.to_vec().into());
        written(bus.ask(self.terms, request).await?, &Response::WriteMultipleRegisters(start, count))
    }

    /// Writes some bits of a register and leaves their neighbours alone: by a mask write where the device has it, else by reading,
    /// changing and writing the register, which is sound as long as nobody else writes it in between.
    async fn write_part(&mut self, bus: &mut Bus, start: u16, mask: u16, or: u16) -> Result<(), Fault> {
        let and = !mask;
        if !self.no_mask_write {
            let answer = bus.ask(self.terms, Request::MaskWriteRegister(start, and, or)).await?;
            if answer != Err(ExceptionCode::IllegalFunction) {
                return written(answer, &Response::MaskWriteRegister(start, and, or));
            }
            self.no_mask_write = true;
        }
        let now = match bus.ask(self.terms, Request::ReadHoldingRegisters(start, 1)).await? {
            Ok(Response::ReadHoldingRegisters(words)) if words.len() == 1 => words[0],
            Ok(_) => return Err(wrong_answer(bus)),
            Err(code) => return Err(exception_fault(code)),
        };
        self.write_one(bus, start, now & and | or).await
    }
}

impl Session for ModbusSession {
    type Point = Point;

    async fn read<'p>(&mut self, points: &'p [Point]) -> Result<Vec<Sample<'p, Point>>, Fault> {
        let number = self.planned(points);
        let planned = &self.plans[number];
        let mut samples: Samples = planned.prefilled();
        let before = self.lessons.clone();
        let mut splitter = Splitter::new(planned.requests.clone());
        let bus = Arc::clone(&self.bus);
        let mut bus = bus.lock().await;
        while let Some(request) = splitter.poll_request() {
            match bus.ask(self.terms, asking_for(request)).await? {
                Ok(response) => {
                    if !self.plans[number].take(request, &response, &mut samples) {
                        return Err(wrong_answer(&mut bus));
                    }
                    splitter.handle_answered(&mut self.lessons);
                }
                Err(code @ (ExceptionCode::IllegalDataAddress | ExceptionCode::IllegalDataValue)) => {
                    for point in splitter.handle_refused(&mut self.lessons) {
                        samples[point] = Some(Err(exception_fault(code)));
                    }
                }
                Err(code @ (ExceptionCode::GatewayPathUnavailable | ExceptionCode::GatewayTargetDevice)) => {
                    return Err(exception_fault(code));
                }
                Err(code) => {
                    for (_, point) in &request.members {
                        samples[*point] = Some(Err(exception_fault(code)));
                    }
                    splitter.handle_answered(&mut self.lessons);
                }
            }
        }
        if self.lessons != before {
            self.learnt_at = Instant::now();
            self.plans.clear();
        }
        let unread = || Err(Fault::Protocol("the point was not planned".into()));
        Ok(points
            .iter()
            .zip(samples)
            .map(|(point, value)| Sample::new(point, value.unwrap_or_else(unread)))
            .collect())
    }

    async fn write(&mut self, point: &Point, value: &Value) -> Result<(), Fault> {
        let layout = point.layout().map_err(|fault| Fault::Unsuitable(fault.message))?;
        let bus = Arc::clone(&self.bus);
        let mut bus = bus.lock().await;
        match layout.area {
            Area::Coil => {
                let bit = layout.codec.encode_bit(value)?;
                let answer = bus.ask(self.terms, Request::WriteSingleCoil(layout.start, bit)).await?;
                written(answer, &Response::WriteSingleCoil(layout.start, bit))
            }
            Area::Holding => self.write_register(&mut bus, &layout, value).await,
            Area::Discrete | Area::Input => {
                Err(Fault::Refused(format!("a {} can only be read", layout.area)))
            }
        }
    }

    async fn close(self) {
        // The last session of a bus takes the connection with it.
        if Arc::strong_count(&self.bus) == 1 {
            self.bus.lock().await.disconnect();
        }
    }
}

impl Planned {
    fn new(points: &[Point], rules: &Rules, lessons: &Lessons) -> Self {
        let layout = |point: &Point| {
            let layout = point.layout().map_err(|fault| Fault::Refused(fault.message))?;
            rules.check(&layout).map(|()| layout)
        };
        let layouts: Vec<Result<Layout, Fault>> = points.iter().map(layout).collect();
        let known = |(number, layout): (usize, &Result<Layout, Fault>)| {
            Some((plan::Span::of(layout.as_ref().ok()?), number))
        };
        let (refused, open): (Vec<_>, Vec<_>) = layouts
            .iter()
            .enumerate()
            .filter_map(known)
            .partition(|(span, _)| lessons.refused.contains(span));
        let requests = plan::requests(open, rules, &lessons.cuts);
        let refused = refused.into_iter().map(|(_, number)| number).collect();
        Self { points: points.to_vec(), layouts, requests, refused }
    }

    /// The samples that are known without asking.
    fn prefilled(&self) -> Samples {
        let mut samples: Samples =
            self.layouts.iter().map(|layout| layout.as_ref().err().cloned().map(Err)).collect();
        for point in &self.refused {
            samples[*point] = Some(Err(exception_fault(ExceptionCode::IllegalDataAddress)));
        }
        samples
    }

    /// Decodes the points of a request; false when the answer does not have the length that was asked for.
    fn take(&self, request: &plan::Request, response: &Response, samples: &mut Samples) -> bool {
        let len = request.span.len() as usize;
        let from = |span: &plan::Span| (span.start - request.span.start) as usize;
        if let Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) = response {
            // The protocol fills the last byte up.
            if bits.len() != len.next_multiple_of(8) && bits.len() != len {
                return false;
            }
            for (span, point) in &request.members {
                let bit = bits[from(span)];
                if let Ok(layout) = &self.layouts[*point] {
                    samples[*point] = Some(layout.codec.decode_bit(bit));
                }
            }
            return true;
        }
        if let Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) = response {
            if words.len() != len {
                return false;
            }
            for (span, point) in &request.members {
                if let Ok(layout) = &self.layouts[*point] {
                    let words = &words[from(span)..from(span) + span.len() as usize];
                    samples[*point] = Some(layout.codec.decode(words));
                }
            }
            return true;
        }
        false
    }
}

pub(crate) fn terms(link: &Link) -> Terms {
    Terms { unit: link.unit(), timeout: link.timeout(), pause: link.pause() }
}

fn asking_for(request: &plan::Request) -> Request<'static> {
    let start = u16::try_from(request.span.start).unwrap_or(u16::MAX);
    let count = u16::try_from(request.span.len()).unwrap_or(u16::MAX);
    match request.span.area {
        Area::Coil => Request::ReadCoils(start, count),
        Area::Discrete => Request::ReadDiscreteInputs(start, count),
        Area::Input => Request::ReadInputRegisters(start, count),
        Area::Holding => Request::ReadHoldingRegisters(start, count),
    }
}

fn wrong_answer(bus: &mut Bus) -> Fault {
    bus.disconnect();
    Fault::Protocol("not what was asked for".into())
}

/// A write is done when the device echoes it.
fn written(answer: Result<Response, ExceptionCode>, echo: &Response) -> Result<(), Fault> {
    match answer {
        Ok(response) if response == *echo => Ok(()),
        Ok(_) => Err(Fault::Protocol("the device echoed another write".into())),
        Err(code) => Err(exception_fault(code)),
    }
}
