//! ASCII frames: a colon, the bytes as hexadecimal digits, the end of a line. (MODBUS over Serial Line V1.02, 2.5.2)

use crate::serial::framing::Piece;
use crate::serial::pdu;

/// The longest frame. (2.5.2.1)
pub(super) const LONGEST: usize = 513;
/// Begins a frame.
const COLON: u8 = b':';

/// The checksum of some bytes: what is missing to a sum of zero. (6.2.1)
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg()
}

/// A frame around what is said to or by a unit.
pub(super) fn wrap(unit: u8, body: &[u8]) -> Vec<u8> {
    let mut said = Vec::with_capacity(body.len() + 2);
    said.push(unit);
    said.extend_from_slice(body);
    said.push(checksum(&said));
    let mut frame = Vec::with_capacity(2 * said.len() + 3);
    frame.push(COLON);
    for byte in said {
        frame.extend([digit(byte >> 4), digit(byte & 0xF)]);
    }
    frame.extend(b"\r\n");
    frame
}

/// Takes the first frame out of what a device said. What stands before its colon is nobody's, and a colon in the middle
/// of a frame begins a new one. (2.5.2.1)
pub(super) fn first_answer(bytes: &[u8]) -> Piece {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let line = &bytes[..end.unwrap_or(bytes.len())];
    let Some(colon) = line.iter().rposition(|byte| *byte == COLON) else {
        return match end {
            _ if bytes.len() > LONGEST => Piece::Garbage("text without a beginning"),
            None => Piece::Unfinished,
            // The end of what began before anybody listened.
            Some(end) => later(bytes, end + 1),
        };
    };
    let Some(end) = end else {
        let too_long = bytes.len() > 2 * LONGEST || line.len() - colon > LONGEST;
        return if too_long { Piece::Garbage("a frame without an end") } else { Piece::Unfinished };
    };
    let (unit, body) = match said(&line[colon + 1..]) {
        Ok(said) => said,
        Err(why) => return Piece::Garbage(why),
    };
    match pdu::answer_len(&body) {
        Ok(Some(len)) if len == body.len() => Piece::Whole { unit, body, len: end + 1 },
        Ok(_) => Piece::Garbage("a length that does not suit its function"),
        Err(why) => Piece::Garbage(why),
    }
}

/// Unit, function and data of a frame between its colon and the last byte of its end.
pub(crate) fn said(frame: &[u8]) -> Result<(u8, Vec<u8>), &'static str> {
    let digits = frame.strip_suffix(b"\r").ok_or("a frame that does not end with CR and LF")?;
    let said = decoded(digits).ok_or("something else than hexadecimal digits")?;
    let [unit, body @ .., _] = said.as_slice() else { return Err("a frame that is too short") };
    if checksum(&said) == 0 { Ok((*unit, body.to_vec())) } else { Err("a wrong checksum") }
}

/// The first frame from a place on.
fn later(bytes: &[u8], from: usize) -> Piece {
    match first_answer(&bytes[from..]) {
        Piece::Whole { unit, body, len } => Piece::Whole { unit, body, len: from + len },
        other @ (Piece::Unfinished | Piece::Garbage(_)) => other,
    }
}

fn digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'A' + half - 10 }
}

/// The bytes that pairs of digits stand for; some devices write small letters.
fn decoded(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let half = |digit: u8| char::from(digit).to_digit(16).and_then(|half| u8::try_from(half).ok());
    let byte = |pair: &[u8; 2]| Some(half(pair[0])? << 4 | half(pair[1])?);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serial::rtu::tests::any_answer;
    use proptest::prelude::*;

    #[test]
    fn frames_with_known_checksums_are_made_and_taken() {
        assert_eq!(wrap(0x11, &[0x03, 0x00, 0x6B, 0x00, 0x03]), b":1103006B00037E\r\n");
        let whole = |unit, body: &[u8], len| Piece::Whole { unit, body: body.to_vec(), len };
        assert_eq!(
            first_answer(b":F7031389000A60\r\n"),
            Piece::Garbage("a length that does not suit its function")
        );
        assert_eq!(first_answer(b":0103020005F5\r\n"), whole(1, &[3, 2, 0, 5], 15));
        assert_eq!(first_answer(b":01830278\r\n"), Piece::Garbage("a wrong checksum"));
        assert_eq!(first_answer(b":0183027A\r\n"), whole(1, &[0x83, 2], 11));
        assert_eq!(first_answer(b":0183027a\r\n"), whole(1, &[0x83, 2], 11));
    }

    #[test]
    fn what_stands_before_a_frame_is_left_out_and_a_second_colon_begins_it_anew() {
        for noise in ["05F5\r\n", "\0\u{7f}", ":0103", "\n\n", "::"] {
            let bytes = [noise.as_bytes(), b":0103020005F5\r\n"].concat();
            let found = first_answer(&bytes);
            assert_eq!(
                found,
                Piece::Whole { unit: 1, body: vec![3, 2, 0, 5], len: bytes.len() },
                "{noise:?}"
            );
        }
    }

    #[test]
    fn what_never_ends_is_given_up() {
        for byte in *b"x0:" {
            let garbage = (0..3 * LONGEST).any(|n| {
                let mut bytes = vec![byte; n];
                bytes.insert(0, b':');
                matches!(first_answer(&bytes), Piece::Garbage(_))
            });
            assert!(garbage, "{byte}");
        }
        assert!(matches!(first_answer(&[b'x'; LONGEST + 1]), Piece::Garbage(_)));
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
            for end in 0..frame.len() {
                prop_assert_eq!(first_answer(&frame[..end]), Piece::Unfinished);
            }
            let bytes = [frame.clone(), rest].concat();
            prop_assert_eq!(first_answer(&bytes), Piece::Whole { unit, body, len: frame.len() });
        }

        #[test]
        fn a_frame_with_one_wrong_byte_is_never_taken(unit: u8, body in any_answer(), at: usize, wrong: u8) {
            let frame = wrap(unit, &body);
            let mut bytes = frame.clone();
            let at = at % bytes.len();
            prop_assume!(!bytes[at].eq_ignore_ascii_case(&wrong) && wrong != COLON);
            bytes[at] = wrong;
            let taken = matches!(first_answer(&bytes), Piece::Whole { .. });
            prop_assert!(!taken);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Piece::Whole { len, .. } = first_answer(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[:0-9A-F\r\n]{0,600}") {
            let _ = first_answer(text.as_bytes());
        }
    }
}
