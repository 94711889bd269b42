//! What a start-up asks for, and how it ends.

use std::time::Duration;

use crate::Ieee;
use crate::host::exchange::Awaited;
use crate::host::saved::{Key, NetworkIds};
use crate::znp::Frame;

/// What a network is formed with.
#[derive(Debug, Clone)]
pub struct Formation {
    /// PAN id, extended PAN id and channel.
    pub ids: NetworkIds,
    /// The network key.
    pub key: Key,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// Send this; its answer, or what is waited for after it, goes to `StartUp::handle_answer`.
    Ask {
        /// The request.
        frame: Frame,
        /// What is waited for after its answer, and how long.
        then: Option<(Awaited, Duration)>,
    },
    /// Find out what is known of the network of this coordinator, for `StartUp::handle_known`.
    LookUp(Ieee),
    /// It runs.
    Done(Started),
    /// It cannot be.
    Failed(StartFault),
}

/// A coordinator that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Its address.
    pub ieee: Ieee,
    /// Its network.
    pub ids: NetworkIds,
    /// Whether the network has just been formed.
    pub formed: bool,
    /// The date of its firmware, as a number such as 20221226.
    pub firmware: u32,
}

/// Why a coordinator cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartFault {
    /// It said something else than an answer.
    #[error("the coordinator gave a wrong answer while it was started ({0})")]
    WrongAnswer(&'static str),
    /// It said no.
    #[error("the coordinator refused {0} (status {1:#04x})")]
    Refused(&'static str, u8),
    /// Its firmware is too old.
    #[error("the coordinator has the firmware of Z-Stack 1.2: put Z-Stack 3.x.0 on it")]
    TooOld,
    /// It is in another network than the one that is known.
    #[error(
        "the coordinator is in the network {found}, and the devices of this gateway are in {known}: \
         use the coordinator that they joined, or delete the gateway's file of its network to take this one"
    )]
    OtherNetwork {
        /// What it is in.
        found: NetworkIds,
        /// What is in the file.
        known: NetworkIds,
    },
}
