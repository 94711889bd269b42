//! What some registers could mean: every type in every order, side by side.

use twin_core::Value;

use crate::point::{Area, Byte, DataType, Order, Point};

/// The types that are tried, those first that are found most often.
const TYPES: [DataType; 12] = [
    DataType::Uint16,
    DataType::Int16,
    DataType::Float32,
    DataType::Uint32,
    DataType::Int32,
    DataType::Bcd16,
    DataType::Bcd32,
    DataType::Float64,
    DataType::Uint64,
    DataType::Int64,
    DataType::Uint8,
    DataType::Int8,
];
/// The scales with which manuals make whole numbers of others.
const SCALES: [f64; 6] = [1.0, 0.1, 0.01, 0.001, 10.0, 100.0];

/// What is expected, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    least: f64,
    most: f64,
}

/// What was typed is no number and no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a number such as 21.5 nor a range such as 20..22")]
pub struct NotExpected(String);

impl std::str::FromStr for Expected {
    type Err = NotExpected;

    fn from_str(text: &str) -> Result<Self, NotExpected> {
        let fail = || NotExpected(text.to_owned());
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(fail);
        let Some((least, most)) = text.split_once("..") else {
            let exact = number(text)?;
            // A display that is read off moves on until the registers are read.
            let slack = (exact.abs() * 0.01).max(1e-6);
            return Ok(Self { least: exact - slack, most: exact + slack });
        };
        let (least, most) = (number(least)?, number(most)?);
        if least > most { Err(fail()) } else { Ok(Self { least, most }) }
    }
}

impl Expected {
    fn contains(self, number: f64) -> bool {
        (self.least..=self.most).contains(&number)
    }
}

/// One meaning of the registers.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// How it would be written.
    pub point: Point,
    /// What it would give, before a scale.
    pub value: Value,
    /// The scale with which it would be what is expected.
    pub plausible: Option<f64>,
}

impl Reading {
    /// The point as it is written in a property.
    #[must_use]
    pub fn yaml(&self) -> String {
        let point = &self.point;
        let (area, at) = match (point.holding, point.input) {
            (Some(at), _) => (Area::Holding, at),
            (None, at) => (Area::Input, at.unwrap_or_default()),
        };
        let mut keys = vec![format!("{}: {at}", area.key())];
        if let Some(data_type) = point.data_type {
            keys.push(format!("type: {}", format!("{data_type:?}").to_lowercase()));
        }
        if let Some(byte) = point.byte {
            keys.push(format!("byte: {}", format!("{byte:?}").to_lowercase()));
        }
        if point.byte_order == Order::Little {
            keys.push("byte_order: little".into());
        }
        if point.word_order == Order::Little {
            keys.push("word_order: little".into());
        }
        if let Some(scale) = self.plausible.filter(|scale| *scale != 1.0) {
            keys.push(format!("scale: {scale}"));
        }
        format!("modbus: {{ {} }}", keys.join(", "))
    }
}

/// All meanings of the registers that begin at `start` of `area`, which must be one with registers. What is no value,
/// such as NaN, is left out.
#[must_use]
pub fn readings(area: Area, start: u16, registers: &[u16], expected: Option<Expected>) -> Vec<Reading> {
    let mut found = Vec::new();
    for data_type in TYPES {
        let is_byte = matches!(data_type, DataType::Uint8 | DataType::Int8);
        let bytes: &[Option<Byte>] = if is_byte { &[Some(Byte::High), Some(Byte::Low)] } else { &[None] };
        for byte in bytes {
            for (byte_order, word_order) in [
                (Order::Big, Order::Big),
                (Order::Big, Order::Little),
                (Order::Little, Order::Big),
                (Order::Little, Order::Little),
            ] {
                let (input, holding) =
                    if area == Area::Input { (Some(start), None) } else { (None, Some(start)) };
                let (data_type, byte) = (Some(data_type), *byte);
                let point =
                    Point { input, holding, data_type, byte, byte_order, word_order, ..Point::default() };
                found.extend(reading(point, registers, expected));
            }
        }
    }
    found
}

fn reading(point: Point, registers: &[u16], expected: Option<Expected>) -> Option<Reading> {
    let codec = point.layout().ok()?.codec;
    let words = usize::from(codec.registers());
    // The order of one thing is no order.
    let idle = (words == 1 && point.word_order == Order::Little)
        || (point.byte.is_some() && point.byte_order == Order::Little);
    if idle {
        return None;
    }
    let value = codec.decode(registers.get(..words)?).ok()?;
    let number = value.as_number()?;
    let is_float = matches!(point.data_type, Some(DataType::Float32 | DataType::Float64));
    let scales = if is_float { &SCALES[..1] } else { &SCALES[..] };
    let plausible =
        expected.and_then(|expected| scales.iter().copied().find(|scale| expected.contains(number * scale)));
    Some(Reading { point, value, plausible })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plausible(registers: &[u16], expected: &str) -> Vec<String> {
        let expected = Some(expected.parse().unwrap());
        let found = readings(Area::Holding, 10, registers, expected);
        found.iter().filter(|reading| reading.plausible.is_some()).map(Reading::yaml).collect()
    }

    #[test]
    fn the_meaning_that_gives_the_number_on_the_display_is_found() {
        assert_eq!(
            plausible(&[0, 0x41AC], "21.5"),
            ["modbus: { holding: 10, type: float32, word_order: little }"]
        );
        let hundredths = plausible(&[2150, 0xFFFF], "21..22");
        assert_eq!(
            hundredths,
            [
                "modbus: { holding: 10, type: uint16, scale: 0.01 }",
                "modbus: { holding: 10, type: int16, scale: 0.01 }"
            ]
        );
    }

    #[test]
    fn every_reading_is_one_that_the_configuration_takes() {
        for reading in readings(Area::Input, 3, &[0x1234, 0x5678, 0x1111, 0x2222], None) {
            let layout = reading.point.layout().unwrap();
            assert_eq!(layout.start, 3);
            assert!(layout.len <= 4);
        }
    }

    #[test]
    fn what_is_no_expectation_is_said() {
        for text in ["", "warm", "22..20", "1..", "inf"] {
            let said = text.parse::<Expected>().unwrap_err().to_string();
            assert!(said.contains(text) && said.contains("20..22"), "{said}");
        }
    }
}
