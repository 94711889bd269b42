//! The application framework: endpoints and their messages. (Z-Stack Monitor and Test API, "MT_AF")

use crate::bytes::{List, Long};
use crate::znp::message::messages;

/// Options of a data request: the device acknowledges. (`AF_DATA_REQUEST`, "Options": `AF_ACK_REQUEST`)
pub const ACK: u8 = 0x10;
/// How many hops a message may take. (`AF_DEFAULT_RADIUS`)
pub const RADIUS: u8 = 0x1E;
/// Address mode of a 16-bit address. (`AF_DATA_REQUEST_EXT`, "DstAddrMode")
pub const SHORT_ADDRESS: u8 = 2;

messages! {
    /// Makes an endpoint of the coordinator. (`AF_REGISTER`)
    Sreq Af 0x00 Register {
        /// The endpoint, 1 to 240.
        endpoint: u8,
        /// Its profile.
        profile: u16,
        /// What kind of device it is.
        device: u16,
        /// Its version.
        version: u8,
        /// 0: no latency.
        latency: u8,
        /// What it serves.
        inputs: List<u16>,
        /// What it uses.
        outputs: List<u16>,
    } -> RegisterAnswer {
        /// 0 made, 0xB8 it is there.
        status: u8,
    }
    /// Sends a message. (`AF_DATA_REQUEST`)
    Sreq Af 0x01 DataRequest {
        /// The short address of the device.
        nwk: u16,
        /// Its endpoint.
        to_endpoint: u8,
        /// Our endpoint.
        from_endpoint: u8,
        /// The cluster.
        cluster: u16,
        /// Comes back in [`DataConfirm`].
        transaction: u8,
        /// [`ACK`] or nothing.
        options: u8,
        /// [`RADIUS`].
        radius: u8,
        /// The message.
        data: List<u8>,
    } -> DataRequestAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Sends a message to any kind of address. (`AF_DATA_REQUEST_EXT`)
    Sreq Af 0x02 DataRequestExt {
        /// [`SHORT_ADDRESS`] and others.
        mode: u8,
        /// The address, in the lowest bytes.
        address: u64,
        /// The endpoint.
        to_endpoint: u8,
        /// 0 in this network.
        pan: u16,
        /// Our endpoint.
        from_endpoint: u8,
        /// The cluster.
        cluster: u16,
        /// Comes back in [`DataConfirm`].
        transaction: u8,
        /// [`ACK`] or nothing.
        options: u8,
        /// [`RADIUS`].
        radius: u8,
        /// The message.
        data: Long,
    } -> DataRequestExtAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// What became of a message. (`AF_DATA_CONFIRM`)
    Areq Af 0x80 DataConfirm {
        /// 0 when it arrived; see [`status_text`](crate::znp::status_text).
        status: u8,
        /// Our endpoint.
        endpoint: u8,
        /// From the request.
        transaction: u8,
    }
    /// A message from a device. (`AF_INCOMING_MSG`)
    Areq Af 0x81 IncomingMsg {
        /// The group that it was sent to, or 0.
        group: u16,
        /// The cluster.
        cluster: u16,
        /// The short address of the device.
        nwk: u16,
        /// Its endpoint.
        from_endpoint: u8,
        /// Our endpoint.
        to_endpoint: u8,
        /// 1 when it went to all.
        broadcast: u8,
        /// How well it was heard, 0 to 255.
        lqi: u8,
        /// 1 when it was encrypted by a link key.
        secured: u8,
        /// When, in the coordinator's own time.
        timestamp: u32,
        /// A sequence number of the network.
        sequence: u8,
        /// The message.
        data: List<u8>,
    }
}
