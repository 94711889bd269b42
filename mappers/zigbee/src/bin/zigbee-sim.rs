//! A simulated ZigBee coordinator with its devices, behind a TCP port or a pseudo-terminal.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;
use zigbee::sim::{Sim, SimError, demo};

const USAGE: &str = "usage: zigbee-sim [--listen HOST:PORT | --pty] [--seed NUMBER]";

/// What was asked for.
struct Settings {
    listen: String,
    pty: bool,
    seed: u64,
}

fn settings() -> Option<Settings> {
    let mut settings = Settings { listen: "127.0.0.1:6638".to_owned(), pty: false, seed: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => settings.listen = arguments.next()?,
            "--pty" => settings.pty = true,
            "--seed" => settings.seed = arguments.next()?.parse().ok()?,
            _ => return None,
        }
    }
    Some(settings)
}

fn main() -> ExitCode {
    let Some(settings) = settings() else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&settings)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "where it listens is its result")]
async fn run(settings: &Settings) -> Result<ExitCode, SimError> {
    let demo = demo(settings.seed);
    let stop = CancellationToken::new();
    let serve = async {
        if settings.pty {
            let pty = demo.sim.open_pty()?;
            println!("coordinator: {}", pty.path());
            show(&demo.sim);
            demo.sim.run_pty(pty, stop.clone()).await;
            return Ok(ExitCode::SUCCESS);
        }
        let Ok(address) = settings.listen.parse() else {
            eprintln!("error: `{}` is not an address and a port\n{USAGE}", settings.listen);
            return Ok(ExitCode::from(64));
        };
        let (listener, address) = demo.sim.listen(address).await?;
        println!("coordinator: tcp://{address}");
        show(&demo.sim);
        demo.sim.run(&listener, stop.clone()).await?;
        Ok(ExitCode::SUCCESS)
    };
    tokio::select! {
        done = serve => done,
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
    }
}

#[expect(clippy::print_stdout, reason = "the devices are its result")]
fn show(sim: &Sim) {
    sim.with(|mesh| {
        for node in mesh.nodes() {
            println!("{} {:?}", node.ieee, node.kind);
        }
    });
}
