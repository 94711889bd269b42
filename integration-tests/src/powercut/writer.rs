//! The process that is recorded: the real service with reports, overrides, wishes of a cloud, write-backs and restarts. It
//! acknowledges on standard output, one `write` each.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use device_twin::{DeviceTwin, Handle, OverrideRequest, Report, ReportedChange, Settings, Update};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twin_core::replica::{Base, Batch, Limits, LinkCommand, LinkEvent, Message};
use twin_core::{
    Access, Change, Cursor, Desired, DeviceDefinition, DeviceId, Entry, Incarnation, Override,
    PropertyDefinition, PropertyId, Quality, Revision, Stream, Timestamp, Value, ValueType,
};
use twin_store::TwinStore;

/// How often the service is started.
const ROUNDS: u64 = 3;
/// Who reports at the same time, each of properties of its own.
const REPORTERS: u64 = 3;
const REPORTS: i64 = 40;
const OVERRIDES: i64 = 20;
const WISHES: u64 = 20;
/// The properties of each reporter; two and two are always reported together, with the same value.
pub(super) const PAIRS: u64 = 4;

/// Writes to a database in `data` and acknowledges what is stored.
///
/// # Errors
/// When the service fails.
pub async fn write(data: &Path, seed: u64) -> anyhow::Result<()> {
    for round in 0..ROUNDS {
        let (link_events, events) = mpsc::channel(64);
        let (commands, link) = mpsc::channel(64);
        let settings = Settings {
            data_dir: data.to_owned(),
            incarnation: Incarnation::new(seed.wrapping_mul(100).wrapping_add(round)),
            limits: Limits::default(),
            settle: Duration::from_millis(1),
            history: twin_store::HistoryBounds::default(),
            now,
        };
        let (service, handle, _) = DeviceTwin::open(settings, events, commands).await?;
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(service.run(stop.clone()));
        handle.declare(BTreeMap::from([(device()?, definition()?)])).await?;
        let mut work = JoinSet::new();
        for reporter in 0..REPORTERS {
            work.spawn(report(handle.clone(), seed, round, reporter));
        }
        work.spawn(set(handle.clone(), round));
        work.spawn(wish(link_events, link, seed, round));
        work.spawn(write_back(data.join(TwinStore::FILE), seed ^ round));
        while let Some(ended) = work.join_next().await {
            ended??;
        }
        stop.cancel();
        while let Some(ended) = running.join_next().await {
            ended??;
        }
    }
    Ok(())
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(since)
}

fn device() -> anyhow::Result<DeviceId> {
    Ok("pump".parse()?)
}

fn definition() -> anyhow::Result<DeviceDefinition> {
    let text = |name: String| {
        anyhow::Ok((name.parse()?, PropertyDefinition::new(ValueType::String, Access::ReadWrite)))
    };
    let mut properties = BTreeMap::new();
    for reporter in 0..REPORTERS {
        for pair in 0..PAIRS {
            properties
                .extend([text(format!("r{reporter}-{pair}-a"))?, text(format!("r{reporter}-{pair}-b"))?]);
        }
    }
    properties.extend([text("set".to_owned())?, text("wish".to_owned())?]);
    Ok(DeviceDefinition { protocol: "test".to_owned(), properties, ..DeviceDefinition::default() })
}

/// A number, with ballast of another length each time.
fn value(number: i64, ballast: usize) -> Value {
    Value::String(format!("{number} {}", "x".repeat(ballast)))
}

/// One line, one call: the recording shows where it stands among the others.
fn acknowledge(what: &str, number: i64) -> anyhow::Result<()> {
    let line = format!("{what} {number}\n");
    std::io::stdout().lock().write_all(line.as_bytes())?;
    Ok(())
}

fn number(round: u64, step: i64) -> anyhow::Result<i64> {
    Ok(i64::try_from(round)? * 1000 + step)
}

async fn report(handle: Handle, seed: u64, round: u64, reporter: u64) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(seed ^ (round << 8) ^ reporter);
    for step in 1..=REPORTS {
        let pair = random.u64(0..PAIRS);
        let number = number(round, step)?;
        let held = value(number, random.usize(0..3000));
        let mut properties = Vec::new();
        for half in ["a", "b"] {
            let change = ReportedChange {
                value: Some(held.clone()),
                quality: Quality::Good,
                source_time: None,
                gateway_time: None,
                outcome: None,
                define: None,
            };
            properties.push((format!("r{reporter}-{pair}-{half}").parse()?, Update::Changed(change)));
        }
        handle.report(Report { device: device()?, properties }).await?;
        acknowledge(&format!("reported r{reporter}-{pair}-a"), number)?;
    }
    Ok(())
}

async fn set(handle: Handle, round: u64) -> anyhow::Result<()> {
    for step in 1..=OVERRIDES {
        let number = number(round, step)?;
        let id = PropertyId::new(device()?, "set".parse()?);
        let set =
            Override { value: value(number, 100), set_by: "me".to_owned(), set_at: now(), expires_at: None };
        handle.set_overrides(vec![OverrideRequest { id, set: Some(set), if_match: None }]).await?;
        acknowledge("override set", number)?;
    }
    Ok(())
}

/// A cloud that resets the edge at every connection, half of the time in two batches, and goes on from there.
async fn wish(
    events: mpsc::Sender<LinkEvent>,
    mut link: mpsc::Receiver<LinkCommand>,
    seed: u64,
    round: u64,
) -> anyhow::Result<()> {
    let connection = round;
    let incarnation = Incarnation::new(seed.wrapping_mul(7).wrapping_add(round));
    let at = |revision| Cursor { incarnation, revision: Revision::new(revision) };
    let say =
        async |message| events.send(LinkEvent::Message { connection, stream: Stream::Twin, message }).await;
    events.send(LinkEvent::Connected { connection, streams: vec![Stream::Twin] }).await?;
    let mut base = Base::Reset { after: None, last: true };
    for step in 1..=WISHES {
        let number = number(round, i64::try_from(step)?)?;
        let id = PropertyId::new(device()?, "wish".parse()?);
        let wanted = Desired {
            value: value(number, 1000),
            set_by: "cloud".to_owned(),
            set_at: now(),
            valid_until: None,
        };
        let entries =
            vec![Entry { revision: Revision::new(step), change: Change::Desired(id, Some(wanted)) }];
        say(Message::Batch(Batch { base, cursor: at(step), entries })).await?;
        base = Base::Cursor(at(step));
        loop {
            let command = tokio::time::timeout(Duration::from_secs(20), link.recv()).await?;
            let LinkCommand::Send { message, .. } = command.context("the service has ended")? else {
                continue;
            };
            if message == Message::Ack(at(step)) {
                break;
            }
        }
        acknowledge("desired wish", number)?;
    }
    Ok(())
}

/// Writes the log back at moments that nobody expects.
async fn write_back(path: std::path::PathBuf, seed: u64) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_millis(100));
    let mut connection = options.connect().await?;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(random.u64(1..60))).await;
        let how = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][random.usize(0..4)];
        let statement = format!("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint({how})");
        let _ = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await;
    }
    connection.close().await?;
    Ok(())
}
