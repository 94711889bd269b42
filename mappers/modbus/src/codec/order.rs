//! The order of bytes and registers.

use mapper_sdk::Fault;

use crate::codec::Codec;
use crate::point::Order;

/// The bytes of a number, the highest first, in the last of 8.
type Wide = [u8; 8];

impl Codec {
    pub(super) fn swapped(&self, register: u16) -> u16 {
        match self.byte_order {
            Order::Big => register,
            Order::Little => register.swap_bytes(),
        }
    }

    /// The number in up to four registers.
    pub(super) fn wide(&self, registers: &[u16]) -> u64 {
        let join = |number: u64, register: &u16| number << 16 | u64::from(self.swapped(*register));
        match self.word_order {
            Order::Big => registers.iter().fold(0, join),
            Order::Little => registers.iter().rev().fold(0, join),
        }
    }

    /// The inverse of [`wide`](Self::wide).
    pub(super) fn spread(&self, number: u64, words: usize) -> Vec<u16> {
        let bytes: Wide = number.to_be_bytes();
        let high_first = bytes[8 - 2 * words..].as_chunks::<2>().0.iter();
        let word = |pair: &[u8; 2]| self.swapped(u16::from_be_bytes(*pair));
        match self.word_order {
            Order::Big => high_first.map(word).collect(),
            Order::Little => high_first.rev().map(word).collect(),
        }
    }

    pub(super) fn bytes(&self, registers: &[u16]) -> Vec<u8> {
        let word = |register: &u16| self.swapped(*register).to_be_bytes();
        match self.word_order {
            Order::Big => registers.iter().flat_map(word).collect(),
            Order::Little => registers.iter().rev().flat_map(word).collect(),
        }
    }

    /// The inverse of [`bytes`](Self::bytes), filled up with zeros.
    pub(super) fn fill(&self, bytes: &[u8], words: usize) -> Result<Vec<u16>, Fault> {
        if bytes.len() > words * 2 {
            let (found, room) = (bytes.len(), words * 2);
            return Err(Fault::Unsuitable(format!("{found} bytes do not fit the {room} of the point")));
        }
        let mut padded = bytes.to_vec();
        padded.resize(words * 2, 0);
        let mut registers: Vec<u16> =
            padded.as_chunks::<2>().0.iter().map(|pair| self.swapped(u16::from_be_bytes(*pair))).collect();
        if self.word_order == Order::Little {
            registers.reverse();
        }
        Ok(registers)
    }
}
