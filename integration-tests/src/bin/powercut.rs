//! Cuts the power in a recorded run of the store, as often as wanted.
#![expect(clippy::print_stdout, reason = "a command speaks on standard output")]

use std::path::PathBuf;
use std::time::Instant;

use clap::{Parser, Subcommand};
use integration_tests::powercut;

/// Cuts the power in a recorded run of the store and opens what is left. Needs `strace`.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Records runs and cuts each many times.
    Run {
        /// How many runs are recorded.
        #[arg(long, default_value_t = 10)]
        runs: u64,
        /// How often the power is cut in each.
        #[arg(long, default_value_t = 500)]
        cuts: usize,
        /// The seed of the first; drawn when it is not given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// What is recorded: writes to a database, and says on standard output what is stored.
    Write {
        /// The folder of the database.
        #[arg(long)]
        data: PathBuf,
        /// The seed.
        #[arg(long)]
        seed: u64,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Write { data, seed } => powercut::write(&data, seed).await,
        Command::Run { runs, cuts, seed } => {
            let first = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
            let writer = std::env::current_exe()?;
            let begun = Instant::now();
            for seed in first..first + runs {
                let found = powercut::run(&writer, seed, cuts, powercut::Fsync::Works).await?;
                println!(
                    "seed {seed}: {} calls, {} acknowledged, opened after {} cuts, {} of which lacked what was not synced; \
                     nothing acknowledged was lost ({} s so far)",
                    found.calls,
                    found.acknowledged,
                    found.opened,
                    found.lacking,
                    begun.elapsed().as_secs()
                );
            }
            Ok(())
        }
    }
}
