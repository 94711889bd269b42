//! Frames of the serial link to a coordinator, and the decoder that finds them in a stream.
//!
//! TI, Z-Stack Monitor and Test API, "UART Transport Format" and "General Serial Packet Format":
//! `FE`, length of the data (0 to 250), two command bytes, data, and the XOR of all but the first byte.

use std::fmt;

/// The first byte of every frame.
const START: u8 = 0xFE;
/// The most data bytes that a frame carries.
pub const MOST_DATA: usize = 250;
/// Start, length, two command bytes and the check.
const AROUND: usize = 5;

/// Who waits for whom. ("Command Field")
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A poll of a slave, not used over a UART.
    Poll,
    /// A request that is answered by one [`Srsp`](Self::Srsp).
    Sreq,
    /// A message that nobody answers.
    Areq,
    /// The answer to a request.
    Srsp,
}

impl Kind {
    fn from_bits(bits: u8) -> Option<Self> {
        [Self::Poll, Self::Sreq, Self::Areq, Self::Srsp].into_iter().nth(usize::from(bits))
    }
}

/// Which part of the coordinator is spoken to. ("Command Field")
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Subsystem {
    /// Answers to what is not known.
    RpcError = 0,
    /// The system itself.
    Sys = 1,
    /// The lowest radio layer.
    Mac = 2,
    /// The network layer.
    Nwk = 3,
    /// The application framework: messages of endpoints.
    Af = 4,
    /// Device objects: addresses, descriptors, bindings.
    Zdo = 5,
    /// The simple interface.
    Sapi = 6,
    /// This and that.
    Util = 7,
    /// Traces.
    Debug = 8,
    /// Application.
    App = 9,
    /// Commissioning.
    AppCnf = 15,
    /// Green Power.
    GreenPower = 21,
}

impl Subsystem {
    fn from_bits(bits: u8) -> Option<Self> {
        let all = [
            Self::RpcError,
            Self::Sys,
            Self::Mac,
            Self::Nwk,
            Self::Af,
            Self::Zdo,
            Self::Sapi,
            Self::Util,
            Self::Debug,
            Self::App,
            Self::AppCnf,
            Self::GreenPower,
        ];
        all.into_iter().find(|subsystem| *subsystem as u8 == bits)
    }
}

/// One frame.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Request, answer or neither.
    pub kind: Kind,
    /// The part spoken to.
    pub subsystem: Subsystem,
    /// The command within it.
    pub id: u8,
    /// The data, at most [`MOST_DATA`] bytes.
    pub data: Vec<u8>,
}

impl Frame {
    /// The bytes on the line; data over [`MOST_DATA`] bytes is cut.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let data = &self.data[..self.data.len().min(MOST_DATA)];
        let mut bytes = Vec::with_capacity(data.len() + AROUND);
        bytes.push(START);
        bytes.push(u8::try_from(data.len()).unwrap_or(0));
        bytes.push((self.kind as u8) << 5 | self.subsystem as u8);
        bytes.push(self.id);
        bytes.extend(data);
        bytes.push(check(&bytes[1..]));
        bytes
    }
}

/// Without the data, which may hold a key.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:#04x} ({} bytes)", self.kind, self.subsystem, self.id, self.data.len())
    }
}

fn check(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// Finds frames in a stream of bytes. After noise, or a frame whose check is wrong, it goes on with the next byte that
/// may begin one; it never holds more than one frame.
#[derive(Debug, Default)]
pub struct Decoder {
    held: Vec<u8>,
    skipped: u64,
}

impl Decoder {
    /// Takes the bytes and gives the frames that are complete.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for byte in bytes {
            self.held.push(*byte);
            while let Some(frame) = self.step() {
                frames.extend(frame);
            }
        }
        frames
    }

    /// How many bytes belonged to no frame so far.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// One step: none when it needs more bytes.
    fn step(&mut self) -> Option<Option<Frame>> {
        if *self.held.first()? != START {
            self.skip();
            return Some(None);
        }
        let length = usize::from(*self.held.get(1)?);
        if length > MOST_DATA {
            self.skip();
            return Some(None);
        }
        let whole = length + AROUND;
        if self.held.len() < whole {
            return None;
        }
        let frame = parse(&self.held[1..whole]);
        if frame.is_some() {
            self.held.drain(..whole);
        } else {
            self.skip();
        }
        Some(frame)
    }

    /// Drops the first byte and all up to the next that may begin a frame.
    fn skip(&mut self) {
        let next = self.held.iter().skip(1).position(|byte| *byte == START);
        let gone = next.map_or(self.held.len(), |next| next + 1);
        self.skipped += gone as u64;
        self.held.drain(..gone);
    }
}

/// Length, command, data and check.
fn parse(bytes: &[u8]) -> Option<Frame> {
    let (sum, checked) = bytes.split_last()?;
    let [_, cmd0, id, data @ ..] = checked else { return None };
    if check(checked) != *sum {
        return None;
    }
    let kind = Kind::from_bits(cmd0 >> 5)?;
    let subsystem = Subsystem::from_bits(cmd0 & 0x1F)?;
    Some(Frame { kind, subsystem, id: *id, data: data.to_vec() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ping() -> Frame {
        Frame { kind: Kind::Sreq, subsystem: Subsystem::Sys, id: 1, data: Vec::new() }
    }

    #[test]
    fn a_ping_has_the_bytes_that_everybody_knows() {
        assert_eq!(ping().encode(), [0xFE, 0x00, 0x21, 0x01, 0x20]);
        let answer = Decoder::default().handle_bytes(&[0xFE, 2, 0x61, 0x01, 0x59, 0x06, 0x3D]);
        assert_eq!((answer[0].kind, answer[0].id, &answer[0].data[..]), (Kind::Srsp, 1, &[0x59, 0x06][..]));
    }

    #[test]
    fn noise_and_a_broken_frame_cost_no_frame_after_them() {
        let mut bytes = vec![0x00, 0xFE, 0xFF, 0x12];
        let mut broken = ping().encode();
        *broken.last_mut().unwrap() ^= 1;
        bytes.extend(broken);
        // A frame that says it is longer than it is, and swallows the beginning of the next one.
        bytes.extend([0xFE, 0x03, 0x21]);
        bytes.extend(ping().encode());
        bytes.extend(ping().encode());
        let mut decoder = Decoder::default();
        assert_eq!(decoder.handle_bytes(&bytes), [ping(), ping()]);
        assert_eq!(decoder.skipped(), 4 + 5 + 3);
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_however_the_stream_is_cut(
            frames in proptest::collection::vec((1u8..4, 0u8..200, proptest::collection::vec(any::<u8>(), 0..=MOST_DATA)), 1..6),
            cut in 1usize..40,
        ) {
            let frames: Vec<Frame> = frames
                .into_iter()
                .map(|(kind, id, data)| Frame { kind: Kind::from_bits(kind).unwrap(), subsystem: Subsystem::Af, id, data })
                .collect();
            let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
            let mut decoder = Decoder::default();
            let found: Vec<Frame> = bytes.chunks(cut).flat_map(|chunk| decoder.handle_bytes(chunk)).collect();
            prop_assert_eq!(found, frames);
        }

        #[test]
        fn no_bytes_make_it_panic_or_grow(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let mut decoder = Decoder::default();
            let _ = decoder.handle_bytes(&bytes);
            prop_assert!(decoder.held.len() <= MOST_DATA + AROUND);
        }
    }
}
