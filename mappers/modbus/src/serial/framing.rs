//! The two kinds of frames.

use crate::link::Framing;
use crate::serial::{ascii, rtu};

/// What the first bytes of an answer are.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// The beginning of a frame.
    Unfinished,
    /// A frame that came whole.
    Whole {
        /// Whose it is.
        unit: u8,
        /// Function and data.
        body: Vec<u8>,
        /// How many bytes the frame took.
        len: usize,
    },
    /// No frame, for this reason.
    Garbage(&'static str),
}

impl Framing {
    /// A frame around what is said to or by a unit.
    pub(crate) fn wrap(self, unit: u8, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Rtu => rtu::wrap(unit, body),
            Self::Ascii => ascii::wrap(unit, body),
        }
    }

    /// Takes the first frame out of what a device said.
    pub(crate) fn first_answer(self, bytes: &[u8]) -> Piece {
        match self {
            Self::Rtu => rtu::first_answer(bytes),
            Self::Ascii => ascii::first_answer(bytes),
        }
    }

    /// How many characters the longest frame has.
    pub(crate) fn longest(self) -> usize {
        match self {
            Self::Rtu => rtu::LONGEST,
            Self::Ascii => ascii::LONGEST,
        }
    }

    /// How many characters a frame around so many bytes of function and data has.
    pub(crate) fn characters(self, body: usize) -> usize {
        match self {
            Self::Rtu => 1 + body + 2,
            Self::Ascii => 1 + 2 * (1 + body + 1) + 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_as_many_characters_as_are_reckoned_with() {
        for framing in [Framing::Rtu, Framing::Ascii] {
            for len in [2, 5, 253] {
                let frame = framing.wrap(1, &vec![3; len]);
                assert_eq!(frame.len(), framing.characters(len));
                assert!(frame.len() <= framing.longest());
            }
        }
    }
}
