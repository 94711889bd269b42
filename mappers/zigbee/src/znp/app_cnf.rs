//! The commissioning interface. (Z-Stack Monitor and Test API, "MT_APP_CONFIG")

use crate::znp::message::messages;

/// Forms a network. (Base Device Behavior Specification, 8.2: network formation)
pub const MODE_FORM: u8 = 0x04;

messages! {
    /// Begins commissioning. (`APP_CNF_BDB_START_COMMISSIONING`)
    Sreq AppCnf 0x05 StartCommissioning {
        /// One bit for each procedure, [`MODE_FORM`] among them.
        mode: u8,
    } -> StartCommissioningAnswer {
        /// 0 when it has begun.
        status: u8,
    }
    /// Says on which channels to look. (`APP_CNF_BDB_SET_CHANNEL`)
    Sreq AppCnf 0x08 SetChannel {
        /// 1 for the channels tried first.
        primary: u8,
        /// One bit for each channel, 11 to 26.
        channels: u32,
    } -> SetChannelAnswer {
        /// 0 when it was taken.
        status: u8,
    }
    /// How commissioning goes. (`APP_CNF_BDB_COMMISSIONING_NOTIFICATION`)
    Areq AppCnf 0x80 CommissioningInd {
        /// 0 success.
        status: u8,
        /// The procedure.
        mode: u8,
        /// What is left.
        left: u8,
    }
}
