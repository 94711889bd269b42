//! Edge and cloud over real sockets on loopback, with a real store and a real replica at each end.

mod edge;
mod enrolment;
mod hostile;
mod http;
mod proxy;
mod replication;
mod support;
