//! The history of properties: samples in the order in which they were taken, and how they get to the cloud.
//!
//! The edge's history is a log that only grows at its end and loses what is too old. A sample has its place in it for
//! good: the start of the process that took it, and a number that rises over the whole log. So the cloud can say how
//! far it has got, whatever was restored from a backup meanwhile, and no sample comes twice.

mod message;
mod sample;

pub use message::{Batch, Message, PackedSample};
pub use sample::{Place, Reading, Sample};
