//! `twinspan run` and `twinspan mapper`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::check::{print_error, print_warnings};
use crate::running::{Choice, Running};
use crate::wiring::{self, Gateway};
use crate::{files, log};

/// A broker, as the command line names it.
pub(super) struct Broker {
    pub(super) url: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
}

/// Runs the gateway until a signal; ends with 0, 64 for bad settings, 1 otherwise. SIGHUP reads the configuration again.
pub(super) fn run(path: &Path, data_dir: &Path) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let choice = match runtime.block_on(Choice::make(path, data_dir)) {
        Ok(choice) => choice,
        Err(error) => return print_error(&error),
    };
    print_warnings(&choice.loaded.warnings);
    log::init(choice.loaded.config.gateway.log);
    until_signal(runtime, |stop| async move {
        let gateway = Gateway::start(choice).await?;
        let addresses = gateway.addresses();
        let remote_api = addresses.remote_api.map(tracing::field::display);
        info!(node = %gateway.node(), api = %addresses.api, remote_api, mqtt = %addresses.mqtt, "the gateway is running");
        let running = gateway.running().clone();
        let mut hangup = signal(SignalKind::hangup())?;
        let reload = async {
            while hangup.recv().await.is_some() {
                reload(&running).await;
            }
        };
        let pulse = gateway.pulse();
        // It goes on while the gateway ends: that may take longer than the service manager waits for the next beat.
        let ended = CancellationToken::new();
        let _end = ended.clone().drop_guard();
        let mut beat = JoinSet::new();
        beat.spawn(pulse.run(ended));
        tokio::select! {
            ended = gateway.run(stop) => ended?,
            () = reload => {}
        }
        Ok(())
    })
}

async fn reload(running: &Running) {
    info!(signal = "SIGHUP", "reading the configuration again");
    host::systemd::reloading();
    // How it went is logged where it happens.
    let outcome = running.reload().await;
    host::systemd::ready(match outcome {
        Ok(_) => "running, the configuration was read again",
        Err(_) => "running with the configuration before: the new one is wrong, the log says where",
    });
}

/// Runs one mapper against a broker until a signal. SIGHUP reads the configuration again.
pub(super) fn mapper(protocol: &str, path: &Path, broker: Broker) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let loaded = match files::load(path) {
        Ok(loaded) => loaded,
        Err(error) => return print_error(&error),
    };
    print_warnings(&loaded.warnings);
    log::init(loaded.config.gateway.log);
    let mut settings = mqtt_link::LinkSettings::new(&broker.url, &format!("mapper-{protocol}"));
    settings.username = broker.username;
    settings.password = broker.password;
    let (protocol, path) = (protocol.to_owned(), path.to_owned());
    until_signal(runtime, |stop| async move {
        let (changes, changed) = mpsc::channel(1);
        let mut hangup = signal(SignalKind::hangup())?;
        let mapper = wiring::run_mapper(&protocol, &loaded.config, changed, settings, stop);
        let reload = async {
            while hangup.recv().await.is_some() {
                read_again(&path, &changes).await;
            }
        };
        tokio::select! {
            ended = mapper => ended,
            () = reload => Ok(()),
        }
    })
}

async fn read_again(path: &Path, changes: &mpsc::Sender<config::Config>) {
    let file: PathBuf = path.to_owned();
    match tokio::task::spawn_blocking(move || files::load(&file)).await {
        Ok(Ok(loaded)) => drop(changes.send(loaded.config).await),
        Ok(Err(error)) => error!(%error, "the configuration is wrong; the one in force stays"),
        Err(error) => warn!(%error, "the configuration could not be read"),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        eprintln!("error: cannot start: {error}");
        ExitCode::FAILURE
    })
}

/// Runs a future; SIGTERM and SIGINT cancel its token.
fn until_signal<F, Fut>(runtime: tokio::runtime::Runtime, make: F) -> ExitCode
where
    F: FnOnce(CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
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
    host::systemd::stopping();
    stop.cancel();
    Ok(())
}
