//! Devices as they will be written: what all importers fill in.

mod modbus;
mod names;
mod write;

use std::collections::BTreeMap;

pub(crate) use modbus::{Area, Data, Line, Link, Point, Way};
pub(crate) use names::{Names, device_name, property_name};
pub(crate) use write::yaml;

/// The longest period of a property, in milliseconds.
const LONGEST_EVERY: u64 = 86_400_000;
/// The longest silence of a report, in milliseconds.
const LONGEST_SILENCE: u64 = 30 * 86_400_000;

/// The type of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int,
    Float,
    Text,
    Bytes,
}

impl Type {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Text => "string",
            Self::Bytes => "bytes",
        }
    }
}

/// What may be done with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Access {
    #[default]
    Read,
    Write,
    ReadWrite,
}

impl Access {
    pub(crate) fn is_written(self) -> bool {
        self != Self::Read
    }
}

/// A device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Device {
    pub(crate) name: String,
    /// Devices with the same word here have their properties in one model where they can.
    pub(crate) model: Option<String>,
    /// A line about that model.
    pub(crate) about_model: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// None: nothing says how it is reached, so that only its model can be written.
    pub(crate) link: Option<Link>,
    pub(crate) properties: Vec<Property>,
    /// What a person should look at.
    pub(crate) looks: Vec<String>,
}

/// A property.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Property {
    pub(crate) name: String,
    /// The type that is wanted; otherwise it follows from the registers.
    pub(crate) value_type: Option<Type>,
    pub(crate) access: Access,
    pub(crate) unit: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) range: Option<(f64, f64)>,
    pub(crate) every: Option<u64>,
    pub(crate) deadband: Option<f64>,
    pub(crate) max_silence: Option<u64>,
    pub(crate) min_interval: Option<u64>,
    pub(crate) point: Point,
    pub(crate) looks: Vec<String>,
}

impl Property {
    pub(crate) fn new(name: String, point: Point) -> Self {
        Self {
            name,
            value_type: None,
            access: Access::Read,
            unit: None,
            description: None,
            range: None,
            every: None,
            deadband: None,
            max_silence: None,
            min_interval: None,
            point,
            looks: Vec::new(),
        }
    }

    /// The type that is written.
    pub(crate) fn written_type(&self) -> Type {
        self.value_type.unwrap_or_else(|| self.point.natural())
    }

    /// Makes it one that the loader takes; gives back what of it cannot be kept, or why nothing of it can.
    pub(crate) fn settle(&mut self) -> Result<Vec<String>, String> {
        let mut gone = Vec::new();
        self.point.check()?;
        let natural = self.point.natural();
        let wanted = self.written_type();
        let fits = wanted == natural
            || matches!((wanted, natural), (Type::Float, Type::Int) | (Type::Int, Type::Bool));
        if !fits {
            let scaled = matches!((wanted, natural), (Type::Int, Type::Float));
            let what = if scaled { "the fractions were cut off there" } else { "of another type there" };
            self.looks.push(format!("{what} ({}), here it is a {}", wanted.word(), natural.word()));
            self.value_type = Some(natural);
        }
        if self.access.is_written() && !self.point.area.is_writable() {
            gone.push("it is writable there, but lives in a table that can only be read".to_owned());
            self.access = Access::Read;
        }
        let number = matches!(self.written_type(), Type::Int | Type::Float);
        if let Some((least, most)) = self.range
            && !(number && least < most)
        {
            gone.push(format!("its range {least} to {most} bounds no number"));
            self.range = None;
        }
        if self.access == Access::Write {
            (self.every, self.deadband, self.max_silence, self.min_interval) = (None, None, None, None);
        }
        if let Some(every) = self.every
            && !(10..=LONGEST_EVERY).contains(&every)
        {
            let kept = every.clamp(10, LONGEST_EVERY);
            gone.push(format!("its period of {every} ms became {kept} ms"));
            self.every = Some(kept);
        }
        self.deadband = self.deadband.filter(|deadband| number && *deadband > 0.0 && deadband.is_finite());
        self.max_silence = self.max_silence.map(|silence| silence.clamp(10, LONGEST_SILENCE));
        self.min_interval = self.min_interval.map(|least| least.min(LONGEST_EVERY));
        if let (Some(most), Some(least)) = (self.max_silence, self.min_interval)
            && most < least
        {
            self.max_silence = Some(least);
        }
        Ok(gone)
    }
}
