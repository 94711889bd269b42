//! The host of a coordinator: exchange of frames, start-up, devices and what they tell.

mod coordinator;
mod exchange;
mod inbound;
mod interview;
mod port;
mod reach;
mod registry;
mod saved;
mod shell;
mod startup;
mod trouble;

pub use coordinator::{Coordinator, Opening};
pub use exchange::{Awaited, Event, Exchange, Failure, Token};
pub use inbound::Inbound;
pub use interview::{Ask, Interview, InterviewFault};
pub use port::{Place as PortPlace, PlaceFault};
pub use reach::{Reach, Recovery, recovery};
pub use registry::{Ear, Place, Registry, Told};
pub use saved::{Device, Endpoint, FileFault, Key, MOST_DEVICES, NetworkIds, Saved, load, path, save};
pub use startup::{ENDPOINT, Formation, StartFault, StartUp, Started, Step};
pub use trouble::{OpenFault, Trouble};
