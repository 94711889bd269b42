//! What the bytes of a point mean, and which of its words go together.

use std::collections::BTreeSet;

use config::CheckFault;

use crate::decode::assigned::{Assigned, Field};
use crate::decode::{Codec, Kind, Part};
use crate::point::{DataType, Number, Place, Point};

/// The longest characteristic (Bluetooth Core Specification, Vol 3, Part F, 3.2.9).
const MOST_BYTES: u16 = 512;
/// The most decimals that a value can be rounded to.
const MOST_DECIMALS: u8 = 9;

fn fault<T>(field: &str, message: &str, hint: &str) -> Result<T, CheckFault> {
    Err(CheckFault::new(field, message, hint))
}

impl Point {
    /// Refuses words that mean nothing where the point lives.
    pub(super) fn check_words(&self, place: &Place) -> Result<(), CheckFault> {
        let is_characteristic = matches!(place, Place::Characteristic { .. });
        let of_characteristics = [
            ("service", self.service.is_some()),
            ("instance", self.instance.is_some()),
            ("field", self.field.is_some()),
            ("write", self.write.is_some()),
            ("notify", self.notify.is_some()),
        ];
        if let Some((field, _)) = of_characteristics.iter().find(|(_, is)| *is && !is_characteristic) {
            return fault(field, "only a characteristic has this", "take it out");
        }
        let of_bytes = [
            ("type", self.data_type.is_some()),
            ("at", self.at.is_some()),
            ("length", self.length.is_some()),
            ("bit", self.bit.is_some()),
            ("bits", self.bits.is_some()),
            ("scale", self.scale.is_some()),
            ("offset", self.offset.is_some()),
            ("precision", self.precision.is_some()),
            ("enum", !self.names.is_empty()),
        ];
        let is_link = matches!(place, Place::Link(_));
        match of_bytes.iter().find(|(_, is)| *is && is_link) {
            Some((field, _)) => {
                fault(field, "what is about the connection is a value as it is", "take it out")
            }
            None => Ok(()),
        }
    }

    /// The codec of the point and its unit.
    pub(super) fn codec(
        &self,
        place: &Place,
        assigned: Option<&'static Assigned>,
    ) -> Result<(Codec, &'static str), CheckFault> {
        if matches!(place, Place::Link(_)) {
            return Ok((Codec::plain(Kind::Bytes(None)), ""));
        }
        let described = self.data_type.is_some() || self.at.is_some() || self.bit.is_some();
        let known = assigned.map(|assigned| self.known(assigned)).transpose()?.filter(|_| !described);
        let mut codec = match known {
            Some(field) => field.codec(),
            None if described => Codec::plain(self.kind()?),
            None => {
                return fault(
                    "type",
                    "it does not say what the bytes mean",
                    "write for example `type: uint16`",
                );
            }
        };
        if described && self.field.is_some() {
            return fault(
                "field",
                "what the bytes mean is written already",
                "take out `field`, or `type`, `at` and `bit`",
            );
        }
        if self.length.is_some() && !matches!(codec.kind, Kind::Text(_) | Kind::Bytes(_)) {
            return fault("length", "only a string or bytes has a length", "take out `length`");
        }
        codec.at = usize::from(self.at.unwrap_or(0));
        let end = codec.at + codec.kind.width().unwrap_or(0);
        if end > usize::from(MOST_BYTES) {
            return fault("at", "there are at most 512 bytes", "bytes are counted from 0");
        }
        codec.order = self.byte_order;
        codec.part = self.part(codec.kind)?;
        codec.scale = self.scale.map(|n| n.0);
        codec.offset = self.offset.map(|n| n.0);
        codec.precision = self.precision;
        codec.names.clone_from(&self.names);
        self.check_scaling(&codec)?;
        self.check_names(&codec)?;
        let is_changed = self.scale.is_some() || self.offset.is_some();
        let unit = known.filter(|_| !is_changed).map_or("", |field| field.unit);
        Ok((codec, unit))
    }

