//! What the gateway takes when nothing changes: memory and processor time of `twinspan run` as a process of its own.
//!
//! The environment goes on to the gateway: `MALLOC_ARENA_MAX=1` or `LD_PRELOAD` of another allocator can be compared.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::modbus::plant_of;
use super::process::{Child, free_port, start, wait_for};
use super::{Row, print, stream};

const DEVICES: usize = 1_000;
const PROPERTIES: usize = 10;
/// How long the first readings may take to be over.
const SETTLED: Duration = Duration::from_secs(120);

/// How the devices are reached.
#[derive(Clone, Copy)]
enum Reach {
    /// A mapper outside would speak for them; none does.
    Nobody,
    /// So many on each of some Modbus TCP addresses, read every second.
    Shared(usize),
}

/// Measures and prints a table.
///
/// # Errors
/// When the gateway does not start or does not become settled.
pub async fn run(window: Duration) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (devices, reach, what, aim) in [
        (1, Reach::Nobody, "1 device", ""),
        (DEVICES, Reach::Nobody, "1,000 devices x 10 properties, no driver", "40 MB, 2 %"),
        (
            DEVICES,
            Reach::Shared(50),
            "1,000 devices x 10 properties, read every second, 50 on each of 20 addresses",
            "40 MB, 2 %",
        ),
        (DEVICES, Reach::Shared(1), "1,000 devices x 10 properties, read every second, an address each", ""),
    ] {
        eprintln!("{what} ...");
        let figure = measure(devices, reach, window).await.with_context(|| what.to_owned())?;
        eprintln!("  {figure}");
        rows.push(Row { what: what.to_owned(), figure, aim });
    }
    print(rows);
    Ok(())
}

async fn measure(devices: usize, reach: Reach, window: Duration) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let (mqtt, api) = (free_port()?, free_port()?);
    let data = folder.path().join("data").display().to_string();
    let mut text = format!(
        "gateway:\n  node: still\n  data_dir: {data:?}\n  mqtt: {{embedded: {{listen: \"127.0.0.1:{mqtt}\"}}}}\n  \
         api: {{listen: \"127.0.0.1:{api}\"}}\nmodels:\n  meter:\n"
    );
    let plant = match reach {
        Reach::Nobody => None,
        Reach::Shared(together) => Some((plant_of(devices.div_ceil(together), false).await?, together)),
    };
    if plant.is_some() {
        text += "    parameters: {port: {type: int}, unit: {type: int}}\n    \
                 modbus: {tcp: \"127.0.0.1:$(port)\", unit: $(unit)}\n";
    }
    text += "    properties:\n";
    for property in 0..PROPERTIES {
        match plant {
            Some(_) => writeln!(
                text,
                "      p{property}: {{type: int, every: 1s, modbus: {{holding: {property}}}}}"
            )?,
            None => writeln!(text, "      p{property}: {{type: int}}")?,
        }
    }
    text += "devices:\n";
    for device in 0..devices {
        match &plant {
            Some((plant, together)) => {
                let port = plant.ports.get(device / together).context("a port for each device")?;
                let unit = device % together + 1;
                writeln!(text, "  dev-{device}: {{model: meter, with: {{port: {port}, unit: {unit}}}}}")?;
            }
            None => writeln!(text, "  dev-{device}: {{model: meter}}")?,
        }
    }
    let config = folder.path().join("gateway.yaml");
    std::fs::write(&config, text)?;
    let gateway = start("twinspan", &["run", &config.display().to_string()], &folder.path().join("log"))?;
    wait_for(api, "/readyz").await?;
    if plant.is_some() {
        all_online(api, devices).await?;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (cpu, begun) = (gateway.cpu()?, Instant::now());
    tokio::time::sleep(window).await;
    let percent = gateway.cpu()?.saturating_sub(cpu).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    let figure = format!("{}, {percent:.1} % of a core", memory(&gateway)?);
    gateway.stop().await?;
    Ok(figure)
}

async fn all_online(api: u16, devices: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + SETTLED;
    loop {
        let (_, body) = stream::get(api, "/api/v1/status").await?;
        let status: serde_json::Value = serde_json::from_slice(&body)?;
        if status["devices"]["online"].as_u64() == Some(devices as u64) {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "not all devices answer: {}", status["devices"]);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Resident memory, and what it is made of.
fn memory(gateway: &Child) -> anyhow::Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid()))?;
    let megabytes = |name: &str| -> anyhow::Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context(name.to_owned())?;
        let kib: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kib * 1024.0 / 1e6)
    };
    Ok(format!(
        "{:.1} MB resident ({:.1} of its own, {:.1} of the program's file), {:.1} at most",
        megabytes("VmRSS")?,
        megabytes("RssAnon")?,
        megabytes("RssFile")?,
        megabytes("VmHWM")?
    ))
}
