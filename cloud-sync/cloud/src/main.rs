//! `twinspan-cloud`: the cloud's end of the link, REST and the page.

mod args;
mod logging;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use twinspan_cloud::{Cloud, Error, openapi_document};

use args::{Args, Command, NodeCommand, TokenCommand};

/// The settings are bad.
const BAD_SETTINGS: u8 = 64;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // A terminal that has gone cannot be told so.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(BAD_SETTINGS) } else { ExitCode::SUCCESS };
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            let bad_settings = error.downcast_ref::<Error>().is_some_and(Error::is_bad_settings);
            if bad_settings { ExitCode::from(BAD_SETTINGS) } else { ExitCode::FAILURE }
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    logging::start();
    match args.command.unwrap_or(Command::Serve(args.serve)) {
        Command::Serve(serve) => runtime()?.block_on(async {
            let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
            let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be received")?;
            let stop = CancellationToken::new();
            let cloud = Cloud::new(serve.into_settings());
            let mut server = tokio::task::JoinSet::new();
            server.spawn(cloud.run(stop.clone()));
            let ended = tokio::select! {
                ended = server.join_next() => ended,
                _ = terminate.recv() => None,
                _ = interrupt.recv() => None,
            };
            stop.cancel();
            match ended {
                Some(ended) => ended??,
                None => {
                    tracing::info!("stopping");
                    if let Some(ended) = server.join_next().await {
                        ended??;
                    }
                }
            }
            Ok(())
        }),
        Command::Token { command: TokenCommand::Create(create) } => {
            let token = runtime()?.block_on(async {
                Cloud::new(create.settings()).create_join_token(create.node, create.ttl).await
            })?;
            writeln!(std::io::stdout(), "{token}").context("the token cannot be printed")
        }
        Command::Node { command: NodeCommand::Revoke(revoke) } => {
            Cloud::new(revoke.settings()).revoke_node(&revoke.node)?;
            let node = &revoke.node;
            writeln!(std::io::stdout(), "the certificates of {node} are revoked; `twinspan-cloud token create --node {node}` lets it join again")
                .context("the answer cannot be printed")
        }
        Command::Openapi => {
            let text = openapi_document().to_pretty_json().context("the document cannot be written")?;
            writeln!(std::io::stdout(), "{text}").context("the document cannot be printed")
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot start")
}
