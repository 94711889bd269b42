//! How a frame is written as bytes.
//!
//! ```text
//! byte 0     high nibble: format (1); low nibble: 1 when compressed, else 0
//! compressed: 4 bytes, little endian: length of the body before compression; then one LZ4 block
//! body:      a CBOR sequence (RFC 8742) of two items: the number of the frame kind, and the frame
//! ```

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::frame::{Frame, Kind};

const FORMAT: u8 = 1;
const COMPRESSED: u8 = 1;
/// Below this compression saves less than it costs.
const COMPRESS_FROM: usize = 512;
/// One LZ4 byte makes at most this many (LZ4 block format, "end of block").
const MOST_EXPANSION: usize = 255;
/// Deeper than any JSON value that is taken (`Value::MAX_DEPTH`) with the frame around it, and not so deep that a store
/// could write a value and not read it again (127 levels of JSON).
const MOST_DEPTH: usize = 112;

/// The largest frames that one end takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameLimits {
    /// The most bytes of a frame as it is sent.
    pub frame_bytes: u32,
    /// The most bytes of its body before compression.
    pub raw_bytes: u32,
}

impl FrameLimits {
    /// The least that either end has to take; smaller limits are brought up to this.
    pub const LEAST: Self = Self { frame_bytes: 64 * 1024, raw_bytes: 256 * 1024 };

    /// What both ends take.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self {
            frame_bytes: self.frame_bytes.min(other.frame_bytes).max(Self::LEAST.frame_bytes),
            raw_bytes: self.raw_bytes.min(other.raw_bytes).max(Self::LEAST.raw_bytes),
        }
    }
}

impl Default for FrameLimits {
    /// 1 MiB as sent, 4 MiB before compression.
    fn default() -> Self {
        Self { frame_bytes: 1 << 20, raw_bytes: 4 << 20 }
    }
}

/// A frame that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It is larger than the peer takes.
    #[error("a {kind} frame of {bytes} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// The kind of frame.
        kind: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// CBOR cannot hold it.
    #[error("a {kind} frame cannot be written as CBOR: {why}")]
    Unencodable {
        /// The kind of frame.
        kind: &'static str,
        /// Why.
        why: String,
    },
}

/// Bytes that are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There is nothing.
    #[error("the frame is empty")]
    Empty,
    /// The first byte is not one that this version knows.
    #[error("the frame begins with 0x{header:02x}, which is not a format of this version")]
    UnknownFormat {
        /// The first byte.
        header: u8,
    },
    /// It is larger than allowed, or says so.
    #[error("a frame of {bytes} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The LZ4 block is broken or does not have the length it says.
    #[error("the compressed frame is broken: {why}")]
    Compression {
        /// Why.
        why: String,
    },
    /// The CBOR is broken or is not such a frame.
    #[error("the {what} is not what it should be: {why}")]
    Body {
        /// Which part.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// Bytes follow the frame.
    #[error("{bytes} bytes follow the end of the frame")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// What bytes turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// A frame.
    Frame(Box<Frame>),
    /// A frame of a kind that only newer versions know; it is to be ignored.
    Unknown {
        /// The number of its kind.
        kind: u16,
    },
}

/// Writes a frame, compressed where that pays.
///
/// # Errors
/// [`EncodeError`] when it is over `limits`.
pub fn encode(frame: &Frame, limits: FrameLimits) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = vec![FORMAT << 4];
    let written = match frame {
        Frame::Open(f) => write_body(&mut bytes, frame.kind(), f),
        Frame::Opened(f) => write_body(&mut bytes, frame.kind(), f),
        Frame::Refused(f) => write_body(&mut bytes, frame.kind(), f),
        Frame::Stream(f) => write_body(&mut bytes, frame.kind(), f),
        Frame::History(f) => write_body(&mut bytes, frame.kind(), f),
        Frame::Ping(f) => write_body(&mut bytes, frame.kind(), f),
        Frame::Pong(f) => write_body(&mut bytes, frame.kind(), f),
        Frame::Close(f) => write_body(&mut bytes, frame.kind(), f),
    };
    let kind = frame.word();
    written.map_err(|why| EncodeError::Unencodable { kind, why })?;
    let raw = bytes.len() - 1;
    check_size(kind, raw, limits.raw_bytes)?;
    if raw > COMPRESS_FROM {
        let mut packed = vec![FORMAT << 4 | COMPRESSED];
        packed.extend(u32::try_from(raw).unwrap_or(u32::MAX).to_le_bytes());
        packed.extend(lz4_flex::block::compress(bytes.get(1..).unwrap_or_default()));
        if packed.len() < bytes.len() {
            bytes = packed;
        }
    }
    check_size(kind, bytes.len(), limits.frame_bytes)?;
    Ok(bytes)
}

fn check_size(kind: &'static str, bytes: usize, limit: u32) -> Result<(), EncodeError> {
    let limit = limit as usize;
    if bytes > limit { Err(EncodeError::TooLarge { kind, bytes, limit }) } else { Ok(()) }
}

