//! Edge and cloud over real sockets on loopback, with a real store and a real replica at each end.
#![expect(clippy::unwrap_used, reason = "what fails in a test is to end it")]

mod edge;
mod enrolment;
mod hostile;
mod http;
mod proxy;
mod replication;
mod support;
