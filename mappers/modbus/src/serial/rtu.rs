//! RTU frames: where one ends, and whether it came whole. (MODBUS over Serial Line V1.02, 2.5.1)

use crate::serial::framing::Piece;
use crate::serial::pdu;

/// The longest frame. (2.5.1)
pub(super) const LONGEST: usize = 256;

/// The checksum of some bytes; on the line its low byte comes first. (6.2.2)
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let step = |crc: u16| if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 };
    bytes.iter().fold(0xFFFF, |crc, byte| (0..8).fold(crc ^ u16::from(*byte), |crc, _| step(crc)))
}

/// A frame around what is said to or by a unit.
pub(super) fn wrap(unit: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(body.len() + 3);
    frame.push(unit);
    frame.extend_from_slice(body);
    frame.extend(checksum(&frame).to_le_bytes());
    frame
}

/// Takes the first frame out of what a device said.
pub(super) fn first_answer(bytes: &[u8]) -> Piece {
    let Some((unit, rest)) = bytes.split_first() else { return Piece::Unfinished };
    let body_len = match pdu::answer_len(rest) {
        Ok(Some(len)) => len,
        Ok(None) => return Piece::Unfinished,
        Err(why) => return Piece::Garbage(why),
    };
    let len = 1 + body_len + 2;
    let Some(frame) = bytes.get(..len) else { return Piece::Unfinished };
    let (said, sum) = frame.split_at(len - 2);
    if checksum(said).to_le_bytes() != sum {
        return Piece::Garbage("a wrong checksum");
    }
    Piece::Whole { unit: *unit, body: said[1..].to_vec(), len }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::serial) fn any_answer() -> impl Strategy<Value = Vec<u8>> {
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
            prop_assert_eq!(first_answer(&bytes), Piece::Whole { unit, body, len: frame.len() });
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
