//! How a device is reached.

mod way;

use std::time::Duration;

use config::{BoundedDuration, Check, CheckFault, Shared};
use schemars::JsonSchema;
use serde::Deserialize;

pub use way::{Framing, Parity, Serial, Way};

use crate::plan::{Limits, Span};
use crate::point::Area;

/// How a Modbus device is reached: `modbus: {tcp: "10.0.0.7:502", unit: 3}`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Host and port of a Modbus TCP device or gateway. Devices with the same host and port share one connection.
    #[serde(default)]
    tcp: Option<String>,
    /// A serial line with Modbus RTU, for example `/dev/ttyS1`.
    #[serde(default)]
    rtu: Option<String>,
    /// Host and port of a serial server that carries Modbus RTU frames.
    #[serde(default)]
    rtu_over_tcp: Option<String>,
    /// A serial line with Modbus ASCII, for example `/dev/ttyS1`.
    #[serde(default)]
    ascii: Option<String>,
    /// Host and port of a serial server that carries Modbus ASCII frames.
    #[serde(default)]
    ascii_over_tcp: Option<String>,
    /// Bits per second of a serial line, 300 to 4000000. Default: 19200
    #[serde(default)]
    baud: Option<u32>,
    /// The parity of a serial line. Default: even
    #[serde(default)]
    parity: Option<Parity>,
    /// The stop bits of a serial line, 1 or 2. Default: 1, and 2 without parity
    #[serde(default)]
    stop_bits: Option<u8>,
    /// The data bits of a serial line, 7 or 8. Default: 7 with `ascii`, 8 with `rtu`, which has no other
    #[serde(default)]
    data_bits: Option<u8>,
    /// The unit id, 0 to 255.
    #[serde(default = "default_unit")]
    unit: u8,
    /// How long an answer may take.
    #[serde(default)]
    timeout: Option<BoundedDuration<10, 60_000>>,
    /// The most registers asked for at once, 1 to 125; of coils and discrete inputs it is 16 times as many.
    #[serde(default = "default_max_block")]
    max_block: u16,
    /// The most unused registers read along between two points; of coils and discrete inputs it is 16 times as many.
    #[serde(default = "default_max_gap")]
    max_gap: u16,
    /// How long the line stays quiet between an answer and the next request.
    #[serde(default)]
    pause: Option<BoundedDuration<0, 10_000>>,
    /// What must not be read, not even along with something else.
    #[serde(default)]
    forbid: Forbidden,
}

/// Stretches of a device's tables, each from its first to its last place, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Forbidden {
    /// Of the coils.
    #[serde(default)]
    coil: Vec<(u16, u16)>,
    /// Of the discrete inputs.
    #[serde(default)]
    discrete: Vec<(u16, u16)>,
    /// Of the input registers.
    #[serde(default)]
    input: Vec<(u16, u16)>,
    /// Of the holding registers.
    #[serde(default)]
    holding: Vec<(u16, u16)>,
}

impl Forbidden {
    fn of(&self, area: Area) -> &[(u16, u16)] {
        match area {
            Area::Coil => &self.coil,
            Area::Discrete => &self.discrete,
            Area::Input => &self.input,
            Area::Holding => &self.holding,
        }
    }
}

fn default_unit() -> u8 {
    1
}

fn default_max_block() -> u16 {
    Limits::MOST_REGISTERS
}

fn default_max_gap() -> u16 {
    8
}

impl Link {
    /// A device behind host and port `tcp`, with everything else as it is when nothing is written.
    #[must_use]
    pub fn tcp(tcp: &str, unit: u8) -> Self {
        Self {
            tcp: Some(tcp.to_owned()),
            rtu: None,
            rtu_over_tcp: None,
            ascii: None,
            ascii_over_tcp: None,
            baud: None,
            parity: None,
            stop_bits: None,
            data_bits: None,
            unit,
            timeout: None,
            max_block: default_max_block(),
            max_gap: default_max_gap(),
            pause: None,
            forbid: Forbidden::default(),
        }
    }

    /// A device behind a serial server that carries RTU frames.
    #[must_use]
    pub fn rtu_over_tcp(endpoint: &str, unit: u8) -> Self {
        Self { tcp: None, rtu_over_tcp: Some(endpoint.to_owned()), ..Self::tcp("", unit) }
    }

