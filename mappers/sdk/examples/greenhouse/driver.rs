//! The driver of a greenhouse controller that speaks lines over TCP: `7 GET temperature` is answered by `7 OK 21.5`.

use std::time::Duration;

use config::{BoundedDuration, Check, CheckFault};
use mapper_sdk::{Driver, Fault, LaneKey, Sample, Session};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use twin_core::{PropertyDefinition, Value, ValueType};

/// The longest line that is taken.
const MAX_LINE: usize = 256;

/// How a controller is reached: `greenhouse: {address: "10.0.0.7:7000"}`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    /// Host and port.
    address: String,
    /// How long an answer may take. Default: 1s
    #[serde(default)]
    timeout: Option<BoundedDuration<10, 60_000>>,
}

impl Link {
    pub(crate) fn new(address: String, timeout: Duration) -> Self {
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        Self { address, timeout: BoundedDuration::from_millis(ms).ok() }
    }

    fn timeout(&self) -> Duration {
        self.timeout.map_or(Duration::from_secs(1), BoundedDuration::get)
    }
}

impl Check for Link {
    fn check(&self) -> Result<(), CheckFault> {
        let port = self.address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            let message = format!("`{}` is not a host and port", self.address);
            return Err(CheckFault::new("address", message, "write it like 10.0.0.7:7000"));
        }
        Ok(())
    }
}

/// Where a property lives: `greenhouse: {sensor: temperature}` or `greenhouse: {switch: lamp}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Point {
    /// A number that is read.
    Sensor(String),
    /// Something that is on or off, and can be switched.
    Switch(String),
}

impl Point {
    fn name(&self) -> &str {
        match self {
            Self::Sensor(name) | Self::Switch(name) => name,
        }
    }

    /// What an answer means.
    fn value(&self, text: &str) -> Result<Value, Fault> {
        match (self, text) {
            (Self::Switch(_), "on") => Ok(Value::Bool(true)),
            (Self::Switch(_), "off") => Ok(Value::Bool(false)),
            (Self::Switch(_), other) => Err(Fault::NotAValue(format!("`{other}` is neither on nor off"))),
            (Self::Sensor(_), text) => {
                let number = text.parse().ok().and_then(|number| Value::float(number).ok());
                number.ok_or_else(|| Fault::NotAValue(format!("`{text}` is not a number")))
            }
        }
    }
}

impl Check for Point {
    fn check(&self) -> Result<(), CheckFault> {
        if self.name().is_empty() || self.name().contains(char::is_whitespace) {
            return Err(CheckFault::new("", "a name is one word", "write it as the controller has it"));
        }
        Ok(())
    }

    fn check_for(&self, property: &PropertyDefinition) -> Result<(), CheckFault> {
        let (wanted, writable) = match self {
            Self::Sensor(_) => (ValueType::Float, false),
            Self::Switch(_) => (ValueType::Bool, true),
        };
        if property.value_type != wanted {
            let message = format!("it holds a {wanted}, the property is a {}", property.value_type);
            return Err(CheckFault::new("", message, format!("write `type: {wanted}`")));
        }
        if property.access.writable() && !writable {
            return Err(CheckFault::new("", "a sensor cannot be written", "write `access: read`"));
        }
        Ok(())
    }
}

/// The protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Greenhouse;

impl Driver for Greenhouse {
    const PROTOCOL: &'static str = "greenhouse";
    type Link = Link;
    type Point = Point;
    type Session = GreenhouseSession;

    /// A controller has one connection and one device behind it.
    fn lane(&self, link: &Link) -> LaneKey {
        LaneKey::new(&format!("greenhouse {}", link.address))
    }

    async fn connect(&self, link: &Link) -> Result<GreenhouseSession, Fault> {
        let limit = link.timeout();
        let connected = timeout(limit, TcpStream::connect(&link.address)).await;
        let stream = connected.map_err(|_| Fault::TimedOut(limit))?;
        let stream = stream.map_err(|error| Fault::Link(error.to_string()))?;
        Ok(GreenhouseSession { stream, limit, last: 0, unsent: Vec::new(), unread: Vec::new() })
    }
}

/// A connected controller. What is half sent or half read is kept here and not in a future, for a future may be dropped.
pub(crate) struct GreenhouseSession {
    stream: TcpStream,
    limit: Duration,
    /// The number of the last request.
    last: u64,
    unsent: Vec<u8>,
    unread: Vec<u8>,
}

impl GreenhouseSession {
    async fn ask(&mut self, request: &str) -> Result<String, Fault> {
        self.last += 1;
        self.unsent.extend(format!("{} {request}\n", self.last).bytes());
        let limit = self.limit;
        timeout(limit, self.answer()).await.map_err(|_| Fault::TimedOut(limit))?
    }

    /// The answer to the last request; those to earlier ones are passed over.
    async fn answer(&mut self) -> Result<String, Fault> {
        let broken = |error: std::io::Error| Fault::Link(error.to_string());
        while !self.unsent.is_empty() {
            let sent = self.stream.write(&self.unsent).await.map_err(broken)?;
            self.unsent.drain(..sent);
        }
        loop {
            while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                let (number, answer) = line.trim_end().split_once(' ').unwrap_or_default();
                match number.parse::<u64>() {
                    Ok(number) if number == self.last => return Ok(answer.to_owned()),
                    Ok(number) if number < self.last => {}
                    Ok(_) | Err(_) => return Err(Fault::Protocol(format!("`{}`", line.trim_end()))),
                }
            }
            if self.unread.len() > MAX_LINE {
                return Err(Fault::Protocol(format!("a line of more than {MAX_LINE} bytes")));
            }
            let mut bytes = [0; MAX_LINE];
            match self.stream.read(&mut bytes).await.map_err(broken)? {
                0 => return Err(Fault::Link("the controller closed the connection".into())),
                count => self.unread.extend(&bytes[..count]),
            }
        }
    }

    /// What stands behind `OK`, or what the controller refuses.
    async fn done(&mut self, request: &str) -> Result<String, Fault> {
        let answer = self.ask(request).await?;
        match answer.split_once(' ').unwrap_or((&answer, "")) {
            ("OK", value) => Ok(value.to_owned()),
            ("ERR", why) => Err(Fault::Refused(why.to_owned())),
            (_, _) => Err(Fault::Protocol(format!("`{answer}`"))),
        }
    }
}

impl Session for GreenhouseSession {
    type Point = Point;

    async fn read<'p>(&mut self, points: &'p [Point]) -> Result<Vec<Sample<'p, Point>>, Fault> {
        let mut samples = Vec::with_capacity(points.len());
        for point in points {
            let value = match self.done(&format!("GET {}", point.name())).await {
                Ok(text) => point.value(&text),
                // The others have their values all the same.
                Err(fault @ Fault::Refused(_)) => Err(fault),
                Err(fault) => return Err(fault),
            };
            samples.push(Sample::new(point, value));
        }
        Ok(samples)
    }

    async fn write(&mut self, point: &Point, value: &Value) -> Result<(), Fault> {
        let Value::Bool(on) = value else {
            return Err(Fault::Unsuitable(format!("{value} is neither on nor off")));
        };
        let word = if *on { "on" } else { "off" };
        self.done(&format!("SET {} {word}", point.name())).await.map(drop)
    }

    async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }
}
