//! The system interface: reset, version, non-volatile items. (Z-Stack Monitor and Test API, "MT_SYS")

use crate::Ieee;
use crate::bytes::List;
use crate::znp::message::messages;

messages! {
    /// Resets the coordinator; it answers with [`ResetInd`]. (`SYS_RESET_REQ`)
    Areq Sys 0x00 ResetReq {
        /// 0 hard, 1 soft.
        way: u8,
    }
    /// Asks whether it is there. (`SYS_PING`)
    Sreq Sys 0x01 Ping {} -> PingAnswer {
        /// One bit for each interface.
        capabilities: u16,
    }
    /// Asks for the firmware. (`SYS_VERSION`)
    Sreq Sys 0x02 Version {} -> VersionAnswer {
        /// The transport's revision.
        transport: u8,
        /// 0 Z-Stack Home 1.2, 1 Z-Stack 3.x.0, 2 Z-Stack 3.0.x.
        product: u8,
        /// Major release.
        major: u8,
        /// Minor release.
        minor: u8,
        /// Maintenance release.
        maintenance: u8,
        /// The date of the build as a number such as 20221226.
        revision: u32,
    }
    /// Asks for the coordinator's address. (`SYS_GET_EXTADDR`)
    Sreq Sys 0x04 GetExtAddr {} -> GetExtAddrAnswer {
        /// Its address.
        ieee: Ieee,
    }
    /// Makes a non-volatile item. (`SYS_OSAL_NV_ITEM_INIT`)
    Sreq Sys 0x07 NvItemInit {
        /// The item.
        id: u16,
        /// Its length, bytes.
        length: u16,
        /// What it holds at first.
        value: List<u8>,
    } -> NvItemInitAnswer {
        /// 0 it was there, 9 made, 10 failed.
        status: u8,
    }
    /// Reads a non-volatile item. (`SYS_OSAL_NV_READ`)
    Sreq Sys 0x08 NvRead {
        /// The item.
        id: u16,
        /// From this byte on.
        offset: u8,
    } -> NvReadAnswer {
        /// 0 when it is there.
        status: u8,
        /// What it holds.
        value: List<u8>,
    }
    /// Writes a non-volatile item. (`SYS_OSAL_NV_WRITE`)
    Sreq Sys 0x09 NvWrite {
        /// The item.
        id: u16,
        /// From this byte on.
        offset: u8,
        /// What to write.
        value: List<u8>,
    } -> NvWriteAnswer {
        /// 0 when it was written.
        status: u8,
    }
    /// Deletes a non-volatile item. (`SYS_OSAL_NV_DELETE`)
    Sreq Sys 0x12 NvDelete {
        /// The item.
        id: u16,
        /// Its length, bytes.
        length: u16,
    } -> NvDeleteAnswer {
        /// 0 deleted, 9 it was not there, 12 its length is another.
        status: u8,
    }
    /// Asks for the length of a non-volatile item. (`SYS_OSAL_NV_LENGTH`)
    Sreq Sys 0x13 NvLength {
        /// The item.
        id: u16,
    } -> NvLengthAnswer {
        /// Bytes; 0 when it is not there.
        length: u16,
    }
    /// Reads a long non-volatile item. (`SYS_OSAL_NV_READ_EXT`)
    Sreq Sys 0x1C NvReadExt {
        /// The item.
        id: u16,
        /// From this byte on.
        offset: u16,
    } -> NvReadExtAnswer {
        /// 0 when it is there.
        status: u8,
        /// What it holds from there, at most 248 bytes.
        value: List<u8>,
    }
    /// Writes a long non-volatile item. (`SYS_OSAL_NV_WRITE_EXT`)
    Sreq Sys 0x1D NvWriteExt {
        /// The item.
        id: u16,
        /// From this byte on.
        offset: u16,
        /// What to write.
        value: crate::bytes::Long,
    } -> NvWriteExtAnswer {
        /// 0 when it was written.
        status: u8,
    }
    /// Makes an item of a table. (`SYS_NV_CREATE`)
    Sreq Sys 0x30 TableCreate {
        /// The owner of the table.
        system: u8,
        /// The table.
        item: u16,
        /// The row.
        row: u16,
        /// Its length, bytes.
        length: u32,
    } -> TableCreateAnswer {
        /// 0 when it was made.
        status: u8,
    }
    /// Asks for the length of an item of a table. (`SYS_NV_LENGTH`)
    Sreq Sys 0x32 TableLength {
        /// The owner of the table.
        system: u8,
        /// The table.
        item: u16,
        /// The row.
        row: u16,
    } -> TableLengthAnswer {
        /// Bytes; 0 when it is not there.
        length: u32,
    }
    /// Reads an item of a table. (`SYS_NV_READ`)
    Sreq Sys 0x33 TableRead {
        /// The owner of the table.
        system: u8,
        /// The table.
        item: u16,
        /// The row.
        row: u16,
        /// From this byte on.
        offset: u16,
        /// How many bytes.
        length: u8,
    } -> TableReadAnswer {
        /// 0 when it is there.
        status: u8,
        /// What it holds.
        value: List<u8>,
    }
    /// Writes an item of a table. (`SYS_NV_WRITE`)
    Sreq Sys 0x34 TableWrite {
        /// The owner of the table.
        system: u8,
        /// The table.
        item: u16,
        /// The row.
        row: u16,
        /// From this byte on.
        offset: u16,
        /// What to write.
        value: List<u8>,
    } -> TableWriteAnswer {
        /// 0 when it was written.
        status: u8,
    }
    /// The coordinator has just started. (`SYS_RESET_IND`)
    Areq Sys 0x80 ResetInd {
        /// 0 power-up, 1 external, 2 watchdog.
        reason: u8,
        /// The transport's revision.
        transport: u8,
        /// See [`VersionAnswer::product`].
        product: u8,
        /// Major release.
        major: u8,
        /// Minor release.
        minor: u8,
        /// Hardware revision.
        hardware: u8,
    }
}