    /// A device on a serial line without parity and with one stop bit.
    #[must_use]
    pub fn rtu(path: &str, baud: u32, unit: u8) -> Self {
        Self {
            tcp: None,
            rtu: Some(path.to_owned()),
            baud: Some(baud),
            parity: Some(Parity::None),
            stop_bits: Some(1),
            ..Self::tcp("", unit)
        }
    }

    /// A device behind a serial server that carries ASCII frames.
    #[must_use]
    pub fn ascii_over_tcp(endpoint: &str, unit: u8) -> Self {
        Self { tcp: None, ascii_over_tcp: Some(endpoint.to_owned()), ..Self::tcp("", unit) }
    }

    /// A device on a serial line with ASCII frames, seven data bits, without parity and with two stop bits.
    #[must_use]
    pub fn ascii(path: &str, baud: u32, unit: u8) -> Self {
        let line = Self::rtu("", baud, unit);
        Self { rtu: None, ascii: Some(path.to_owned()), stop_bits: Some(2), ..line }
    }

    /// The same on a serial line with these settings; what is none stays as it is when nothing is written.
    #[must_use]
    pub fn with_line(mut self, parity: Option<Parity>, stop_bits: Option<u8>, data_bits: Option<u8>) -> Self {
        (self.parity, self.stop_bits, self.data_bits) = (parity, stop_bits, data_bits);
        self
    }

    /// The same with another time-out.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).clamp(10, 60_000);
        self.timeout = BoundedDuration::from_millis(ms).ok();
        self
    }

    /// What carries the requests.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn way(&self) -> Result<Way, CheckFault> {
        let written = [
            ("tcp", &self.tcp),
            ("rtu", &self.rtu),
            ("rtu_over_tcp", &self.rtu_over_tcp),
            ("ascii", &self.ascii),
            ("ascii_over_tcp", &self.ascii_over_tcp),
        ];
        let mut written = written.into_iter().filter_map(|(key, place)| Some((key, place.as_ref()?)));
        let Some((key, place)) = written.next() else {
            let hint = "write tcp: \"host:502\", rtu: /dev/ttyUSB0, ascii: /dev/ttyUSB0, rtu_over_tcp: \"host:port\" \
                        or ascii_over_tcp: \"host:port\"";
            return Err(CheckFault::new("", "it does not say how the device is reached", hint));
        };
        if let Some((second, _)) = written.next() {
            let message = format!("`{key}` says already how the device is reached");
            return Err(CheckFault::new(second, message, "write one of the two"));
        }
        let framing = if key.starts_with("ascii") { Framing::Ascii } else { Framing::Rtu };
        if key == "rtu" || key == "ascii" {
            let serial = self.serial(framing, key, place)?;
            return Ok(Way::Serial(framing, serial));
        }
        let line = [
            ("baud", self.baud.is_some()),
            ("parity", self.parity.is_some()),
            ("stop_bits", self.stop_bits.is_some()),
            ("data_bits", self.data_bits.is_some()),
        ];
        if let Some((field, _)) = line.into_iter().find(|(_, is_written)| *is_written) {
            let message = format!("`{field}` is of a serial line");
            return Err(CheckFault::new(field, message, "take it out, or write rtu: /dev/ttyUSB0"));
        }
        let port = place.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            let message = format!("`{place}` is not a host and port");
            return Err(CheckFault::new(key, message, "write it like 10.0.0.7:502"));
        }
        if key == "tcp" {
            return Ok(Way::Tcp(place.clone()));
        }
        Ok(Way::OverTcp(framing, place.clone()))
    }

    fn serial(&self, framing: Framing, key: &str, path: &str) -> Result<Serial, CheckFault> {
        if !path.starts_with('/') {
            let message = format!("`{path}` is not the path of a serial port");
            return Err(CheckFault::new(key, message, "write it like /dev/ttyUSB0"));
        }
        let (baud, parity) = (self.baud.unwrap_or(19_200), self.parity.unwrap_or_default());
        if !(300..=4_000_000).contains(&baud) {
            let message = format!("{baud} is not between 300 and 4000000");
            return Err(CheckFault::new("baud", message, "write for example 9600 or 19200"));
        }
        let stop_bits = self.stop_bits.unwrap_or(if parity == Parity::None { 2 } else { 1 });
        if !(1..=2).contains(&stop_bits) {
            let message = format!("there are 1 or 2 stop bits, not {stop_bits}");
            return Err(CheckFault::new("stop_bits", message, "write 1 or 2"));
        }
        let data_bits = match (framing, self.data_bits) {
            (Framing::Rtu, None | Some(8)) | (Framing::Ascii, Some(8)) => 8,
            (Framing::Ascii, None | Some(7)) => 7,
            (Framing::Rtu, Some(_)) => {
                let message = "RTU frames need 8 data bits";
                return Err(CheckFault::new("data_bits", message, "take it out, or write `ascii` for `rtu`"));
            }
            (Framing::Ascii, Some(other)) => {
                let message = format!("there are 7 or 8 data bits, not {other}");
                return Err(CheckFault::new("data_bits", message, "write 7 or 8"));
            }
        };
        if !(1..=247).contains(&self.unit) {
            let message = format!("the units on a serial line are 1 to 247, not {}", self.unit);
            return Err(CheckFault::new("unit", message, "look at the switches of the device"));
        }
        Ok(Serial { path: path.to_owned(), baud, data_bits, parity, stop_bits })
    }

    /// The unit id.
    #[must_use]
    pub fn unit(&self) -> u8 {
        self.unit
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(Duration::from_secs(1), BoundedDuration::get)
    }

    /// How long the line stays quiet before a request.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.pause.map_or(Duration::ZERO, BoundedDuration::get)
    }

    /// What must not be read.
    #[must_use]
    pub fn forbidden(&self) -> Vec<Span> {
        let of = |area: Area| {
            let span = move |(first, last): &(u16, u16)| Span {
                area,
                start: u32::from(*first),
                end: u32::from(*last) + 1,
            };
            self.forbid.of(area).iter().map(span)
        };
        Area::ALL.into_iter().flat_map(of).collect()
    }

    /// What one request may hold.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::new(self.max_block, self.max_gap)
    }
}

