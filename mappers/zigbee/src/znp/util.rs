//! The utility interface. (Z-Stack Monitor and Test API, "MT_UTIL")

use crate::Ieee;
use crate::bytes::List;
use crate::znp::message::messages;

/// The state of a coordinator that runs. ("ZDO_STATE_CHANGE_IND", `DEV_ZB_COORD`)
pub const STATE_COORDINATOR: u8 = 9;
/// The relation of a neighbour that sleeps and whose parent the coordinator is.
pub const CHILD_SLEEPY: u8 = 1;
/// No relation.
pub const NO_RELATION: u8 = 0xFF;

messages! {
    /// Asks for addresses and state. (`UTIL_GET_DEVICE_INFO`)
    Sreq Util 0x00 GetDeviceInfo {} -> GetDeviceInfoAnswer {
        /// 0 when all is well.
        status: u8,
        /// The coordinator's address.
        ieee: Ieee,
        /// Its short address.
        nwk: u16,
        /// One bit for each role that it can take.
        kinds: u8,
        /// [`STATE_COORDINATOR`] when it runs.
        state: u8,
        /// Its children.
        children: List<u16>,
    }
    /// Switches a light on the stick. (`UTIL_LED_CONTROL`)
    Sreq Util 0x0A LedControl {
        /// Which.
        led: u8,
        /// How.
        mode: u8,
    } -> LedControlAnswer {
        /// 0 when it was done.
        status: u8,
    }
    /// Asks how the coordinator stands to a device. (`UTIL_ASSOC_GET_WITH_ADDRESS`)
    Sreq Util 0x4A AssocGet {
        /// The device.
        ieee: Ieee,
        /// Its short address.
        nwk: u16,
    } -> AssocGetAnswer {
        /// 0xFFFE when there is none.
        nwk: u16,
        /// Its place in the table.
        index: u16,
        /// [`CHILD_SLEEPY`] or [`NO_RELATION`].
        relation: u8,
    }
    /// Forgets a child. (`UTIL_ASSOC_REMOVE`, of newer firmware)
    Sreq Util 0x63 AssocRemove {
        /// The device.
        ieee: Ieee,
    } -> AssocRemoveAnswer {
        /// 0 when it was done.
        status: u8,
    }
    /// Takes a child. (`UTIL_ASSOC_ADD`, of newer firmware)
    Sreq Util 0x64 AssocAdd {
        /// The device.
        ieee: Ieee,
        /// Its short address.
        nwk: u16,
        /// The relation.
        relation: u8,
    } -> AssocAddAnswer {
        /// 0 when it was done.
        status: u8,
    }
}