/// Non-volatile items. (`ZComDef.h` of Z-Stack)
pub mod item {
    /// What is cleared at the next start: bit 0 the configuration, bit 1 the state of the network.
    pub const STARTUP_OPTION: u16 = 0x03;
    /// Counters and parameters of the network.
    pub const NIB: u16 = 0x21;
    /// The extended PAN id, lowest byte first.
    pub const EXTENDED_PAN_ID: u16 = 0x2D;
    /// The network key in use, after its sequence number.
    pub const ACTIVE_KEY: u16 = 0x3A;
    /// The network key that may be used next.
    pub const ALTERNATE_KEY: u16 = 0x3B;
    /// The extended PAN id that is joined or formed.
    pub const USE_EXT_PAN_ID: u16 = 0x47;
    /// 1 while the coordinator is in a network.
    pub const ON_A_NETWORK: u16 = 0x55;
    /// Hosts put 0x55 here once they have set the coordinator up.
    pub const CONFIGURED: u16 = 0x60;
    /// The network key to be.
    pub const PRECONFIGURED_KEY: u16 = 0x62;
    /// 0: the key is sent to devices that join, 1: they have it already.
    pub const PRECONFIGURED_KEYS_ENABLE: u16 = 0x63;
    /// The key of a network that runs, with its frame counter.
    pub const NETWORK_KEY: u16 = 0x82;
    /// The PAN id to be.
    pub const PAN_ID: u16 = 0x83;
    /// One bit for each channel that may be used.
    pub const CHANNEL_LIST: u16 = 0x84;
    /// 0 coordinator, 1 router, 2 end device.
    pub const LOGICAL_TYPE: u16 = 0x87;
    /// 1: answers of device objects come to the host.
    pub const ZDO_DIRECT_CB: u16 = 0x8F;
}
