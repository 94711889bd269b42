//! Hours of ordinary trouble: devices whose values change, a link that comes and goes, configurations that are reloaded,
//! readers and operators. Memory, descriptors, threads and disk of both processes are looked at every second; what still
//! grows in the last third of the time is a leak.

mod relay;
mod samples;
mod stack;

use std::time::{Duration, Instant};

use anyhow::ensure;

use samples::Samples;
use stack::Stack;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Devices, each with an address of its own.
    pub devices: usize,
    /// How long.
    pub time: Duration,
}

/// Registers of each device; every one is a property whose value changes every second.
const REGISTERS: u16 = 10;
const LINK_UP: Duration = Duration::from_secs(12);
const LINK_DOWN: Duration = Duration::from_secs(4);
const RELOAD_EVERY: Duration = Duration::from_secs(7);
/// How much of the time passes before anything counts.
const WARM_UP: f64 = 0.25;

/// Runs, prints a line every minute and a verdict.
///
/// # Errors
/// When something grows, does not start, or does not answer.
#[expect(clippy::print_stdout, reason = "a command speaks on standard output")]
pub async fn run(plan: Plan) -> anyhow::Result<()> {
    let stack = Stack::start(plan.devices, REGISTERS).await?;
    let begun = Instant::now();
    let (mut gateway, mut cloud) = (Samples::of("gateway"), Samples::of("cloud"));
    let (mut flapped, mut reloaded, mut said) = (begun, begun, begun);
    let (mut flaps, mut reloads) = (0_u64, 0_u64);
    while begun.elapsed() < plan.time {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let up = stack.relay.is_open();
        if flapped.elapsed() > if up { LINK_UP } else { LINK_DOWN } {
            stack.relay.set_open(!up);
            flapped = Instant::now();
            flaps += u64::from(up);
        }
        if reloaded.elapsed() > RELOAD_EVERY {
            reloads += 1;
            stack.reload(reloads % 2 == 1)?;
            reloaded = Instant::now();
        }
        stack.ask(begun.elapsed().as_secs()).await?;
        if begun.elapsed().as_secs_f64() > plan.time.as_secs_f64() * WARM_UP {
            gateway.take(stack.gateway.pid(), &stack.gateway_data())?;
            cloud.take(stack.cloud.pid(), &stack.cloud_data())?;
        }
        if said.elapsed() > Duration::from_secs(60) {
            println!("{} s: {}; {}", begun.elapsed().as_secs(), gateway.last(), cloud.last());
            said = Instant::now();
        }
    }
    stack.relay.set_open(true);
    stack.is_whole().await?;
    println!(
        "{flaps} times the link went, {reloads} reloads, {} devices x {REGISTERS} values a second",
        plan.devices
    );
    let mut growing = Vec::new();
    for samples in [&gateway, &cloud] {
        for (line, grows) in samples.verdict() {
            println!("{line}");
            growing.extend(grows.then_some(line));
        }
    }
    stack.stop().await?;
    ensure!(growing.is_empty(), "still growing: {}", growing.join("; "));
    println!("nothing grows");
    Ok(())
}
