//! The whole gateway with ten thousand OPC UA items on one server, which is a process of its own: its memory, and its processor time
//! while a thousand of them change every second.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use opcua::sim::{SimPlant, SimServer, SimVariable};
use opcua_types::Variant;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::process::{free_port, start, wait_for};
use super::{Row, mb, print, stream};

const DEVICES: usize = 10;
const PROPERTIES: usize = 1_000;
const CHANGES_PER_SECOND: usize = 1_000;
/// How often some of the items change.
const STEP: Duration = Duration::from_millis(100);
/// How long the first value of every property may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// Measures for `window`, and prints a table.
///
/// # Errors
/// When something does not start, does not answer, or gives old values.
pub async fn run(window: Duration) -> anyhow::Result<()> {
    let (_plant, server) = plant_process().await?;
    let folder = tempfile::tempdir()?;
    let (mqtt, api) = (free_port()?, free_port()?);
    let config = folder.path().join("bench.yaml");
    std::fs::write(&config, yaml(server, &folder.path().join("data").display().to_string(), mqtt, api)?)?;
    eprintln!("the gateway takes up {} items ...", DEVICES * PROPERTIES);
    let gateway = start("twinspan", &["run", &config.display().to_string()], &folder.path().join("log"))?;
    wait_for(api, "/readyz").await?;
    let begun = Instant::now();
    for device in 0..DEVICES {
        while let Err(why) = steps(api, device).await {
            ensure!(begun.elapsed() < DEADLINE, "device {device}: {why}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let took_up = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(5)).await;
    eprintln!("{CHANGES_PER_SECOND} changes a second ...");
    let before = steps(api, 0).await?;
    let (cpu, started, mut peak_kib) = (gateway.cpu()?, Instant::now(), 0);
    while started.elapsed() < window {
        peak_kib = peak_kib.max(gateway.rss_kib()?);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = started.elapsed();
    let cores = gateway.cpu()?.saturating_sub(cpu).as_secs_f64() / took.as_secs_f64();
    let after = steps(api, 0).await?;
    let seen = after.iter().zip(&before).filter(|(after, before)| after > before).count();
    gateway.stop().await?;
    // Every item changes once in ten seconds: nearly all have in any longer window.
    let rounds = DEVICES * PROPERTIES / CHANGES_PER_SECOND;
    let all_changed = window > Duration::from_secs(2 * rounds as u64);
    ensure!(!all_changed || seen == PROPERTIES, "only {seen} of {PROPERTIES} properties of a device changed");
    let row = |what: &str, figure: String, aim| Row { what: what.to_owned(), figure, aim };
    print(vec![
        row(
            "gateway, 10,000 OPC UA items of 10 devices on one server, all reported once",
            format!("{:.1} s", took_up.as_secs_f64()),
            "",
        ),
        row(
            "the same, 1,000 changes a second",
            format!("{:.1} % of a core, {:.1} MB resident at most", cores * 100.0, mb(peak_kib)),
            "40 MB",
        ),
    ]);
    Ok(())
}

/// What the gateway shows of a device: for each property, in which step it changed.
async fn steps(api: u16, device: usize) -> anyhow::Result<Vec<i64>> {
    let path = format!("/api/v1/devices/default/dev-{device}/twin");
    let (status, body) = stream::get(api, &path).await?;
    ensure!(status == 200, "{status} from {path}");
    let twin: serde_json::Value = serde_json::from_slice(&body)?;
    let step = |property: usize| {
        let reported = &twin["properties"][format!("p{property}")]["reported"];
        reported["value"].as_i64().with_context(|| format!("p{property}: {reported}"))
    };
    (0..PROPERTIES).map(step).collect()
}

fn name(item: usize) -> String {
    format!("Many.{item}")
}

fn yaml(server: SocketAddr, data: &str, mqtt: u16, api: u16) -> Result<String, std::fmt::Error> {
    let mut text = format!(
        "gateway:\n  node: bench\n  data_dir: {data:?}\n  mqtt: {{embedded: {{listen: \"127.0.0.1:{mqtt}\"}}}}\n  \
         api: {{listen: \"127.0.0.1:{api}\"}}\ndevices:\n"
    );
    for device in 0..DEVICES {
        let link = format!("{{url: \"opc.tcp://{server}\", security: none}}");
        writeln!(text, "  dev-{device}:\n    opcua: {link}\n    properties:")?;
        for property in 0..PROPERTIES {
            let node = SimPlant::node(&name(device * PROPERTIES + property));
            writeln!(text, "      p{property}: {{type: int, every: 1s, opcua: {{node: \"{node}\"}}}}")?;
        }
    }
    Ok(text)
}

async fn plant_process() -> anyhow::Result<(Child, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg("opcua-plant").stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    let line = lines.next_line().await?.context("the server does not say where it listens")?;
    Ok((child, line.parse()?))
}

/// Runs the server until it is ended: a tenth of its items changes every second.
///
/// # Errors
/// When it cannot run.
#[expect(clippy::print_stdout, reason = "the other process reads it")]
pub async fn plant() -> anyhow::Result<()> {
    let plant = SimPlant::default();
    let names: Vec<String> = (0..DEVICES * PROPERTIES).map(name).collect();
    for name in &names {
        plant.add(name, SimVariable::new(Variant::Int32(0)));
    }
    let server = SimServer::bind(SocketAddr::from(([127, 0, 0, 1], 0)), plant).await?;
    let running = server.clone();
    let work = async {
        server.ready().await;
        println!("{}", server.address());
        let mut tick = tokio::time::interval(STEP);
        let each = CHANGES_PER_SECOND * usize::try_from(STEP.as_millis()).unwrap_or(1) / 1_000;
        for (step, part) in (1..).zip(names.chunks(each).cycle()) {
            tick.tick().await;
            server.set(part.iter().map(|name| (name.as_str(), Variant::Int32(step))));
        }
    };
    tokio::select! {
        ended = running.run(CancellationToken::new()) => Ok(ended?),
        () = work => Ok(()),
    }
}
