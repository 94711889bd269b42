//! Logging: for people on a terminal, JSON otherwise.

use std::io::IsTerminal as _;

use config::{Level, Log, LogFormat};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sends what the process logs to standard error. `RUST_LOG` wins over the configuration. A second call does nothing.
pub fn init(log: Log) {
    let level = match log.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    // The embedded broker and the database speak at levels of their own that tell an operator nothing. What the OPC UA
    // library calls an error is mostly none, and what is one comes back to the mapper, which says it with its mend.
    let quiet = format!(
        "{level},rmqtt=warn,sqlx=warn,rumqttc=warn,rustls=warn,hyper=warn,h2=warn,zbus=warn,\
         opcua_client=off,opcua_core=off,opcua_crypto=off,opcua_types=off,opcua_server=off"
    );
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(quiet));
    let json = match log.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = if json {
        builder.json().flatten_event(true).finish().try_init()
    } else {
        builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).finish().try_init()
    };
}