impl Check for Link {
    fn check(&self) -> Result<(), CheckFault> {
        self.way()?;
        if !(1..=Limits::MOST_REGISTERS).contains(&self.max_block) {
            let message = format!("{} is not between 1 and 125", self.max_block);
            return Err(CheckFault::new("max_block", message, "the protocol allows at most 125 registers"));
        }
        for area in Area::ALL {
            for (index, (first, last)) in self.forbid.of(area).iter().enumerate() {
                if first > last {
                    let field = format!("forbid.{}.{index}", area.key());
                    let message = format!("{first} is after {last}");
                    return Err(CheckFault::new(field, message, format!("write [{last}, {first}]")));
                }
            }
        }
        Ok(())
    }

    fn shared(&self) -> Option<Shared> {
        self.way().ok().map(|way| way.shared())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_refused_with_the_key_that_is_wrong() {
        let link = || Link::tcp("127.0.0.1:502", 1);
        assert_eq!(link().check(), Ok(()));
        let field = |link: Link| link.check().unwrap_err().field;
        assert_eq!(field(Link { tcp: None, ..link() }), "");
        assert_eq!(field(Link { tcp: Some("127.0.0.1".into()), ..link() }), "tcp");
        assert_eq!(field(Link { tcp: Some(":502".into()), ..link() }), "tcp");
        assert_eq!(field(Link { rtu: Some("/dev/ttyS1".into()), ..link() }), "rtu");
        assert_eq!(field(Link { rtu_over_tcp: Some("a:1".into()), ..link() }), "rtu_over_tcp");
        assert_eq!(field(Link { baud: Some(9_600), ..link() }), "baud");
        let line = || Link::rtu("/dev/ttyS1", 9_600, 1);
        assert_eq!(line().check(), Ok(()));
        assert_eq!(field(Link { baud: Some(0), ..line() }), "baud");
        assert_eq!(field(Link { stop_bits: Some(3), ..line() }), "stop_bits");
        assert_eq!(field(Link { unit: 0, ..line() }), "unit");
        assert_eq!(field(Link { rtu: Some("COM1".into()), ..line() }), "rtu");
        assert_eq!(field(Link { data_bits: Some(7), ..line() }), "data_bits");
        assert_eq!(field(Link { data_bits: Some(6), ..Link::ascii("/dev/ttyS1", 9_600, 1) }), "data_bits");
        assert_eq!(field(Link::ascii("COM1", 9_600, 1)), "ascii");
        assert_eq!(field(Link::ascii_over_tcp("a", 1)), "ascii_over_tcp");
        assert_eq!(field(Link { max_block: 126, ..link() }), "max_block");
        assert_eq!(field(Link { max_block: 0, ..link() }), "max_block");
        let forbid = Forbidden { input: vec![(3, 3), (9, 8)], ..Forbidden::default() };
        assert_eq!(field(Link { forbid, ..link() }), "forbid.input.1");
    }
}