    /// The value of a characteristic with an assigned number.
    fn known(&self, assigned: &'static Assigned) -> Result<&'static Field, CheckFault> {
        let Some(wanted) = &self.field else { return Ok(&assigned.fields[0]) };
        assigned.fields.iter().find(|field| field.name == wanted).ok_or_else(|| {
            let names: Vec<&str> = assigned.fields.iter().map(|field| field.name).collect();
            let message = format!("{} has no `{wanted}`", assigned.name);
            CheckFault::new("field", message, format!("there is {}", names.join(", ")))
        })
    }

    fn kind(&self) -> Result<Kind, CheckFault> {
        let integer = |bytes, signed| Ok(Kind::Integer { bytes, signed });
        let length = match self.length {
            Some(length) if !(1..=MOST_BYTES).contains(&length) => {
                return fault("length", "the length is not between 1 and 512 bytes", "check the manual");
            }
            length => length.map(usize::from),
        };
        match self.data_type.unwrap_or(DataType::Uint8) {
            DataType::Bool => Ok(Kind::Flag),
            DataType::Int8 => integer(1, true),
            DataType::Uint8 => integer(1, false),
            DataType::Int16 => integer(2, true),
            DataType::Uint16 => integer(2, false),
            DataType::Int24 => integer(3, true),
            DataType::Uint24 => integer(3, false),
            DataType::Int32 => integer(4, true),
            DataType::Uint32 => integer(4, false),
            DataType::Uint40 => integer(5, false),
            DataType::Int48 => integer(6, true),
            DataType::Uint48 => integer(6, false),
            DataType::Uint56 => integer(7, false),
            DataType::Int64 => integer(8, true),
            DataType::Uint64 => integer(8, false),
            DataType::Float16 => Ok(Kind::Float16),
            DataType::Float32 => Ok(Kind::Float32),
            DataType::Float64 => Ok(Kind::Float64),
            DataType::Medfloat16 => Ok(Kind::Medfloat16),
            DataType::Medfloat32 => Ok(Kind::Medfloat32),
            DataType::String => Ok(Kind::Text(length)),
            DataType::Bytes => Ok(Kind::Bytes(length)),
        }
    }

    fn part(&self, kind: Kind) -> Result<Option<Part>, CheckFault> {
        let Some(first) = self.bit else {
            return match self.bits {
                Some(_) => {
                    fault("bits", "it does not say which bits", "write `bit: N` for the lowest of them")
                }
                None => Ok(None),
            };
        };
        let Kind::Integer { bytes, .. } = kind else {
            return fault("bit", "only a whole number has bits", "write `type: uint8` or another integer");
        };
        let (first, count) = (u32::from(first), u32::from(self.bits.unwrap_or(1)));
        let there = 8 * bytes as u32;
        if count == 0 || count > 63 || first + count > there {
            let message = format!("{count} bits from bit {first} are not within {there}");
            return Err(CheckFault::new("bit", message, "bits are counted from 0, the lowest"));
        }
        Ok(Some(Part { first, count }))
    }

    fn check_scaling(&self, codec: &Codec) -> Result<(), CheckFault> {
        for (field, number) in [("scale", self.scale), ("offset", self.offset)] {
            let Some(Number(number)) = number else { continue };
            if !codec.kind.is_number() {
                return fault(field, "only a number can be scaled", "take it out");
            }
            if !number.is_finite() || (field == "scale" && number == 0.0) {
                return fault(field, "it must be a finite number, and a scale not zero", "write a number");
            }
        }
        let Some(decimals) = self.precision else { return Ok(()) };
        if decimals > MOST_DECIMALS {
            return fault("precision", "a value keeps 0 to 9 decimals", "write 0 to 9");
        }
        if codec.value_type() != twin_core::ValueType::Float {
            return fault("precision", "only a number with fractions has decimals", "take out `precision`");
        }
        Ok(())
    }

    fn check_names(&self, codec: &Codec) -> Result<(), CheckFault> {
        if self.names.is_empty() {
            return Ok(());
        }
        let Some((least, most)) = codec.bounds() else {
            return fault("enum", "only a whole number or a bit can have names", "take out `enum`");
        };
        if codec.is_scaled() {
            return fault("enum", "a number that has names is not scaled", "take out `scale` and `offset`");
        }
        let mut seen = BTreeSet::new();
        for (number, name) in &self.names {
            if !(least..=most).contains(&i128::from(*number)) {
                let message = format!("{number} is outside what the bytes can hold, {least} to {most}");
                return Err(CheckFault::new("enum", message, "check the type, or take the name out"));
            }
            if name.is_empty() || !seen.insert(name) {
                let message = format!("two numbers cannot both be called `{name}`, nor can a name be empty");
                return Err(CheckFault::new("enum", message, "give every number a name of its own"));
            }
        }
        Ok(())
    }
}
