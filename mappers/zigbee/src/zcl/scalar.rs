//! Values of attributes, as they lie in messages. (2.6.2)

use crate::bytes::{Reader, put_unsigned};
use crate::zcl::types::{Shape, TypeId};

/// Arrays and structures in each other that are read; deeper ones are refused.
const MOST_DEPTH: u8 = 4;

/// A value of an attribute as it is, not scaled.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// The device has none now.
    None,
    /// True or false.
    Bool(bool),
    /// Bits, an unsigned number or a choice.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// A float, finite.
    Float(f64),
    /// Text; what is not UTF-8 is replaced.
    Text(String),
    /// Bytes, and all that is not more closely known.
    Bytes(Vec<u8>),
}

impl Scalar {
    /// Reads a value of this type; none when it is not one, or cut off.
    pub fn take(kind: TypeId, input: &mut Reader<'_>) -> Option<Self> {
        Self::take_at(kind, input, 0)
    }

    fn take_at(kind: TypeId, input: &mut Reader<'_>, depth: u8) -> Option<Self> {
        Some(match kind.shape()? {
            Shape::Nothing => Self::None,
            Shape::Bool => match input.get::<u8>()? {
                0 => Self::Bool(false),
                0xFF => Self::None,
                _ => Self::Bool(true),
            },
            Shape::Bits(width) => Self::Unsigned(input.unsigned(width)?),
            Shape::Unsigned(width) | Shape::Choice(width) => {
                let number = input.unsigned(width)?;
                if number == ones(width) { Self::None } else { Self::Unsigned(number) }
            }
            Shape::Signed(width) => {
                let unused = 64 - 8 * u32::try_from(width).ok()?;
                let number = (input.unsigned(width)?.cast_signed() << unused) >> unused;
                if number == i64::MIN >> unused { Self::None } else { Self::Signed(number) }
            }
            Shape::Float(width) => {
                let number = match width {
                    2 => half(input.get()?),
                    4 => f64::from(f32::from_bits(input.get()?)),
                    _ => f64::from_bits(input.get()?),
                };
                if number.is_finite() { Self::Float(number) } else { Self::None }
            }
            Shape::Bytes(width) => match counted(input, width)? {
                Some(bytes) => Self::Bytes(bytes.to_vec()),
                None => Self::None,
            },
            Shape::Text(width) => match counted(input, width)? {
                Some(bytes) => {
                    let text = String::from_utf8_lossy(bytes);
                    Self::Text(text.trim_end_matches('\0').to_owned())
                }
                None => Self::None,
            },
            Shape::Opaque(width) => Self::Bytes(input.bytes(width)?.to_vec()),
            Shape::Array => Self::Bytes(nested(input, depth, true)?),
            Shape::Structure => Self::Bytes(nested(input, depth, false)?),
        })
    }

    /// Appends the value as this type; false (and nothing is appended) when it does not fit.
    pub fn put(&self, kind: TypeId, out: &mut Vec<u8>) -> bool {
        let (Some(shape), length) = (kind.shape(), out.len()) else { return false };
        let done = self.put_shape(shape, out);
        if !done {
            out.truncate(length);
        }
        done
    }

    fn put_shape(&self, shape: Shape, out: &mut Vec<u8>) -> bool {
        match (shape, self) {
            (Shape::Nothing, Self::None) => {}
            (Shape::Bool, Self::Bool(bit)) => out.push(u8::from(*bit)),
            (Shape::Bool, Self::None) => out.push(0xFF),
            (Shape::Bits(width), Self::Unsigned(number)) if *number <= ones(width) => {
                put_unsigned(out, *number, width);
            }
            (Shape::Unsigned(width) | Shape::Choice(width), Self::Unsigned(number))
                if *number < ones(width) =>
            {
                put_unsigned(out, *number, width);
            }
            (Shape::Unsigned(width) | Shape::Choice(width), Self::None) => {
                put_unsigned(out, ones(width), width);
            }
            (Shape::Signed(width), Self::Signed(number)) => {
                let most = (ones(width) >> 1).cast_signed();
                if !(-most..=most).contains(number) {
                    return false;
                }
                put_unsigned(out, number.cast_unsigned(), width);
            }
            (Shape::Signed(width), Self::None) => put_unsigned(out, 1 << (8 * width - 1), width),
            (Shape::Float(4), Self::Float(number)) => out.extend((*number as f32).to_le_bytes()),
            (Shape::Float(8), Self::Float(number)) => out.extend(number.to_le_bytes()),
            (Shape::Float(4), Self::None) => out.extend(f32::NAN.to_le_bytes()),
            (Shape::Float(8), Self::None) => out.extend(f64::NAN.to_le_bytes()),
            (Shape::Bytes(width), Self::Bytes(bytes)) if (bytes.len() as u64) < ones(width) => {
                put_unsigned(out, bytes.len() as u64, width);
                out.extend(bytes);
            }
            (Shape::Text(width), Self::Text(text)) if (text.len() as u64) < ones(width) => {
                put_unsigned(out, text.len() as u64, width);
                out.extend(text.as_bytes());
            }
            (Shape::Bytes(width) | Shape::Text(width), Self::None) => put_unsigned(out, ones(width), width),
            (Shape::Opaque(width), Self::Bytes(bytes)) if bytes.len() == width => out.extend(bytes),
            _ => return false,
        }
        true
    }
}

