//! The benchmark, part by part.

pub mod footprint;
mod load;
pub mod modbus;
pub mod opcua;
mod process;
mod raw;
pub mod soak;
mod stream;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mqtt_link::Qos;
use process::Stack;

/// What to measure.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Devices.
    pub devices: usize,
    /// Properties of each.
    pub properties: usize,
    /// Seconds of flat-out publishing.
    pub seconds: u64,
    /// Publishing clients.
    pub publishers: usize,
    /// Property updates a second while latency is measured.
    pub rate: u64,
}

struct Row {
    what: String,
    figure: String,
    aim: &'static str,
}

/// Measures and prints a table.
///
/// # Errors
/// When something does not start or does not answer.
pub async fn run(plan: &Plan) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let mut row = |what: &str, figure: String, aim| {
        eprintln!("  {what}: {figure}");
        rows.push(Row { what: what.to_owned(), figure, aim });
    };

    eprintln!("raw multi-row upserts into SQLite ...");
    let raw = raw::measure(plan).await.context("the raw loop")?;
    row("raw loop: multi-row upserts of 1000, same table and pragmas", format!("{raw:.0} rows/s"), "");

    eprintln!("starting cloud and gateway ...");
    let stack = Stack::start(plan).await?;
    load::fill(plan, &stack).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let at_rest = stack.gateway.rss_kib()?;
    let cpu = (stack.gateway.cpu()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let idle = stack.gateway.cpu()?.saturating_sub(cpu.0).as_secs_f64() / cpu.1.elapsed().as_secs_f64();
    let count = plan.devices * plan.properties;
    row(
        &format!("gateway at rest, {} devices x {} properties, linked", plan.devices, plan.properties),
        format!("{:.1} MB resident, {:.1} % of a core", mb(at_rest), idle * 100.0),
        "25 MB",
    );
    row("cloud at rest", format!("{:.1} MB resident", mb(stack.cloud.rss_kib()?)), "40 MB");

    // Without an acknowledgement of each message, as our own mappers are served; and with one that means "stored", one
    // message at a time on each connection, as a careful application does it.
    for (how, qos, last) in [("QoS 0", Qos::AtMostOnce, 4321.0), ("QoS 1", Qos::AtLeastOnce, 1234.0)] {
        eprintln!("{} s flat out at {how} ...", plan.seconds);
        let flat = load::flat_out(plan, &stack, qos, last).await?;
        let rate = flat.updates as f64 / flat.took.as_secs_f64();
        row(
            &format!(
                "MQTT publish to SQLite commit at the edge, flat out, {how}, {} clients",
                plan.publishers
            ),
            format!("{rate:.0} updates/s, {:.2} of the raw loop", rate / raw),
            "0.5 of raw",
        );
        let cores = flat.gateway_cpu.as_secs_f64() / flat.took.as_secs_f64();
        row(
            "the same, for each second of one core that the gateway used",
            format!("{:.0} updates ({cores:.2} cores)", flat.updates as f64 / flat.gateway_cpu.as_secs_f64()),
            "20000",
        );
        row("gateway under that load", format!("{:.1} MB resident at most", mb(flat.peak_kib)), "");
        row(
            "all of that in the cloud (newest state of each property) after the last commit",
            format!("{} of {count} equal, {:.0} ms later", flat.equal, flat.cloud_lag.as_secs_f64() * 1e3),
            "equal, 1 s",
        );
        row(
            "rows that the cloud committed meanwhile",
            format!("{:.0} rows/s", flat.cloud_rows as f64 / (flat.took + flat.cloud_lag).as_secs_f64()),
            "10000",
        );
    }

    eprintln!("latency at {} updates/s ...", plan.rate);
    let latency = load::latency(plan, &stack).await?;
    for (what, samples, aim) in [
        ("publish to stored answer", latency.edge, "2 / 10 ms"),
        ("publish to the cloud's event stream", latency.cloud, "5 / 20 ms"),
    ] {
        ensure!(!samples.is_empty(), "no sample of: {what}");
        let what = format!("{what}, p50 / p99 / max at {}/s ({} samples)", plan.rate, samples.len());
        row(&what, percentiles(samples), aim);
    }
    stack.stop().await?;

    print(rows);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is the result")]
fn print(rows: Vec<Row>) {
    println!("\n| what | measured | aim |\n|---|---|---|");
    for Row { what, figure, aim } in rows {
        println!("| {what} | {figure} | {aim} |");
    }
    println!("\n{}", machine());
}

fn mb(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

fn percentiles(mut samples: Vec<Duration>) -> String {
    samples.sort_unstable();
    let at = |share: f64| samples[((samples.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    format!("{:.1} / {:.1} / {:.1} ms", at(0.5), at(0.99), at(1.0))
}

/// The machine in a line.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .unwrap_or("")
        .trim_start_matches(['\t', ' ', ':']);
    let cores = cpu.lines().filter(|l| l.starts_with("processor")).count();
    let memory = read("/proc/meminfo");
    let memory: HashMap<&str, &str> = memory.lines().filter_map(|l| l.split_once(':')).collect();
    let memory = memory.get("MemTotal").map_or("", |m| m.trim());
    format!("machine: {cores} cores ({model}), {memory}; all processes share them")
}
