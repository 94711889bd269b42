//! Certificates: the gateway's own, those of servers, and which of these are trusted.

mod certificate;
mod files;
mod own;
mod trust;

pub use certificate::{Certificate, InvalidCertificate};
pub use own::{Own, OwnError};
pub use trust::{Entry, Standing, TrustError, TrustList};
