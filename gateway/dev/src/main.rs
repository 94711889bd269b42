//! Cloud, gateway and simulated devices of every protocol in one process on loopback: to try it.

mod plants;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use config::{Level, Log, LogFormat, NoSecrets, Source};
use plants::Plants;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twin_core::NodeName;
use twinspan::running::Choice;
use twinspan::wiring::{Gateway, protocols};
use twinspan_cloud::{Bound, Cloud};

/// Twinspan to try: a cloud, a gateway and simulated devices of every protocol in one process, on loopback only.
#[derive(Debug, Parser)]
#[command(name = "twinspan-dev", version, about)]
struct Args {
    /// Keep the data here; without it everything is forgotten at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The port of the page and of the cloud's REST.
    #[arg(long, default_value_t = 8480)]
    port: u16,
    /// The port of the gateway's REST.
    #[arg(long, default_value_t = 7480)]
    gateway_port: u16,
    /// The port of the gateway's MQTT broker; 0 takes a free one.
    #[arg(long, default_value_t = 1883)]
    mqtt_port: u16,
    /// Log more: debug lines of every part.
    #[arg(long, short)]
    verbose: bool,
}

const NODE: &str = "dev";
const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

fn main() -> ExitCode {
    let args = Args::parse();
    let level = if args.verbose { Level::Debug } else { Level::Warn };
    twinspan::log::init(Log { level, format: LogFormat::Auto });
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
    let data = args.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    let stop = CancellationToken::new();
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();

    let gateway_data = data.join("gateway");
    let plants = Plants::start(SocketAddr::from((LOOPBACK, 0)), &gateway_data, &mut tasks, &stop).await?;

    let cloud = bind_cloud(&data.join("cloud"), args.port).await?;
    let (page, hub) = (cloud.rest_addr(), cloud.hub_addr());
    let node: NodeName = NODE.parse()?;
    let join = cloud.create_join_token(node, Duration::from_secs(600)).await?;
    let token = stop.clone();
    tasks.spawn(async move { cloud.run(token).await.context("the cloud") });

    let mut sources = vec![Source::new("the demonstration", settings(&args, &gateway_data, hub, &join))];
    sources.extend(plants.sources.iter().cloned());
    let loaded = config::load(&sources, &protocols(), &NoSecrets);
    let mut loaded = loaded.map_err(|faults| anyhow::anyhow!("{faults}"))?;
    let outside = plants.take_ble(&mut loaded.config);
    let gateway = Gateway::start(Choice::fixed(loaded)).await.context("the gateway")?;
    let addresses = gateway.addresses().clone();
    let gateway_stop = CancellationToken::new();
    let token = gateway_stop.clone();
    let mut running = JoinSet::new();
    running.spawn(gateway.run(token));
    let mapper_stop = CancellationToken::new();
    let mut mapper = JoinSet::new();
    mapper.spawn(outside.run(addresses.mqtt.clone(), mapper_stop.clone()));

    announce(page, &addresses, &plants.lines, args.data.as_deref());
    let mut terminate = signal(SignalKind::terminate())?;
    let ended = tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = terminate.recv() => Ok(()),
        ended = running.join_next() => Err(anyhow::anyhow!("the gateway has ended: {ended:?}")),
        Some(ended) = tasks.join_next() => Err(anyhow::anyhow!("a part has ended: {ended:?}")),
        Some(ended) = mapper.join_next() => Err(anyhow::anyhow!("a mapper has ended: {ended:?}")),
    };
    mapper_stop.cancel();
    while let Some(ended) = mapper.join_next().await {
        ended??;
    }
    // The gateway first, so that what it owes still reaches the cloud.
    gateway_stop.cancel();
    while let Some(gateway) = running.join_next().await {
        gateway??;
    }
    stop.cancel();
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    ended
}

/// The cloud on its usual port, or on a free one when that is taken.
async fn bind_cloud(data: &Path, port: u16) -> anyhow::Result<Bound> {
    let free = std::net::TcpListener::bind(SocketAddr::from((LOOPBACK, port))).is_ok();
    let mut settings = twinspan_cloud::Settings::new(data.to_owned());
    settings.listen = SocketAddr::from((LOOPBACK, if free { port } else { 0 }));
    settings.hub = SocketAddr::from((LOOPBACK, 0));
    Cloud::new(settings).bind().await.context("the cloud")
}

fn settings(args: &Args, data: &Path, hub: SocketAddr, join: &str) -> String {
    let port = |wanted: u16| match std::net::TcpListener::bind(SocketAddr::from((LOOPBACK, wanted))) {
        Ok(_) => wanted,
        Err(_) => 0,
    };
    let (mqtt, api) = (port(args.mqtt_port), port(args.gateway_port));
    let data = data.display().to_string();
    format!(
        "gateway:\n  node: {NODE}\n  data_dir: {data:?}\n  mqtt: {{embedded: {{listen: \"127.0.0.1:{mqtt}\"}}}}\n  \
         api: {{listen: \"127.0.0.1:{api}\"}}\n  cloud: {{url: \"wss://{hub}\", token: {join:?}}}\n"
    )
}

#[expect(clippy::print_stdout, reason = "what to open is the point of the program")]
fn announce(page: SocketAddr, gateway: &twinspan::wiring::Addresses, plants: &[String], data: Option<&Path>) {
    println!();
    println!("  Twinspan is running. Open");
    println!();
    println!("      http://{page}/");
    println!();
    println!("  cloud REST     http://{page}/api/v1/nodes");
    println!("  gateway REST   http://{}/api/v1/devices", gateway.api);
    println!("  MQTT           {}    try: mosquitto_sub -t '$hw/#' -v", gateway.mqtt);
    for line in plants {
        println!("  {line}");
    }
    match data {
        Some(data) => println!("  data           {}", data.display()),
        None => println!("  data           forgotten at the end; keep it with --data DIR"),
    }
    println!();
    println!("  Ctrl-C ends it.");
}
