//! The header of a frame. (2.4.1)

use crate::bytes::{Field as _, Reader};

/// Who speaks: the side that has the attributes is the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a gateway to a device, mostly.
    ToServer,
    /// From a device to a gateway, mostly.
    ToClient,
}

/// What precedes the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The command belongs to its cluster; it is one for all clusters otherwise.
    pub cluster_specific: bool,
    /// The maker, when the command or the attributes are its own.
    pub manufacturer: Option<u16>,
    /// Who speaks.
    pub direction: Direction,
    /// No answer is wanted when all is well.
    pub quiet: bool,
    /// An answer has the number of its request.
    pub sequence: u8,
    /// The command.
    pub command: u8,
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What precedes the payload.
    pub header: Header,
    /// The payload.
    pub payload: Vec<u8>,
}

const CLUSTER_SPECIFIC: u8 = 0x01;
const MANUFACTURER: u8 = 0x04;
const TO_CLIENT: u8 = 0x08;
const QUIET: u8 = 0x10;

impl Message {
    /// A command for all clusters, to a device.
    #[must_use]
    pub fn global(sequence: u8, command: u8, payload: Vec<u8>) -> Self {
        let header = Header {
            cluster_specific: false,
            manufacturer: None,
            direction: Direction::ToServer,
            quiet: true,
            sequence,
            command,
        };
        Self { header, payload }
    }

    /// A command of a cluster, to a device, which is to say whether it did it.
    #[must_use]
    pub fn specific(sequence: u8, command: u8, payload: Vec<u8>) -> Self {
        let mut message = Self::global(sequence, command, payload);
        message.header.cluster_specific = true;
        message.header.quiet = false;
        message
    }

    /// The same with attributes or commands of a maker.
    #[must_use]
    pub fn of_manufacturer(mut self, manufacturer: Option<u16>) -> Self {
        self.header.manufacturer = manufacturer;
        self
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let header = &self.header;
        let mut control = 0;
        if header.cluster_specific {
            control |= CLUSTER_SPECIFIC;
        }
        if header.manufacturer.is_some() {
            control |= MANUFACTURER;
        }
        if header.direction == Direction::ToClient {
            control |= TO_CLIENT;
        }
        if header.quiet {
            control |= QUIET;
        }
        let mut bytes = vec![control];
        if let Some(manufacturer) = header.manufacturer {
            manufacturer.put(&mut bytes);
        }
        bytes.extend([header.sequence, header.command]);
        bytes.extend(&self.payload);
        bytes
    }

    /// Reads a frame; none when it is too short or of a kind that does not exist.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::new(bytes);
        let control: u8 = input.get()?;
        let cluster_specific = match control & 0x03 {
            0 => false,
            1 => true,
            _ => return None,
        };
        let manufacturer = if control & MANUFACTURER != 0 { Some(input.get()?) } else { None };
        let header = Header {
            cluster_specific,
            manufacturer,
            direction: if control & TO_CLIENT != 0 { Direction::ToClient } else { Direction::ToServer },
            quiet: control & QUIET != 0,
            sequence: input.get()?,
            command: input.get()?,
        };
        Some(Self { header, payload: input.rest().to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_with_and_without_a_maker_reads_back() {
        let read = Message::global(7, 0, vec![4, 0]);
        assert_eq!(read.encode(), [0x10, 7, 0, 4, 0]);
        let toggle = Message::specific(8, 2, Vec::new()).of_manufacturer(Some(0x115F));
        assert_eq!(toggle.encode(), [0x05, 0x5F, 0x11, 8, 2]);
        for message in [read, toggle] {
            assert_eq!(Message::decode(&message.encode()), Some(message));
        }
        assert_eq!(Message::decode(&[0x03, 1, 2]), None);
        assert_eq!(Message::decode(&[0x04, 1]), None);
    }
}
