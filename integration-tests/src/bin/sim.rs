//! Runs seeds of the simulation and names those that fail, with the command that runs each again.
#![expect(clippy::print_stdout, reason = "a command speaks on standard output")]

use std::io::{IsTerminal as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use integration_tests::sim::month;
use integration_tests::sim::offline::{Plan, run_day};
use integration_tests::sim::{Failure, Options, Report, run};

/// Runs the seeded simulation of two replicas and the link between them.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Runs this seed only.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints every step; with --seed.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Lives through a day without a link, 1,000 properties flapping every few seconds.
    #[arg(long)]
    offline_day: bool,
    /// Lives through 30 days without a link, with histories in real databases, and uploads them with both ends killed on
    /// the way.
    #[arg(long)]
    offline_month: bool,
    /// How many days; with --offline-month.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// How many properties have a history; with --offline-month.
    #[arg(long, default_value_t = 100)]
    properties: u32,
    /// How often they are read, in seconds; with --offline-month.
    #[arg(long, default_value_t = 60)]
    every: u32,
    /// How large the database may grow, in MiB; with --offline-month.
    #[arg(long, default_value_t = 1024)]
    max_mib: u64,
    /// Puts sessions that cut batches between the replicas of every seed.
    #[arg(long)]
    cut: bool,
    /// Goes on after a seed that fails, up to this many.
    #[arg(long, default_value_t = 1)]
    failures: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.offline_day {
        return offline_day();
    }
    if arguments.offline_month {
        return offline_month(&arguments);
    }
    match arguments.seed {
        Some(seed) => one(seed, &arguments),
        None => many(&arguments),
    }
}

fn one(seed: u64, arguments: &Arguments) -> ExitCode {
    match guarded(seed, arguments.trace, arguments.cut) {
        Ok(report) => {
            println!("seed {seed} holds: {report:?}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn offline_day() -> ExitCode {
    let started = Instant::now();
    let away = Duration::from_secs(86_400);
    match run_day(Plan { properties: 1000, away, flapping_s: 3600, every_s: 5 }) {
        Ok(day) => {
            println!("{day:?} in {:.1} s", started.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(what) => {
            println!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn offline_month(arguments: &Arguments) -> ExitCode {
    let started = Instant::now();
    let plan = month::Plan {
        days: arguments.days,
        properties: arguments.properties,
        every_s: arguments.every,
        max_bytes: arguments.max_mib << 20,
        restarts: 5,
    };
    match month::live_through(plan) {
        Ok(month) => {
            println!("{month:#?} in {:.1} s", started.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(what) => {
            println!("{what:#}");
            ExitCode::FAILURE
        }
    }
}

fn many(arguments: &Arguments) -> ExitCode {
    let started = Instant::now();
    let (mut sum, mut failed) = (Report::default(), 0);
    for done in 0..arguments.seeds {
        let seed = arguments.from + done;
        match guarded(seed, false, arguments.cut) {
            Ok(report) => sum.add(&report),
            Err(failure) => {
                failed += 1;
                println!("\r{failure}");
                println!(
                    "run it again: cargo run -p integration-tests --bin sim -- --seed {seed} --trace{}",
                    if arguments.cut { " --cut" } else { "" }
                );
                if failed >= arguments.failures {
                    return ExitCode::FAILURE;
                }
            }
        }
        if done % 100 == 99 && std::io::stdout().is_terminal() {
            print!("\r{} of {} seeds, {failed} failed", done + 1, arguments.seeds);
            // A progress line that does not get out is no reason to stop.
            let _ = std::io::stdout().flush();
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "\r{} seeds in {seconds:.1} s ({:.0} a second), {failed} failed: {} steps, {} commits, {} messages, \
         {} crashes, {} restored backups, {} resets, {} cuts",
        arguments.seeds,
        arguments.seeds as f64 / seconds,
        sum.steps,
        sum.commits,
        sum.delivered,
        sum.crashes,
        sum.restores,
        sum.resets,
        sum.cuts
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A panic is a failure of its seed like any other.
fn guarded(seed: u64, trace: bool, only_cut: bool) -> Result<Report, Failure> {
    let out = trace.then(|| Box::new(std::io::stdout()) as Box<dyn std::io::Write>);
    catch_unwind(AssertUnwindSafe(|| run(seed, Options { only_cut, ..Options::default() }, out)))
        .unwrap_or_else(|_| Err(Failure { seed, step: 0, what: "a panic".into() }))
}
