//! How fast the mapper is beside a bare loop over the library, against the simulated server in a process of its own:
//! `cargo run --release -p opcua --features sim --example bench -- [ITEMS]`

#![expect(clippy::unwrap_used, reason = "a benchmark ends at the first surprise")]
#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mapper_sdk::{Driver as _, Session as _, Watch};
use opcua::sim::{SimPlant, SimServer, SimVariable};
use opcua::{Link, OpcUa, OpcUaSession, Point, Security};
use opcua_client::{ClientBuilder, DataChangeCallback, IdentityToken, Session};
use opcua_types::{
    EndpointDescription, MessageSecurityMode, MonitoredItemCreateRequest, NodeId, ReadValueId,
    TimestampsToReturn, UserTokenPolicy, Variant,
};
use tokio_util::sync::CancellationToken;

const TIME: Duration = Duration::from_secs(5);
const PUBLISH: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        return serve(arguments[1].parse().unwrap()).await;
    }
    let items: usize = arguments.first().map_or(1_000, |items| items.parse().unwrap());
    let server = Server::start(items);
    println!("{items} items, each changed every {} ms, {} s each", PUBLISH.as_millis(), TIME.as_secs());

    let raw = raw_session(&server.url).await;
    let nodes: Vec<ReadValueId> = (0..items).map(|n| ReadValueId::from(NodeId::new(2, name(n)))).collect();
    let spent = processor_time();
    let raw_reads = rate(async || {
        for part in nodes.chunks(1_000) {
            raw.read(part, TimestampsToReturn::Both, 0.0).await.unwrap();
        }
        items
    })
    .await;
    let raw_cost = cost(spent, raw_reads);
    let raw_told = raw_notifications(&raw, items).await;
    let _ = raw.disconnect().await;

    let folder = std::env::temp_dir().join(format!("twinspan-bench-{}", std::process::id()));
    let driver = OpcUa::new(&folder);
    let link = Link::to(&server.url).with_security(Security::None);
    let points: Vec<Point> = (0..items).map(|n| Point::node(&SimPlant::node(&name(n)))).collect();
    let mut session = driver.connect(&link).await.unwrap();
    let reads = {
        let spent = processor_time();
        let begun = Instant::now();
        let mut read = 0;
        while begun.elapsed() < TIME {
            read += session.read(&points).await.unwrap().len();
        }
        let reads = per_second(read, begun);
        (reads, cost(spent, reads))
    };
    let (reads, read_cost) = reads;
    let before = resident_kib();
    let watches: Vec<Watch<Point>> =
        points.iter().map(|point| Watch { point: point.clone(), every: PUBLISH }).collect();
    session.watch(&watches).await.unwrap();
    let told = notifications(&mut session).await;
    let told_cost = {
        let (spent, begun) = (processor_time(), Instant::now());
        let mut read = 0;
        while begun.elapsed() < TIME / 5 {
            read += session.read(&points).await.unwrap().len();
        }
        1e6 * (processor_time() - spent) / f64::from(u32::try_from(read).unwrap())
    };
    let memory = resident_kib().saturating_sub(before);
    session.close().await;
    let _ = std::fs::remove_dir_all(&folder);
    println!(
        "reads/s          mapper {reads:>9.0}   library {raw_reads:>9.0}   {:.0} %",
        100.0 * reads / raw_reads
    );
    println!(
        "processor time of a value read: mapper {read_cost:.2} us, library {raw_cost:.2} us; of one that was told: {told_cost:.2} us"
    );
    println!(
        "notifications/s  mapper {told:>9.0}   library {raw_told:>9.0}   {:.0} %",
        100.0 * told / raw_told
    );
    println!("memory of the subscription {memory} KiB, of the process {} KiB", resident_kib());
}

/// Seconds of a processor that this process has used.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may have spaces: the fields from the third; 14 and 15 are the times in hundredths of a second.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// Microseconds of a processor for each of so many a second.
fn cost(spent: f64, rate: f64) -> f64 {
    1e6 * (processor_time() - spent) / (rate * TIME.as_secs_f64())
}

fn name(n: usize) -> String {
    format!("Many.{n}")
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per_second(count: usize, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}

async fn rate(mut work: impl AsyncFnMut() -> usize) -> f64 {
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < TIME {
        count += work().await;
    }
    per_second(count, begun)
}

async fn notifications(session: &mut OpcUaSession) -> f64 {
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < TIME {
        session.changed().await.unwrap();
        count += 1;
    }
    per_second(count, begun)
}

async fn raw_session(url: &str) -> Arc<Session> {
    let mut client = ClientBuilder::new()
        .application_name("bench")
        .application_uri("urn:bench")
        .pki_dir(std::env::temp_dir().join("twinspan-bench-pki"))
        .max_array_length(200_000)
        .max_message_size(32 * 1_024 * 1_024)
        .max_chunk_count(4_096)
        .client()
        .unwrap();
    let endpoint: EndpointDescription =
        (url, "None", MessageSecurityMode::None, UserTokenPolicy::anonymous()).into();
    let (session, events) =
        client.connect_to_matching_endpoint(endpoint, IdentityToken::Anonymous).await.unwrap();
    // The library's own way of running it.
    drop(events.spawn());
    session.wait_for_connection().await;
    session
}

async fn raw_notifications(session: &Session, items: usize) -> f64 {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let callback = DataChangeCallback::new(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let id = session.create_subscription(PUBLISH, 1_000, 20, 0, 0, true, callback).await.unwrap();
    let nodes: Vec<usize> = (0..items).collect();
    for part in nodes.chunks(1_000) {
        let requests = part.iter().map(|n| {
            let mut request = MonitoredItemCreateRequest::from(NodeId::new(2, name(*n)));
            request.requested_parameters.sampling_interval = 100.0;
            request
        });
        session.create_monitored_items(id, TimestampsToReturn::Both, requests.collect()).await.unwrap();
    }
    count.store(0, Ordering::Relaxed);
    let begun = Instant::now();
    tokio::time::sleep(TIME).await;
    per_second(usize::try_from(count.load(Ordering::Relaxed)).unwrap(), begun)
}

/// The server in a process of its own.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(items: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.args(["serve", &items.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: line.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn serve(items: usize) {
    let plant = SimPlant::default();
    let names: Vec<String> = (0..items).map(name).collect();
    for name in &names {
        plant.add(name, SimVariable::new(Variant::Int32(0)));
    }
    let server = SimServer::bind("127.0.0.1:0".parse().unwrap(), plant).await.unwrap();
    let running = server.clone();
    let work = async {
        server.ready().await;
        println!("opc.tcp://{}", server.address());
        let mut tick = tokio::time::interval(PUBLISH);
        for step in 0.. {
            tick.tick().await;
            server.set(names.iter().map(|name| (name.as_str(), Variant::Int32(step))));
        }
    };
    tokio::select! {
        ended = running.run(CancellationToken::new()) => ended.unwrap(),
        () = work => {}
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
