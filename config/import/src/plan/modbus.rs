//! Links and points of Modbus as they are written here, with the rules of the mapper, so that what is written is taken.

use std::collections::BTreeMap;

use super::Type;

/// One of the four tables of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Coil,
    Discrete,
    Input,
    Holding,
}

impl Area {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Input => "input",
            Self::Holding => "holding",
        }
    }

    pub(crate) fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    pub(crate) fn is_writable(self) -> bool {
        matches!(self, Self::Coil | Self::Holding)
    }
}

/// What registers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    /// One bit of a register, or a coil.
    Bit,
    /// A byte of a register.
    Byte {
        high: bool,
        signed: bool,
    },
    Int {
        words: u16,
        signed: bool,
    },
    Float {
        words: u16,
    },
    Text {
        words: u16,
    },
    Bytes {
        words: u16,
    },
}

impl Data {
    /// The number of so many registers.
    pub(crate) fn int(words: u16, signed: bool) -> Option<Self> {
        matches!(words, 1 | 2 | 4).then_some(Self::Int { words, signed })
    }

    /// The floating-point number of so many registers.
    pub(crate) fn float(words: u16) -> Option<Self> {
        matches!(words, 2 | 4).then_some(Self::Float { words })
    }

    pub(crate) fn words(self) -> u16 {
        match self {
            Self::Bit | Self::Byte { .. } => 1,
            Self::Int { words, .. }
            | Self::Float { words }
            | Self::Text { words }
            | Self::Bytes { words } => words,
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Byte { .. } | Self::Int { .. } | Self::Float { .. })
    }

    /// Its word in a point; nothing where that is the default.
    pub(crate) fn word(self) -> Option<&'static str> {
        Some(match self {
            Self::Bit | Self::Int { words: 1, signed: false } => return None,
            Self::Byte { signed: true, .. } => "int8",
            Self::Byte { signed: false, .. } => "uint8",
            Self::Int { words: 1, signed: true } => "int16",
            Self::Int { words: 2, signed: true } => "int32",
            Self::Int { words: 2, signed: false } => "uint32",
            Self::Int { signed: true, .. } => "int64",
            Self::Int { signed: false, .. } => "uint64",
            Self::Float { words: 2 } => "float32",
            Self::Float { .. } => "float64",
            Self::Text { .. } => "string",
            Self::Bytes { .. } => "bytes",
        })
    }
}

/// Where a property lives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) area: Area,
    /// Counted from 0.
    pub(crate) start: u16,
    pub(crate) data: Data,
    /// The bit of a register, for [`Data::Bit`] outside of coils and discrete inputs.
    pub(crate) bit: u8,
    /// The low byte of a register comes first.
    pub(crate) bytes_swapped: bool,
    /// The low register of a value comes first.
    pub(crate) words_swapped: bool,
    pub(crate) scale: Option<f64>,
    pub(crate) offset: Option<f64>,
    pub(crate) precision: Option<u8>,
    pub(crate) names: BTreeMap<i64, String>,
}

impl Point {
    pub(crate) fn new(area: Area, start: u16, data: Data) -> Self {
        Self {
            area,
            start,
            data,
            bit: 0,
            bytes_swapped: false,
            words_swapped: false,
            scale: None,
            offset: None,
            precision: None,
            names: BTreeMap::new(),
        }
    }

    /// The same, scaled; a scale of 1 and an offset of 0 are none.
    pub(crate) fn scaled(mut self, scale: Option<f64>, offset: Option<f64>) -> Self {
        self.scale = scale.filter(|scale| *scale != 1.0);
        self.offset = offset.filter(|offset| *offset != 0.0);
        self
    }

    /// The same with its bytes and registers in another order, as far as it has any.
    pub(crate) fn ordered(mut self, bytes_swapped: bool, words_swapped: bool) -> Self {
        self.bytes_swapped = bytes_swapped && !self.area.is_bits();
        self.words_swapped = words_swapped && !self.area.is_bits() && self.data.words() > 1;
        self
    }

    /// The type of its values.
    pub(crate) fn natural(&self) -> Type {
        if !self.names.is_empty() {
            return Type::Text;
        }
        match self.data {
            Data::Bit => Type::Bool,
            Data::Float { .. } => Type::Float,
            Data::Text { .. } => Type::Text,
            Data::Bytes { .. } => Type::Bytes,
            Data::Byte { .. } | Data::Int { .. } if self.scale.is_some() || self.offset.is_some() => {
                Type::Float
            }
            Data::Byte { .. } | Data::Int { .. } => Type::Int,
        }
    }