fn ones(width: usize) -> u64 {
    if width >= 8 { u64::MAX } else { (1 << (8 * width)) - 1 }
}

/// Bytes with their count before them; inner none when the count says that there is no value.
fn counted<'a>(input: &mut Reader<'a>, width: usize) -> Option<Option<&'a [u8]>> {
    let count = input.unsigned(width)?;
    if count == ones(width) {
        return Some(None);
    }
    input.bytes(usize::try_from(count).ok()?).map(Some)
}

/// The bytes of an array or a structure. Every element takes a byte at least, so that the message bounds the work.
fn nested(input: &mut Reader<'_>, depth: u8, is_array: bool) -> Option<Vec<u8>> {
    if depth >= MOST_DEPTH {
        return None;
    }
    let start = input.clone();
    let common: Option<TypeId> = if is_array { Some(input.get()?) } else { None };
    let count: u16 = input.get()?;
    if count != u16::MAX {
        for _ in 0..count {
            let kind = match common {
                Some(kind) => kind,
                None => input.get()?,
            };
            if kind.0 == 0 && is_array {
                return None;
            }
            Scalar::take_at(kind, input, depth + 1)?;
        }
    }
    let mut whole = start.clone();
    let used = start.len() - input.len();
    whole.bytes(used).map(<[u8]>::to_vec)
}

/// A float of two bytes. (2.6.2.13)
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1F), f64::from(bits & 0x3FF) / 1024.0);
    match exponent {
        0 => sign * fraction * 2f64.powi(-14),
        31 => f64::NAN,
        _ => sign * (1.0 + fraction) * 2f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(kind: TypeId, bytes: &[u8]) -> Option<Scalar> {
        Scalar::take(kind, &mut Reader::new(bytes))
    }

    #[test]
    fn every_kind_of_type_is_read_and_the_absent_value_is_no_value() {
        assert_eq!(read(TypeId::INT16, &[0x2E, 0xFB]), Some(Scalar::Signed(-1234)));
        assert_eq!(read(TypeId::INT16, &[0x00, 0x80]), Some(Scalar::None));
        assert_eq!(read(TypeId::INT24, &[0xFF, 0xFF, 0xFF]), Some(Scalar::Signed(-1)));
        assert_eq!(read(TypeId::UINT48, &[1, 0, 0, 0, 0, 1]), Some(Scalar::Unsigned(0x0100_0000_0001)));
        assert_eq!(read(TypeId::UINT16, &[0xFF, 0xFF]), Some(Scalar::None));
        assert_eq!(read(TypeId::BITMAP8, &[0xFF]), Some(Scalar::Unsigned(255)));
        assert_eq!(read(TypeId::TEXT, b"\x03abc"), Some(Scalar::Text("abc".into())));
        assert_eq!(read(TypeId::TEXT, b"\x03ab"), None);
        assert_eq!(read(TypeId::FLOAT, &1.5f32.to_le_bytes()), Some(Scalar::Float(1.5)));
        assert_eq!(read(TypeId(0x38), &[0x00, 0x3E]), Some(Scalar::Float(1.5)));
        assert_eq!(
            read(TypeId(0x27), &[0xFE, 255, 255, 255, 255, 255, 255, 255]),
            Some(Scalar::Unsigned(u64::MAX - 1))
        );
        assert_eq!(read(TypeId(0x48), &[0x20, 2, 0, 7, 8]), Some(Scalar::Bytes(vec![0x20, 2, 0, 7, 8])));
        assert_eq!(read(TypeId(0x77), &[1]), None);
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let put = |kind: TypeId, value: Scalar| {
            let mut out = Vec::new();
            value.put(kind, &mut out).then_some(out)
        };
        assert_eq!(put(TypeId::UINT8, Scalar::Unsigned(254)), Some(vec![254]));
        assert_eq!(put(TypeId::UINT8, Scalar::Unsigned(255)), None);
        assert_eq!(put(TypeId::INT16, Scalar::Signed(-32_767)), Some(vec![0x01, 0x80]));
        assert_eq!(put(TypeId::INT16, Scalar::Signed(-32_768)), None);
        assert_eq!(put(TypeId::BOOL, Scalar::Unsigned(1)), None);
        assert_eq!(put(TypeId::IEEE, Scalar::Bytes(vec![1; 7])), None);
    }

    #[test]
    fn arrays_in_arrays_end_at_a_depth_and_take_no_time() {
        let deep: Vec<u8> = (0..200).flat_map(|_| [0x48, 0xFF, 0xFE]).collect();
        assert_eq!(read(TypeId(0x48), &deep), None);
        assert_eq!(read(TypeId(0x48), &[0x00, 0xFE, 0xFF]), None);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_again_as_it_was(kind in any::<u8>(), bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let kind = TypeId(kind);
            let mut input = Reader::new(&bytes);
            let Some(value) = Scalar::take(kind, &mut input) else { return Ok(()) };
            let mut out = Vec::new();
            if value.put(kind, &mut out) {
                prop_assert_eq!(read(kind, &out), Some(value));
            }
        }
    }
}
