//! `twinspan status`.

use std::process::ExitCode;

use super::block_on_code;
use super::configure::{date, print_refusal};
use super::remote::Remote;
use crate::api::status::{GatewayStatus, LaneView};
use crate::api::store::StoreView;

/// How many lanes are shown when not all are asked for.
const MOST_LANES: usize = 10;

/// Prints the gateway at a glance.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn status(all: bool, json: bool, remote: &Remote) -> ExitCode {
    block_on_code(async {
        let status: GatewayStatus = match remote.get("/api/v1/status").await {
            Ok(status) => status,
            Err(refusal) => return print_refusal(&refusal),
        };
        if json {
            return super::print(&status);
        }
        println!("node           {} (twinspan {})", status.node, status.version);
        println!("running since  {} UTC", date(status.started_at));
        println!("MQTT           {}", status.mqtt);
        match &status.link {
            Some(link) => {
                println!("link           {} since {} UTC", link.state, date(link.since));
                if let Some(error) = link.last_error.as_ref().filter(|_| link.state != "connected") {
                    println!("               {error}");
                }
            }
            None => println!("link           no cloud is configured"),
        }
        let devices = &status.devices;
        println!(
            "devices        {} online, {} offline, {} unknown",
            devices.online, devices.offline, devices.unknown
        );
        let alarms = &status.alarms;
        println!(
            "alarms         {} critical, {} warning, {} info",
            alarms.critical, alarms.warning, alarms.info
        );
        print_store(&status.store);
        print_machine(&status);
        if let Some(revision) = status.configuration {
            println!("configuration  revision {revision}");
        }
        let requests = &status.requests;
        println!(
            "MQTT requests  {} taken, {} refused, {} on unknown topics",
            requests.taken, requests.refused, requests.bad_topics
        );
        print_lanes(status.lanes, all);
        ExitCode::SUCCESS
    })
}

/// What is owed, what waits, the disk, the process, certificates that end soon, and what does not work.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
fn print_machine(status: &GatewayStatus) {
    if let Some(backlog) = &status.backlog {
        match backlog.revisions {
            Some(0) => println!("backlog        nothing; the cloud has everything"),
            Some(revisions) => {
                println!("backlog        {revisions} revisions, the oldest {} s old", backlog.age_ms / 1000);
            }
            None => println!("backlog        not known before the first connection to the cloud"),
        }
    }
    for queue in status.queues.iter().filter(|queue| queue.waiting > 0) {
        println!("queue          {}: {} of {} wait", queue.name, queue.waiting, queue.capacity);
    }
    let (disk, process) = (&status.disk, &status.process);
    let megabytes = |bytes: u64| bytes / 1_000_000;
    println!(
        "disk           {} MB of data, {} MB free",
        megabytes(disk.data_bytes),
        megabytes(disk.free_bytes)
    );
    println!(
        "process        {} MB of memory, {} s of processor, {} descriptors, {} threads",
        megabytes(process.resident_bytes),
        process.cpu_ms / 1000,
        process.open_fds,
        process.threads
    );
    for certificate in &status.certificates {
        println!("certificate    {} ends {} UTC", certificate.path, date(certificate.not_after));
    }
    let writes = &status.writes;
    println!(
        "writes         {} applied, {} refused, {} failed",
        writes.applied, writes.refused, writes.failed
    );
    for part in &status.not_ready {
        println!("NOT READY      {}: {}", part.name, part.why);
    }
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
fn print_store(store: &StoreView) {
    match (&store.reason, store.since) {
        (Some(reason), Some(since)) => {
            println!("store          CANNOT BE WRITTEN since {} UTC", date(since));
            println!("               {reason}");
            println!("               {} documents wait in memory", store.waiting_documents);
        }
        (_, _) => println!("store          ok"),
    }
    if let Some(damage) = &store.damage {
        println!("               it was DAMAGED, found {} UTC: {}", date(damage.at), damage.reason);
        println!(
            "               {} documents kept; the damaged file is {}",
            damage.kept_documents, damage.moved_to
        );
    }
}

/// Those that do worst first.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
fn print_lanes(mut lanes: Vec<LaneView>, all: bool) {
    if lanes.is_empty() {
        return;
    }
    lanes.sort_by_key(|lane| std::cmp::Reverse((lane.overruns, lane.failures, lane.busy_ms)));
    println!();
    println!("  DEVICES      READS   FAILURES   OVERRUNS  LONGEST  LANE");
    let shown = if all { lanes.len() } else { lanes.len().min(MOST_LANES) };
    for lane in lanes.iter().take(shown) {
        println!(
            "  {:>7} {:>10} {:>10} {:>10} {:>5} ms  {}",
            lane.devices, lane.reads, lane.failures, lane.overruns, lane.longest_read_ms, lane.lane
        );
    }
    if shown < lanes.len() {
        println!("  and {} more; --all shows them", lanes.len() - shown);
    }
}
