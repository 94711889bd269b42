//! A power cut at any moment: what a process writes is recorded call by call, and the disk is put together as it may look
//! after a cut at a random place, five hundred times and more. The store is opened on each of them.
//!
//! The model of the disk is harsher than a real one. What was not synced when the power went may be there, or not, in any
//! subset of sectors of 512 bytes; a file that had grown may show rubbish; names that were made, changed or deleted since
//! the folder was last synced may be as before. Only what `fsync` and `fdatasync` have answered is sure. The calls are
//! recorded by `strace`, of the real service on the real SQLite.

mod check;
mod disk;
mod record;
mod trace;
mod writer;

use std::path::Path;

use anyhow::{Context as _, ensure};

pub use record::{record, strace};
pub use writer::write;

/// What was found.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// How often the store was opened.
    pub opened: usize,
    /// The calls that were recorded.
    pub calls: usize,
    /// The acknowledgements that were recorded.
    pub acknowledged: usize,
    /// How many of the disks lacked something that had been written and was not synced.
    pub lacking: usize,
}

/// Whether the disk keeps what it has answered `fsync` for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// As it should.
    Works,
    /// As a disk that lies: the check must notice.
    Lies,
}

/// Records one run of the writer, cuts the power `cuts` times in it and opens what is left each time.
///
/// # Errors
/// With the seed and the place of the cut when something acknowledged is lost or the database is damaged.
pub async fn run(writer: &Path, seed: u64, cuts: usize, fsync: Fsync) -> anyhow::Result<Found> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let trace = record(writer, &data, &folder.path().join("trace"), seed)?;
    let events = trace::read(&trace, &data)?;
    let acknowledged = events.iter().filter(|event| matches!(event, trace::Event::Ack(_))).count();
    ensure!(acknowledged > 100, "only {acknowledged} acknowledgements were recorded");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut found = Found { opened: 0, calls: events.len(), acknowledged, lacking: 0 };
    for round in 0..cuts {
        // Cuts everywhere, the very first calls and the end among them.
        let at = if round == 0 { events.len() } else { random.usize(0..=events.len()) };
        let disk = disk::after_cut(events.get(..at).unwrap_or(&events), fsync, &mut random);
        found.lacking += usize::from(disk.is_lacking);
        let image = tempfile::tempdir()?;
        disk.write_to(image.path(), &mut random)?;
        let acks = events.iter().take(at).filter_map(|event| match event {
            trace::Event::Ack(ack) => Some(ack.as_str()),
            trace::Event::Name { .. }
            | trace::Event::Write { .. }
            | trace::Event::Truncate { .. }
            | trace::Event::Sync { .. }
            | trace::Event::Unlink { .. }
            | trace::Event::Rename { .. }
            | trace::Event::SyncFolder { .. } => None,
        });
        check::open_and_look(image.path(), acks)
            .await
            .with_context(|| format!("seed {seed}, cut {round}, before call {at} of {}", events.len()))?;
        found.opened += 1;
    }
    Ok(found)
}
