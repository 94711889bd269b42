//! Frames: where one ends, and whether it came whole. (MODBUS over Serial Line V1.02, 2.5.1)

/// The longest frame. (2.5.1)
pub(crate) const LONGEST: usize = 256;

/// The checksum of some bytes; on the line its low byte comes first. (6.2.2)
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let step = |crc: u16| if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 };
    bytes.iter().fold(0xFFFF, |crc, byte| (0..8).fold(crc ^ u16::from(*byte), |crc, _| step(crc)))
}

/// A frame around what is said to or by a unit.
pub(crate) fn wrap(unit: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(body.len() + 3);
    frame.push(unit);
    frame.extend_from_slice(body);
    frame.extend(checksum(&frame).to_le_bytes());
    frame
}

/// What the first bytes of an answer are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'b> {
    /// The beginning of a frame.
    Unfinished,
    /// A frame that came whole.
    Whole {
        unit: u8,
        /// Function and data.
        body: &'b [u8],
        /// How many bytes the frame took.
        len: usize,
    },
    /// No frame, for this reason.
    Garbage(&'static str),
}

/// Takes the first frame out of what a device said.
pub(crate) fn first_answer(bytes: &[u8]) -> Piece<'_> {
    let (Some(unit), Some(function)) = (bytes.first(), bytes.get(1)) else { return Piece::Unfinished };
    let body_len = match *function {
        0x80.. => 2,
        1..=4 => match bytes.get(2) {
            None => return Piece::Unfinished,
            // 125 registers or 2,000 bits are the most. (MODBUS Application Protocol V1.1b3, 6.1 to 6.4)
            Some(count @ 1..=250) => 2 + usize::from(*count),
            Some(_) => return Piece::Garbage("a count that cannot be"),
        },
        5 | 6 | 15 | 16 => 5,
        22 => 7,
        _ => return Piece::Garbage("a function that nobody asked for"),
    };
    let len = body_len + 3;
    let Some(frame) = bytes.get(..len) else { return Piece::Unfinished };
    let (said, sum) = frame.split_at(len - 2);
    if checksum(said).to_le_bytes() != sum {
        return Piece::Garbage("a wrong checksum");
    }
    Piece::Whole { unit: *unit, body: &said[1..], len }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_answer() -> impl Strategy<Value = Vec<u8>> {
        let data = |len: usize| proptest::collection::vec(any::<u8>(), len);
        prop_oneof![
            (1u8..=4, 1u8..=250).prop_flat_map(move |(function, count)| {
                data(count.into()).prop_map(move |data| [vec![function, count], data].concat())
            }),
            (prop_oneof![Just(5u8), Just(6), Just(15), Just(16)], data(4)).prop_map(|(function, data)| [
                vec![function],
                data
            ]
            .concat()),
            data(6).prop_map(|data| [vec![22], data].concat()),
            (0x81u8..=0x96, any::<u8>()).prop_map(|(function, code)| vec![function, code]),
        ]
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(checksum(&[0x02, 0x07]), 0x1241);
        assert_eq!(wrap(1, &[3, 0, 0, 0, 1]), [1, 3, 0, 0, 0, 1, 0x84, 0x0A]);
    }

    proptest! {
        #[test]
        fn a_frame_is_taken_whole_and_what_follows_is_left(
            unit: u8,
            body in any_answer(),
            rest in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let frame = wrap(unit, &body);
            prop_assert!(frame.len() <= LONGEST);
            let bytes = [frame.clone(), rest].concat();
            prop_assert_eq!(first_answer(&bytes), Piece::Whole { unit, body: &body, len: frame.len() });
            for end in 0..frame.len() {
                prop_assert_eq!(first_answer(&frame[..end]), Piece::Unfinished);
            }
        }

        #[test]
        fn a_frame_with_one_wrong_bit_is_never_taken(unit: u8, body in any_answer(), bit in 0usize..2048) {
            let mut frame = wrap(unit, &body);
            let bit = bit % (frame.len() * 8);
            frame[bit / 8] ^= 1 << (bit % 8);
            let taken = matches!(first_answer(&frame), Piece::Whole { len, .. } if len == frame.len());
            prop_assert!(!taken);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Piece::Whole { len, .. } = first_answer(&bytes) {
                prop_assert!(len <= bytes.len() && len <= LONGEST);
            }
        }
    }
}
