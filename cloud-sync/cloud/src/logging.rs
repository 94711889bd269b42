//! The log: for people on a terminal, JSON otherwise.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts the log on standard error. `TWINSPAN_LOG` says what is logged, `info` when it does not.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("TWINSPAN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
