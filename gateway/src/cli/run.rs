//! `twinspan run` and `twinspan mapper`.

use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::check::{print_error, print_warnings};
use crate::wiring::{self, Gateway};
use crate::{files, log};

/// A broker, as the command line names it.
pub(super) struct Broker {
    pub(super) url: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
}

/// Runs the gateway until a signal; ends with 0, 64 for bad settings, 1 otherwise.
pub(super) fn run(path: &Path) -> ExitCode {
    let loaded = match files::load(path) {
        Ok(loaded) => loaded,
        Err(error) => return print_error(&error),
    };
    print_warnings(&loaded.warnings);
    log::init(loaded.config.gateway.log);
    until_signal(|stop| async move {
        let gateway = Gateway::start(loaded.config).await?;
        let addresses = gateway.addresses();
        info!(node = %gateway.node(), api = %addresses.api, mqtt = %addresses.mqtt, "the gateway is running");
        gateway.run(stop).await?;
        Ok(())
    })
}

/// Runs one mapper against a broker until a signal.
pub(super) fn mapper(protocol: &str, path: &Path, broker: Broker) -> ExitCode {
    let loaded = match files::load(path) {
        Ok(loaded) => loaded,
        Err(error) => return print_error(&error),
    };
    print_warnings(&loaded.warnings);
    log::init(loaded.config.gateway.log);
    let mut settings = mqtt_link::LinkSettings::new(&broker.url, &format!("mapper-{protocol}"));
    settings.username = broker.username;
    settings.password = broker.password;
    let protocol = protocol.to_owned();
    until_signal(|stop| async move {
        wiring::run_mapper(&protocol, &loaded.config, settings, stop).await?;
        Ok(())
    })
}

/// Runs a future on a runtime of its own; SIGTERM and SIGINT cancel its token.
fn until_signal<F, Fut>(make: F) -> ExitCode
where
    F: FnOnce(CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let stop = CancellationToken::new();
    let outcome = runtime.block_on(async {
        let signalled = stop_on_signal(stop.clone());
        let work = make(stop.clone());
        tokio::pin!(work);
        tokio::select! {
            outcome = &mut work => outcome,
            signal = signalled => {
                signal?;
                work.await
            }
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = %format!("{error:#}"), "the process ends");
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    info!(signal = name, "stopping");
    stop.cancel();
    Ok(())
}
