//! What can go wrong between the host, its coordinator and the devices.

use std::path::PathBuf;
use std::time::Duration;

use mapper_sdk::Fault;

use crate::host::port::Place;
use crate::host::saved::FileFault;
use crate::host::startup::StartFault;
use crate::znp::status_text;

/// Why a device or the coordinator gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The connection to the coordinator is gone.
    #[error("the coordinator is gone: {0}")]
    Lost(String),
    /// The coordinator did not take the message.
    #[error("the coordinator refused the message: {} ({:#04x})", status_text(*.0), .0)]
    NotSent(u8),
    /// The message did not arrive.
    #[error("{} ({:#04x})", status_text(*.0), .0)]
    NotDelivered(u8),
    /// The device did not answer.
    #[error("no answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// The firmware of the coordinator does not have the command.
    #[error("the coordinator's firmware does not know the command")]
    NotKnown,
    /// The gateway itself has too much on the way.
    #[error("too many requests are on the way")]
    TooMuch,
    /// What came is not an answer.
    #[error("a wrong answer")]
    Garbled,
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        let text = trouble.to_string();
        match trouble {
            Trouble::Lost(_) | Trouble::NotDelivered(_) => Self::Link(text),
            Trouble::NotSent(_) | Trouble::TooMuch => Self::Busy(text),
            Trouble::Silent(time) => Self::TimedOut(time),
            Trouble::NotKnown | Trouble::Garbled => Self::Protocol(text),
        }
    }
}

/// Why a coordinator could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// Its port.
    #[error("{place}: {error}")]
    Port {
        /// Where it is.
        place: Place,
        /// What is wrong.
        #[source]
        error: std::io::Error,
    },
    /// It does not answer as it should.
    #[error("{place}: {trouble}{}", hint(.place))]
    Trouble {
        /// Where it is.
        place: Place,
        /// What is wrong.
        trouble: Trouble,
    },
    /// It cannot be used.
    #[error("{place}: {fault}")]
    Start {
        /// Where it is.
        place: Place,
        /// Why not.
        fault: StartFault,
    },
    /// Another process has it.
    #[error(
        "{0} is in use by another process with the same data folder, which does not answer on its socket: \
         stop it first"
    )]
    InUse(Place),
    /// The folder of the network cannot be used.
    #[error("{}: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: std::io::Error,
    },
    /// The file of the network cannot be used.
    #[error(transparent)]
    File(#[from] FileFault),
}

fn hint(place: &Place) -> &'static str {
    match place {
        Place::Tcp(_) => {
            " (a coordinator in the network usually takes one host at a time: does another one hold it?)"
        }
        Place::Serial(_) => "",
    }
}

impl From<OpenFault> for Fault {
    fn from(fault: OpenFault) -> Self {
        let text = fault.to_string();
        match fault {
            OpenFault::Start { fault: StartFault::TooOld | StartFault::OtherNetwork { .. }, .. }
            | OpenFault::Folder { .. }
            | OpenFault::File(_) => Self::Denied(text),
            OpenFault::InUse(_)
            | OpenFault::Port { .. }
            | OpenFault::Trouble { .. }
            | OpenFault::Start { fault: StartFault::WrongAnswer(_) | StartFault::Refused(..), .. } => {
                Self::Link(text)
            }
        }
    }
}
