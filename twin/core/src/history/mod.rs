//! The history of properties: samples in the order in which they were taken, and how they get to the cloud.
//!
//! The edge's history is a log that only grows at its end and loses what is too old. A sample has its place in it for
//! good: the start of the process that took it, and a number that rises over the whole log. So the cloud can say how
//! far it has got, whatever was restored from a backup meanwhile, and no sample comes twice.

mod collector;
pub mod columns;
mod message;
mod policy;
mod port;
mod query;
mod sample;
#[cfg(test)]
mod tests;
mod uploader;

pub use collector::{BadHistoryBatch, CollectEffect, Collected, Collector};
pub use columns::{Column, WrongColumn};
pub use message::{Batch, Message, PackedSample};
pub use policy::HistoryPolicy;
pub use port::{LinkCommand, LinkEvent};
pub use query::{Bucket, Fold, SampleRange, Span};
pub use sample::{Place, Reading, Sample};
pub use uploader::{BadHistoryMessage, LogToken, Run, UploadEffect, UploadLimits, Uploader};
