//! A month without a link, with histories: real databases, virtual time. The disk stays bounded, the upload is killed
//! half way at both ends, and in the end the cloud has what the edge has, sample by sample.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use cloud_store::CloudStore;
use fastrand::Rng;
use twin_core::history::{
    CollectEffect, Collector, Message, Reading, SampleRange, UploadEffect, UploadLimits, Uploader,
};
use twin_core::replica::{Effect, Limits, Replica};
use twin_core::{
    Change, Incarnation, NodeName, PropertyId, Quality, Reported, Side, Stream, Timestamp, Value, Why,
};
use twin_store::{HistoryBounds, NewSample, Reader, TwinStore};

/// How long, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How many days without a link.
    pub days: u32,
    /// How many properties have a history.
    pub properties: u32,
    /// How often all of them are read, in seconds; three in four have changed then.
    pub every_s: u32,
    /// How large the database may grow.
    pub max_bytes: u64,
    /// The process is killed and started again so often while the link is away.
    pub restarts: u32,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Month {
    /// Samples that were logged.
    pub logged: u64,
    /// Samples that the edge still had when the link came back.
    pub kept: u64,
    /// Samples in the cloud at the end.
    pub arrived: u64,
    /// Samples that the cloud was told it will never get.
    pub missed: u64,
    /// The most bytes on the disk, the write-ahead log with it.
    pub most_disk_bytes: u64,
    /// The bytes of the database that were in use when the link came back.
    pub used_bytes: u64,
    /// Bytes handed to the file system in one day, all databases of the edge; 0 where the system does not tell.
    pub written_bytes_a_day: u64,
    /// Samples uploaded in a second.
    pub uploaded_a_second: u64,
    /// How often the upload was killed, at either end.
    pub kills: u32,
}

struct Edge {
    writer: TwinStore,
    reader: Reader,
    replica: Replica,
    incarnation: Incarnation,
}

impl Edge {
    async fn start(dir: &Path, number: u64) -> Result<Self> {
        let (mut writer, reader) = TwinStore::open(dir).await?;
        let incarnation = Incarnation::new(number);
        let replica =
            Replica::new(Side::Edge, incarnation, &writer.stored(Stream::Twin).await?, Limits::default());
        Ok(Self { writer, reader, replica, incarnation })
    }

    /// Commits what changed, as the service does.
    async fn commit(&mut self, samples: &[NewSample]) -> Result<()> {
        for NewSample { id, reading } in samples {
            let Reading { at, source_time, quality, value } = reading.clone();
            let body = Reported { value, quality, source_time, gateway_time: Some(at), outcome: None };
            self.replica.write(Change::Reported(id.clone(), Some(body)))?;
        }
        let mut waiting = samples;
        while let Some(effect) = self.replica.poll_effect() {
            if let Effect::Commit(commit) = effect {
                self.writer.commit_with(&commit, std::mem::take(&mut waiting)).await?;
                self.replica.handle_committed(commit.token);
            }
        }
        Ok(())
    }

    async fn tend(&mut self, bounds: HistoryBounds, now: Timestamp) -> Result<()> {
        while self.writer.tend_history(&HashMap::new(), bounds, now).await?.more {}
        Ok(())
    }

    /// As after `kill -9`: nothing is closed in order.
    async fn killed(self) {
        self.reader.close().await;
        drop(self.writer);
    }
}

fn id(n: u32) -> PropertyId {
    let names = (format!("pump-{}", n / 10).parse(), format!("p{}", n % 10).parse());
    match names {
        (Ok(device), Ok(property)) => PropertyId::new(device, property),
        (Err(error), _) | (_, Err(error)) => unreachable!("{error}"),
    }
}

fn disk(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum()
}

/// What this process has handed to the file system so far.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Lives through it in a folder that is empty.
///
/// # Errors
/// In words, what does not hold.
pub async fn run_month(plan: Plan, dir: &Path) -> Result<Month> {
    let mut month = Month::default();
    let bounds = HistoryBounds { max_bytes: plan.max_bytes, ..HistoryBounds::default() };
    let edge_dir = dir.join("edge");
    let mut edge = Edge::start(&edge_dir, 1).await?;
    let mut now = Timestamp::from_millis(1_700_000_000_000);
    let mut rng = Rng::with_seed(30);
    let ticks = u64::from(plan.days) * 86_400 / u64::from(plan.every_s);
    let (before, mut starts) = (written(), 1);
    for tick in 0..ticks {
        now = now.after(Duration::from_secs(u64::from(plan.every_s)));
        let mut samples = Vec::new();
        for n in 0..plan.properties {
            if rng.u8(..4) > 0 {
                samples.push(NewSample { id: id(n), reading: reading(&mut rng, tick, now) });
            }
        }
        month.logged += samples.len() as u64;
        edge.commit(&samples).await?;
        edge.tend(bounds, now).await?;
        if tick % 60 == 0 {
            month.most_disk_bytes = month.most_disk_bytes.max(disk(&edge_dir));
        }
        if plan.restarts > 0 && tick % (ticks / u64::from(plan.restarts + 1)).max(1) == 7 {
            edge.killed().await;
            starts += 1;
            edge = Edge::start(&edge_dir, starts).await?;
        }
    }
    month.written_bytes_a_day = (written() - before) / u64::from(plan.days);
    let size = edge.reader.history_size().await?;
    (month.kept, month.used_bytes) = (size.samples, size.used_bytes);
    ensure!(size.newest == month.logged, "{} logged, the log ends at {}", month.logged, size.newest);
    // The write-ahead log comes on top, and what the last step of a minute had not dropped yet.
    let most = plan.max_bytes + (40 << 20);
    ensure!(month.most_disk_bytes <= most, "{} bytes on the disk, {most} allowed", month.most_disk_bytes);

    let node: NodeName = "plant".parse()?;
    let cloud_dir = dir.join("cloud");
    let started = Instant::now();
    let kills = [1, 3, 5].map(|part| month.kept * part / 6);
    let mut kills: VecDeque<u64> = kills.into();
    loop {
        let cloud = CloudStore::open(&cloud_dir, Incarnation::new(starts)).await?;
        let stop_at = kills.front().copied();
        let whole = upload(&edge, &cloud, &node, stop_at).await?;
        if whole {
            let of_node = cloud.history().of_node(&node).await?;
            (month.arrived, month.missed) = (of_node.samples, of_node.missed);
            month.uploaded_a_second = (month.arrived as f64 / started.elapsed().as_secs_f64()) as u64;
            ensure!(
                month.arrived + month.missed == month.logged,
                "{} arrived and {} are told as missed, of {}",
                month.arrived,
                month.missed,
                month.logged
            );
            same(plan, &edge, &cloud, &node).await?;
            cloud.close().await;
            return Ok(month);
        }
        kills.pop_front();
        month.kills += 1;
        // One after the other: the cloud without a word, and with every second one the edge.
        drop(cloud);
        if month.kills.is_multiple_of(2) {
            edge.killed().await;
            starts += 1;
            edge = Edge::start(&edge_dir, starts).await?;
        }
    }
}

