//! What may be on a disk after a cut.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::Fsync;
use super::trace::{Event, Inode};

const SECTOR: usize = 512;

/// How much of what was not synced is there.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Nothing,
    Everything,
    /// Each sector by itself.
    AnySectors,
    /// The first calls, the last of them torn.
    Beginning,
}

/// A disk.
#[derive(Debug)]
pub(super) struct Disk {
    files: BTreeMap<String, Vec<u8>>,
    /// Something that was written is not there.
    pub(super) is_lacking: bool,
}

/// One of the disks that there may be after `events`.
pub(super) fn after_cut(events: &[Event], fsync: Fsync, random: &mut fastrand::Rng) -> Disk {
    let fate = match random.u8(0..4) {
        0 => Fate::Nothing,
        1 => Fate::Everything,
        2 => Fate::AnySectors,
        _ => Fate::Beginning,
    };
    let mut synced: HashMap<Inode, usize> = HashMap::new();
    let mut names_synced = 0;
    for event in events {
        match event {
            Event::Sync { inode, begun } if fsync == Fsync::Works => {
                let place = synced.entry(*inode).or_default();
                *place = (*place).max(*begun);
            }
            Event::SyncFolder { begun } if fsync == Fsync::Works => names_synced = names_synced.max(*begun),
            Event::Name { .. }
            | Event::Write { .. }
            | Event::Truncate { .. }
            | Event::Sync { .. }
            | Event::SyncFolder { .. }
            | Event::Unlink { .. }
            | Event::Rename { .. }
            | Event::Ack(_) => {}
        }
    }
    let names_kept = match fate {
        Fate::Nothing => names_synced,
        Fate::Everything => events.len(),
        Fate::AnySectors | Fate::Beginning => random.usize(names_synced..=events.len()),
    };
    let mut is_lacking = false;
    let mut names: BTreeMap<String, Inode> = BTreeMap::new();
    let mut contents: HashMap<Inode, Vec<u8>> = HashMap::new();
    // In the order of the calls everything before this one is there.
    let beginning = random.usize(0..=events.len());
    for (at, event) in events.iter().enumerate() {
        let is_named = at < names_kept;
        match event {
            Event::Name { name, inode } if is_named => drop(names.insert(name.clone(), *inode)),
            Event::Unlink { name } if is_named => drop(names.remove(name)),
            Event::Rename { from, to } if is_named => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            Event::Write { inode, offset, data } => {
                let file = contents.entry(*inode).or_default();
                let sure = at < synced.get(inode).copied().unwrap_or(0);
                for (n, sector) in sectors(*offset, data) {
                    let is_there = sure
                        || match fate {
                            Fate::Nothing => false,
                            Fate::Everything => true,
                            Fate::AnySectors => random.bool(),
                            Fate::Beginning => at < beginning || (at == beginning && random.bool()),
                        };
                    is_lacking |= !is_there;
                    if is_there {
                        put(file, n, sector, random);
                    }
                }
            }
            Event::Truncate { inode, length } => {
                let sure = at < synced.get(inode).copied().unwrap_or(0);
                let is_there = sure
                    || match fate {
                        Fate::Nothing => false,
                        Fate::Everything => true,
                        Fate::AnySectors => random.bool(),
                        Fate::Beginning => at < beginning,
                    };
                if is_there {
                    contents.entry(*inode).or_default().resize(*length, 0);
                }
            }
            Event::Name { .. }
            | Event::Unlink { .. }
            | Event::Rename { .. }
            | Event::Sync { .. }
            | Event::SyncFolder { .. }
            | Event::Ack(_) => {}
        }
    }
    let files = names.into_iter().map(|(name, inode)| (name, contents.remove(&inode).unwrap_or_default()));
    Disk { files: files.collect(), is_lacking }
}

/// A write, cut where sectors begin.
fn sectors(offset: usize, data: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut rest = data;
    let mut at = offset;
    std::iter::from_fn(move || {
        let length = (SECTOR - at % SECTOR).min(rest.len());
        let (sector, after) = rest.split_at_checked(length).filter(|_| length > 0)?;
        let place = at;
        at += length;
        rest = after;
        Some((place, sector))
    })
}

/// Writes a sector. Where the file grows beyond what is there, it may show zeros or what lay on the disk before.
fn put(file: &mut Vec<u8>, at: usize, sector: &[u8], random: &mut fastrand::Rng) {
    if file.len() < at {
        let rubbish = if random.bool() { 0 } else { random.u8(..) };
        file.resize(at, rubbish);
    }
    let end = at + sector.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    if let Some(place) = file.get_mut(at..end) {
        place.copy_from_slice(sector);
    }
}

impl Disk {
    /// Writes it to a folder, now and then with rubbish in the memory that SQLite's connections share.
    pub(super) fn write_to(&self, folder: &Path, random: &mut fastrand::Rng) -> std::io::Result<()> {
        for (name, bytes) in &self.files {
            std::fs::write(folder.join(name), bytes)?;
            if name.ends_with(".db") && random.bool() {
                let rubbish: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(32_768).collect();
                std::fs::write(folder.join(format!("{name}-shm")), rubbish)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_is_always_there_and_what_was_not_only_sometimes() {
        let write = |offset, byte| Event::Write { inode: 0, offset, data: vec![byte; 700] };
        let events = [
            Event::Name { name: "f".into(), inode: 0 },
            write(0, 1),
            Event::Sync { inode: 0, begun: 2 },
            Event::SyncFolder { begun: 3 },
            write(100, 2),
        ];
        let mut random = fastrand::Rng::with_seed(7);
        let (mut old, mut new, mut torn) = (0, 0, 0);
        for _ in 0..200 {
            let disk = after_cut(&events, Fsync::Works, &mut random);
            let file = &disk.files["f"];
            assert!(file.len() >= 700 && file[..100].iter().all(|byte| *byte == 1));
            let twos = file.iter().filter(|byte| **byte == 2).count();
            match twos {
                0 => old += 1,
                700 => new += 1,
                _ => torn += 1,
            }
            assert_eq!(disk.is_lacking, twos < 700);
        }
        assert!(old > 20 && new > 20 && torn > 20, "{old} {new} {torn}");
    }
}
