//! Little-endian fields: read with bounds, written in order.

use crate::Ieee;

/// What is left of some bytes; nothing is ever read past their end.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the first byte on.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field; none when there are too few bytes.
    pub fn get<T: Field>(&mut self) -> Option<T> {
        T::take(self)
    }

    /// The next `count` bytes; none when there are fewer.
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(head)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// How many bytes are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// An unsigned number of 1 to 8 bytes.
    pub fn unsigned(&mut self, width: usize) -> Option<u64> {
        let bytes = self.bytes(width.min(8))?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// Writes the lowest `width` bytes of a number, lowest first.
pub fn put_unsigned(out: &mut Vec<u8>, number: u64, width: usize) {
    out.extend(number.to_le_bytes().iter().take(width));
}

/// Something with a fixed place in a message.
pub trait Field: Sized {
    /// Appends it.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads it; none when there are too few bytes.
    fn take(input: &mut Reader<'_>) -> Option<Self>;
}

macro_rules! number {
    ($($ty:ty)*) => {$(
        impl Field for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }
            fn take(input: &mut Reader<'_>) -> Option<Self> {
                let bytes = input.bytes(size_of::<$ty>())?;
                bytes.try_into().ok().map(<$ty>::from_le_bytes)
            }
        }
    )*};
}
number!(u8 u16 u32 u64 i16);

impl Field for Ieee {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(input: &mut Reader<'_>) -> Option<Self> {
        input.get().map(Ieee)
    }
}

impl<const N: usize> Field for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self);
    }
    fn take(input: &mut Reader<'_>) -> Option<Self> {
        input.bytes(N)?.try_into().ok()
    }
}

/// Bytes up to the end of the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rest(pub Vec<u8>);

impl Field for Rest {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(&self.0);
    }
    fn take(input: &mut Reader<'_>) -> Option<Self> {
        Some(Self(input.rest().to_vec()))
    }
}

/// A list with its count in one byte before it; at most 255 are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List<T>(pub Vec<T>);

impl<T: Field> Field for List<T> {
    fn put(&self, out: &mut Vec<u8>) {
        let count = self.0.len().min(255);
        out.push(u8::try_from(count).unwrap_or(u8::MAX));
        for item in &self.0[..count] {
            item.put(out);
        }
    }
    fn take(input: &mut Reader<'_>) -> Option<Self> {
        let count: u8 = input.get()?;
        (0..count).map(|_| input.get()).collect::<Option<Vec<T>>>().map(Self)
    }
}

/// Bytes with their count in two bytes before them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Long(pub Vec<u8>);

impl Field for Long {
    fn put(&self, out: &mut Vec<u8>) {
        u16::try_from(self.0.len()).unwrap_or(u16::MAX).put(out);
        out.extend(self.0.iter().take(usize::from(u16::MAX)));
    }
    fn take(input: &mut Reader<'_>) -> Option<Self> {
        let count: u16 = input.get()?;
        input.bytes(usize::from(count)).map(|bytes| Self(bytes.to_vec()))
    }
}
