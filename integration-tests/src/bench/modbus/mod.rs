//! How the gateway reads Modbus devices: the real `twinspan run` with its broker, store and REST, against simulated
//! devices in a process of their own, beside a plain client loop on the same registers.

mod gateway;
mod plant;
mod raw;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

pub(super) use plant::Plant;
pub use plant::serve as plant;

use super::{Row, mb, print};
use gateway::Gateway;
use plant::Seen;

/// What is read, and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Devices, each with an address of its own.
    devices: usize,
    /// Registers of each; every one is a property.
    registers: u16,
    /// How often, in milliseconds.
    every_ms: u64,
    /// Registers in one request.
    block: u16,
    /// Whether all values change every second.
    change: bool,
}

const TEN_THOUSAND: Load = Load { devices: 100, registers: 100, every_ms: 1_000, block: 125, change: true };
const FIFTEEN_THOUSAND: Load =
    Load { devices: 500, registers: 30, every_ms: 1_000, block: 125, change: true };
/// Ten requests for each reading of a device: with one, 10 ms, the shortest period there is, would be what is measured.
const FLAT_OUT: Load = Load { devices: 100, registers: 100, every_ms: 10, block: 10, change: false };

/// So many simulated devices.
pub(super) async fn plant_of(devices: usize, change: bool) -> anyhow::Result<Plant> {
    Plant::start(&Load { devices, registers: 0, every_ms: 0, block: 0, change }).await
}

/// What was measured of the gateway.
struct Measured {
    /// What the devices saw.
    seen: Seen,
    took: Duration,
    cores: f64,
    peak_kib: u64,
}

impl Measured {
    fn tags(&self) -> f64 {
        self.seen.registers as f64 / self.took.as_secs_f64()
    }

    fn requests(&self) -> f64 {
        self.seen.requests as f64 / self.took.as_secs_f64()
    }

    fn words(&self) -> String {
        let (tags, percent, peak) = (self.tags(), self.cores * 100.0, mb(self.peak_kib));
        format!("{tags:.0} tags/s, {percent:.0} % of a core, {peak:.1} MB resident at most")
    }
}

/// Measures for `window` each, and prints a table.
///
/// # Errors
/// When something does not start, does not answer, or gives old values.
pub async fn run(window: Duration) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let mut row = |what: String, figure: String, aim| {
        eprintln!("  {what}: {figure}");
        rows.push(Row { what, figure, aim });
    };
    for (load, aim) in [
        (TEN_THOUSAND, ""),
        (FIFTEEN_THOUSAND, "15000 tags/s, 40 %, 50 MB"),
        (Load { change: false, ..FIFTEEN_THOUSAND }, ""),
    ] {
        let Load { devices, registers, every_ms, change, .. } = load;
        let values = if change { "all values change every second" } else { "values at rest" };
        let what = format!("{devices} devices x {registers} registers every {every_ms} ms, {values}");
        eprintln!("{what} ...");
        let measured = gateway_alone(&load, window).await.context(what.clone())?;
        row(format!("gateway, {what}"), measured.words(), aim);
    }
    for (load, aim) in [(FLAT_OUT, "0.8 of the plain loop"), (Load { block: 125, ..FLAT_OUT }, "")] {
        let Load { devices, registers, block, .. } = load;
        let block = block.min(registers);
        let what = format!("flat out, {devices} devices x {registers} registers, {block} in a request");
        eprintln!("{what} ...");
        let plant = Plant::start(&load).await?;
        let raw = raw::measure(&load, &plant.ports, window).await.context("the plain client loop")?;
        row(
            format!("plain tokio-modbus loop, {what}"),
            format!("{:.0} requests/s, {:.2} cores", raw.requests, raw.cores),
            "",
        );
        let gateway = read_by_gateway(&load, plant, window).await?;
        let (requests, share) = (gateway.requests(), gateway.requests() / raw.requests);
        let figure = format!("{requests:.0} requests/s, {share:.2} of the plain loop; {}", gateway.words());
        row(format!("gateway, {what}, every 10 ms, values at rest"), figure, aim);
    }
    print(rows);
    Ok(())
}

async fn gateway_alone(load: &Load, window: Duration) -> anyhow::Result<Measured> {
    let plant = Plant::start(load).await?;
    read_by_gateway(load, plant, window).await
}

async fn read_by_gateway(load: &Load, mut plant: Plant, window: Duration) -> anyhow::Result<Measured> {
    let gateway = Gateway::start(load, &plant.ports).await?;
    gateway.has_read_all(load, &mut plant).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (before, cpu, started) = (plant.seen().await?, gateway.process.cpu()?, Instant::now());
    let mut peak_kib = 0;
    while started.elapsed() < window {
        peak_kib = peak_kib.max(gateway.process.rss_kib()?);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (after, took) = (plant.seen().await?, started.elapsed());
    let cores = gateway.process.cpu()?.saturating_sub(cpu).as_secs_f64() / took.as_secs_f64();
    gateway.is_fresh(load, &mut plant).await?;
    let wrong = gateway.stop().await?;
    ensure!(wrong.is_empty(), "the gateway warned: {wrong}");
    Ok(Measured { seen: after.since(before), took, cores, peak_kib })
}