    /// Makes it one that the mapper takes, or says why there is none.
    pub(super) fn check(&mut self) -> Result<(), String> {
        if self.area.is_bits() && self.data != Data::Bit {
            return Err(format!("a {} holds one bit, not a number or text", self.area.key()));
        }
        if !self.area.is_bits() && self.bit > 15 {
            return Err(format!("a register has the bits 0 to 15, not {}", self.bit));
        }
        let words = self.data.words();
        if !(1..=123).contains(&words) {
            return Err(format!("a value takes 1 to 123 registers, not {words}"));
        }
        if u32::from(self.start) + u32::from(words) > 0x1_0000 {
            return Err(format!("{words} registers from {} end after 65535", self.start));
        }
        let usable = |number: f64| number.is_finite();
        if !self.scale.is_none_or(|scale| usable(scale) && scale != 0.0) || !self.offset.is_none_or(usable) {
            return Err("its scale or offset is no number to scale with".to_owned());
        }
        if !self.data.is_number() && (self.scale.is_some() || self.offset.is_some()) {
            return Err("only a number can be scaled".to_owned());
        }
        let fractions = matches!(self.data, Data::Float { .. }) || self.scale.or(self.offset).is_some();
        self.precision = self.precision.filter(|digits| fractions && *digits <= 9);
        if !self.names.is_empty() {
            self.check_names()?;
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), String> {
        let (least, most): (i128, i128) = match self.data {
            Data::Bit => (0, 1),
            Data::Byte { signed: true, .. } => (-128, 127),
            Data::Byte { signed: false, .. } => (0, 255),
            Data::Int { words, signed } => {
                let bits = 16 * u32::from(words);
                if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
            }
            Data::Float { .. } | Data::Text { .. } | Data::Bytes { .. } => {
                return Err("only whole numbers can have names".to_owned());
            }
        };
        if self.scale.is_some() || self.offset.is_some() {
            return Err("a number that has names is not scaled".to_owned());
        }
        let mut seen = std::collections::HashSet::new();
        for (number, name) in &self.names {
            if !(least..=most).contains(&i128::from(*number)) || name.is_empty() || !seen.insert(name) {
                return Err(format!("{number} cannot be called `{name}`: out of reach, empty or taken"));
            }
        }
        Ok(())
    }
}

/// What carries the requests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Way {
    /// Host and port.
    Tcp(String),
    /// Host and port of a serial server.
    RtuOverTcp(String),
    /// Host and port of a serial server with ASCII frames.
    AsciiOverTcp(String),
    Serial(Line),
}

impl Way {
    /// What everybody on it shares.
    pub(crate) fn place(&self) -> &str {
        match self {
            Self::Tcp(place) | Self::RtuOverTcp(place) | Self::AsciiOverTcp(place) => place,
            Self::Serial(line) => &line.path,
        }
    }
}

/// A serial port; what is not said is as the mapper has it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Line {
    pub(crate) path: String,
    /// ASCII frames in place of RTU.
    pub(crate) ascii: bool,
    pub(crate) data_bits: Option<i64>,
    pub(crate) baud: Option<u32>,
    pub(crate) parity: Option<&'static str>,
    pub(crate) stop_bits: Option<u8>,
}

/// How a device is reached.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Link {
    pub(crate) way: Way,
    pub(crate) unit: u8,
    /// In milliseconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) max_block: Option<u16>,
    pub(crate) max_gap: Option<u16>,
    /// In milliseconds.
    pub(crate) pause: Option<u64>,
}

impl Link {
    pub(crate) fn new(way: Way, unit: u8) -> Self {
        Self { way, unit, timeout: None, max_block: None, max_gap: None, pause: None }
    }

    /// Makes it one that the mapper takes, or says why there is none.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        match &mut self.way {
            Way::Tcp(place) | Way::RtuOverTcp(place) | Way::AsciiOverTcp(place) => {
                let port = place.rsplit_once(':').filter(|(host, _)| is_host(host));
                if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                    return Err(format!("`{place}` is not a host and port"));
                }
            }
            Way::Serial(line) => line.settle(self.unit)?,
        }
        self.timeout = self.timeout.map(|ms| ms.clamp(10, 60_000));
        self.pause = self.pause.filter(|ms| *ms > 0).map(|ms| ms.min(10_000));
        self.max_block = self.max_block.map(|most| most.clamp(1, 125)).filter(|most| *most < 125);
        Ok(())
    }
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._:[]%".contains(c))
}

impl Line {
    fn settle(&mut self, unit: u8) -> Result<(), String> {
        if !self.path.starts_with('/') || self.path.contains('$') {
            return Err(format!("`{}` is not the path of a serial port like /dev/ttyUSB0", self.path));
        }
        if let Some(baud) = self.baud
            && !(300..=4_000_000).contains(&baud)
        {
            return Err(format!("a line of {baud} bits a second is not served"));
        }
        if let Some(bits) = self.stop_bits
            && !(1..=2).contains(&bits)
        {
            return Err(format!("there are 1 or 2 stop bits, not {bits}"));
        }
        match (self.ascii, self.data_bits) {
            (true, Some(7 | 8)) | (false, None | Some(8)) => {}
            (true, None) => self.data_bits = Some(8),
            (_, Some(bits)) => return Err(format!("a character of {bits} bits is not served")),
        }
        if !(1..=247).contains(&unit) {
            return Err(format!("the units on a serial line are 1 to 247, not {unit}"));
        }
        Ok(())
    }
}