fn write_body<T: Serialize>(bytes: &mut Vec<u8>, kind: Kind, frame: &T) -> Result<(), String> {
    ciborium::into_writer(&(kind as u16), &mut *bytes).map_err(|e| e.to_string())?;
    ciborium::into_writer(frame, bytes).map_err(|e| e.to_string())
}

/// Reads a frame. Every length is checked against `limits` before anything of that length is allocated.
///
/// # Errors
/// [`DecodeError`] says what is wrong with the bytes.
pub fn decode(bytes: &[u8], limits: FrameLimits) -> Result<Decoded, DecodeError> {
    let frame_limit = limits.frame_bytes as usize;
    if bytes.len() > frame_limit {
        return Err(DecodeError::TooLarge { bytes: bytes.len(), limit: frame_limit });
    }
    let (&header, rest) = bytes.split_first().ok_or(DecodeError::Empty)?;
    if header == FORMAT << 4 {
        read_body(rest)
    } else if header == FORMAT << 4 | COMPRESSED {
        read_body(&decompress(rest, limits.raw_bytes as usize)?)
    } else {
        Err(DecodeError::UnknownFormat { header })
    }
}

fn decompress(packed: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let broken = |why: &str| DecodeError::Compression { why: why.to_owned() };
    let (length, block) = packed.split_first_chunk::<4>().ok_or_else(|| broken("it ends in its length"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > limit {
        return Err(DecodeError::TooLarge { bytes: length, limit });
    }
    if length > block.len().saturating_mul(MOST_EXPANSION) {
        return Err(broken("no block of its size can hold as much as it says"));
    }
    let raw = lz4_flex::block::decompress(block, length).map_err(|e| broken(&e.to_string()))?;
    if raw.len() == length { Ok(raw) } else { Err(broken("it does not have the length it says")) }
}

fn read_body(mut body: &[u8]) -> Result<Decoded, DecodeError> {
    let number: u16 = read_item(&mut body, "frame kind")?;
    let Some(kind) = Kind::from_number(number) else {
        return Ok(Decoded::Unknown { kind: number });
    };
    let frame = match kind {
        Kind::Open => Frame::Open(read_item(&mut body, "open frame")?),
        Kind::Opened => Frame::Opened(read_item(&mut body, "opened frame")?),
        Kind::Refused => Frame::Refused(read_item(&mut body, "refused frame")?),
        Kind::Stream => Frame::Stream(read_item(&mut body, "stream frame")?),
        Kind::History => Frame::History(read_item(&mut body, "history frame")?),
        Kind::Ping => Frame::Ping(read_item(&mut body, "ping frame")?),
        Kind::Pong => Frame::Pong(read_item(&mut body, "pong frame")?),
        Kind::Close => Frame::Close(read_item(&mut body, "close frame")?),
    };
    if body.is_empty() {
        Ok(Decoded::Frame(Box::new(frame)))
    } else {
        Err(DecodeError::Trailing { bytes: body.len() })
    }
}

fn read_item<T: DeserializeOwned>(body: &mut &[u8], what: &'static str) -> Result<T, DecodeError> {
    ciborium::de::from_reader_with_recursion_limit(body, MOST_DEPTH)
        .map_err(|e| DecodeError::Body { what, why: e.to_string().chars().take(200).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Close, Code, Ping};
    use crate::testing::any_message;
    use crate::{StreamFrame, StreamId};
    use proptest::prelude::*;
    use twin_core::replica::{Base, Batch, Message};
    use twin_core::{
        Change, Cursor, Entry, Incarnation, Outcome, Part, PropertyId, Quality, Reported, Revision,
        Timestamp, Value, WriteResult,
    };

    const LIMITS: FrameLimits = FrameLimits { frame_bytes: 1 << 20, raw_bytes: 4 << 20 };

    fn close(reason: String) -> Frame {
        Frame::Close(Close { code: Code::Stopping, reason })
    }

    #[test]
    fn a_long_frame_is_compressed_and_a_short_one_is_not() {
        let long = encode(&close("a".repeat(10_000)), LIMITS).unwrap();
        assert!(long.len() < 300, "{}", long.len());
        assert_eq!(long[0], 0x11);
        assert_eq!(encode(&Frame::Ping(Ping { number: 1 }), LIMITS).unwrap()[0], 0x10);
    }

    #[test]
    fn a_frame_of_a_kind_from_the_future_is_unknown_and_not_an_error() {
        let mut bytes = vec![0x10];
        ciborium::into_writer(&900u16, &mut bytes).unwrap();
        ciborium::into_writer(&"anything", &mut bytes).unwrap();
        assert_eq!(decode(&bytes, LIMITS).unwrap(), Decoded::Unknown { kind: 900 });
    }

    #[test]
    fn hostile_lengths_are_refused_before_they_are_allocated() {
        let claim = |length: u32, block: &[u8]| [&[0x11][..], &length.to_le_bytes(), block].concat();
        let too_large = |r: Result<Decoded, DecodeError>| matches!(r, Err(DecodeError::TooLarge { .. }));
        let broken = |r: Result<Decoded, DecodeError>| matches!(r, Err(DecodeError::Compression { .. }));
        assert!(too_large(decode(&claim(u32::MAX, &[0; 9]), LIMITS)));
        assert!(too_large(decode(&claim((4 << 20) + 1, &[0; 9]), LIMITS)));
        assert!(broken(decode(&claim(4 << 20, &[0; 9]), LIMITS)), "nine bytes cannot hold four megabytes");
        assert!(broken(decode(&claim(3, &[0x50, 1, 2, 3, 4, 5]), LIMITS)));
        assert!(broken(decode(&[0x11, 1, 0], LIMITS)));
        assert!(too_large(decode(&vec![0x10; (1 << 20) + 1], LIMITS)));
        // An array of 2^62 entries, a text of 2^62 bytes.
        for head in [0x9b_u8, 0x7b] {
            let body = [&[0x10, 0x07, head][..], &(1u64 << 62).to_be_bytes()].concat();
            assert!(matches!(decode(&body, LIMITS), Err(DecodeError::Body { .. })));
        }
    }

    #[test]
    fn what_is_not_a_frame_gives_its_named_error() {
        assert_eq!(decode(&[], LIMITS), Err(DecodeError::Empty));
        assert_eq!(decode(&[0x20, 1], LIMITS), Err(DecodeError::UnknownFormat { header: 0x20 }));
        let mut bytes = encode(&Frame::Ping(Ping { number: 1 }), LIMITS).unwrap();
        bytes.push(0);
        assert_eq!(decode(&bytes, LIMITS), Err(DecodeError::Trailing { bytes: 1 }));
        let deep = [&[0x10, 0x05][..], &[0x81; 5000]].concat();
        assert!(matches!(decode(&deep, LIMITS), Err(DecodeError::Body { .. })));
    }

    /// A frame with a JSON value of so many arrays, in the deepest place that a frame has for a value.
    fn nested(depth: usize) -> Frame {
        let value = (1..depth).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]));
        let outcome = Outcome {
            part: Part::Desired,
            revision: Revision::new(1),
            value: Value::Json(value),
            result: WriteResult::Applied,
            at: Timestamp::default(),
        };
        let reported = Reported {
            value: None,
            quality: Quality::Good,
            source_time: None,
            gateway_time: None,
            outcome: Some(outcome),
        };
        let id = PropertyId::new("pump".parse().unwrap(), "p".parse().unwrap());
        let change = Change::Reported(id, Some(reported));
        let cursor = Cursor { incarnation: Incarnation::new(1), revision: Revision::new(2) };
        let entries = vec![Entry { revision: Revision::new(1), change }];
        let batch = Batch { base: Base::Cursor(cursor), cursor, entries };
        Frame::Stream(StreamFrame { stream: StreamId::TWIN, message: Message::Batch(batch) })
    }

    #[test]
    fn the_deepest_json_that_is_taken_crosses_and_what_no_store_reads_back_does_not() {
        for (depth, crosses) in [(Value::MAX_DEPTH, true), (110, false), (100_000, false)] {
            // A JSON value so deep could not even be dropped: built of bytes instead.
            let bytes = if depth > 1000 {
                let deep = encode(&nested(10), LIMITS).unwrap();
                let at = deep.windows(3).position(|three| three == [0x81; 3]).unwrap();
                [&deep[..at], &vec![0x81; depth], &deep[at..]].concat()
            } else {
                encode(&nested(depth), LIMITS).unwrap()
            };
            assert_eq!(decode(&bytes, LIMITS).is_ok(), crosses, "{depth}");
        }
    }

    #[test]
    fn a_frame_over_the_peers_limit_is_not_written() {
        let small = FrameLimits { frame_bytes: 100, raw_bytes: 1000 };
        assert!(matches!(encode(&close("a".repeat(2000)), small), Err(EncodeError::TooLarge { .. })));
        let noise: String =
            (0..900).map(|n| char::from(b'!' + u8::try_from(n * 7919 % 90).unwrap())).collect();
        assert!(matches!(encode(&close(noise), small), Err(EncodeError::TooLarge { limit: 100, .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), header in 0x10u8..=0x11) {
            let _ = decode(&bytes, LIMITS);
            let _ = decode(&[&[header][..], &bytes].concat(), LIMITS);
        }

        #[test]
        fn a_damaged_frame_never_makes_the_decoder_panic(
            message in any_message(), damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = encode(&Frame::Stream(StreamFrame { stream: StreamId::TWIN, message }), LIMITS).unwrap();
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            let _ = decode(&bytes, LIMITS);
        }
    }
}