/// Sends until all is there, or so many samples are in the cloud: then false.
async fn upload(edge: &Edge, cloud: &CloudStore, node: &NodeName, stop_at: Option<u64>) -> Result<bool> {
    let store = cloud.history();
    let mut uploader = Uploader::new(edge.reader.runs().await?, UploadLimits::default());
    let mut collector = Collector::new(store.known(node).await?);
    // A process that has logged nothing yet tells only what its database holds.
    let size = edge.reader.history_size().await?;
    if let Some(run) = edge.reader.runs().await?.last().filter(|run| run.incarnation == edge.incarnation) {
        uploader.handle_logged(twin_core::history::Place { incarnation: run.incarnation, seq: size.newest });
    }
    let now = Timestamp::from_millis(0);
    let (mut up, mut down): (VecDeque<Message>, VecDeque<Message>) = Default::default();
    uploader.handle_connected();
    collector.handle_connected();
    loop {
        let mut moved = false;
        while let Some(effect) = uploader.poll_effect() {
            moved = true;
            match effect {
                UploadEffect::Send(message) => up.push_back(message),
                UploadEffect::Fetch { token, after, up_to, limit } => {
                    let samples = edge.reader.log(after, up_to, u32::try_from(limit)?).await?;
                    let more = samples.len() == limit;
                    uploader.handle_fetched(token, samples, more, now);
                }
            }
        }
        while let Some(effect) = collector.poll_effect() {
            moved = true;
            match effect {
                CollectEffect::Send(message) => down.push_back(message),
                CollectEffect::Commit(collected) => {
                    store.collect(node, &collected).await?;
                    if stop_at.is_some_and(|most| collected.end.seq >= most) {
                        return Ok(false);
                    }
                    collector.handle_committed();
                }
            }
        }
        if let Some(message) = up.pop_front() {
            moved = true;
            collector.handle_message(message)?;
        }
        if let Some(message) = down.pop_front() {
            moved = true;
            uploader.handle_message(message, now)?;
        }
        if !moved {
            ensure!(
                uploader.backlog() == Some(0),
                "it is quiet with {:?} samples to send",
                uploader.backlog()
            );
            return Ok(true);
        }
    }
}

/// Compares both histories, property by property and sample by sample, in order of time.
async fn same(plan: Plan, edge: &Edge, cloud: &CloudStore, node: &NodeName) -> Result<()> {
    for n in 0..plan.properties {
        let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(i64::MAX));
        let range = SampleRange { id: id(n), from, to, after: None, limit: u32::MAX };
        let here = edge.reader.samples(&range).await?;
        let there = cloud.history().samples(node, &range).await?;
        let here: Vec<_> = here.into_iter().map(|sample| sample.reading).collect();
        let there: Vec<_> = there.into_iter().map(|(_, reading)| reading).collect();
        ensure!(here == there, "{} differs: {} samples here, {} there", range.id, here.len(), there.len());
    }
    Ok(())
}

fn reading(rng: &mut Rng, tick: u64, at: Timestamp) -> Reading {
    let gap = rng.u8(..50) == 0;
    #[expect(clippy::cast_precision_loss, reason = "any number will do")]
    let number = (tick as f64 / 700.0).sin() * 100.0 + rng.f64();
    Reading {
        at,
        source_time: None,
        quality: if gap { Quality::Bad(Why::DeviceUnreachable) } else { Quality::Good },
        value: if gap { None } else { Value::float(number).ok() },
    }
}

/// The same on a runtime of its own, in a folder that is gone afterwards.
///
/// # Errors
/// In words, what does not hold.
pub fn live_through(plan: Plan) -> Result<Month> {
    let dir = tempfile::tempdir().context("no folder for the databases")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run_month(plan, dir.path()))
}
