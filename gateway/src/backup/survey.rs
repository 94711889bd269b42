//! What lies in a data folder, and what of it belongs into a backup.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ::backup::Place;

/// Longer files that are no database are none of the gateway's.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// What of a data folder belongs into a backup, in order of name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Databases, which are copied as of one moment.
    pub databases: Vec<Place>,
    /// Other files.
    pub files: Vec<Place>,
    /// Files that hold a key.
    pub keys: Vec<Place>,
    /// What is left out, with why.
    pub left: Vec<Left>,
}

/// Something that is left out of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Where it is.
    pub path: PathBuf,
    /// Why.
    pub why: &'static str,
}

enum Kind {
    Database,
    Key,
    Plain,
    /// It belongs to the process that runs, not to what is kept.
    Passing,
    Left(&'static str),
}

/// Looks through a data folder. Links are not followed.
///
/// # Errors
/// [`io::Error`] when the folder or a file in it cannot be read.
pub fn survey(folder: &Path) -> io::Result<Survey> {
    let (mut survey, mut folders) = (Survey::default(), vec![folder.to_owned()]);
    while let Some(inside) = folders.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(&inside)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let left = |survey: &mut Survey, why| survey.left.push(Left { path: path.clone(), why });
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            if !kind.is_file() {
                left(&mut survey, "it is a link or a device, not a file");
                continue;
            }
            let place = path.strip_prefix(folder).ok().and_then(|path| path.to_str()?.parse::<Place>().ok());
            let Some(place) = place else {
                left(&mut survey, "its name is too long, or no text");
                continue;
            };
            match kind_of(&path, &place)? {
                Kind::Database => survey.databases.push(place),
                Kind::Key => survey.keys.push(place),
                Kind::Plain => survey.files.push(place),
                Kind::Passing => {}
                Kind::Left(why) => left(&mut survey, why),
            }
        }
    }
    for places in [&mut survey.databases, &mut survey.files, &mut survey.keys] {
        places.sort();
    }
    Ok(survey)
}

fn kind_of(path: &Path, place: &Place) -> io::Result<Kind> {
    let name = place.as_str().rsplit('/').next().unwrap_or_default();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if name == "lock" || ends(&[".lock", "-wal", "-shm", "-journal", ".new", ".tmp"]) {
        return Ok(Kind::Passing);
    }
    let mut file = std::fs::File::open(path)?;
    let mut beginning = [0; 16];
    let read = read_some(&mut file, &mut beginning)?;
    if twin_store::copy::is_database(&beginning[..read]) {
        return Ok(Kind::Database);
    }
    let bytes = file.metadata()?.len();
    if bytes > MAX_FILE_BYTES {
        return Ok(Kind::Left("it is too long to be a file of the gateway"));
    }
    // A database that has no page yet holds nothing.
    if bytes == 0 && ends(&[".db"]) {
        return Ok(Kind::Passing);
    }
    if place.as_str().starts_with("link/") || ends(&[".key", ".p12", ".pfx"]) || name.starts_with("key.") {
        return Ok(Kind::Key);
    }
    // A ZigBee network's file holds its key.
    if name.starts_with("zigbee-") && ends(&[".json"]) {
        return Ok(Kind::Key);
    }
    let text = std::fs::read(path)?;
    Ok(if holds_key(&text) { Kind::Key } else { Kind::Plain })
}

fn read_some(file: &mut std::fs::File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

fn holds_key(text: &[u8]) -> bool {
    text.windows(b"PRIVATE KEY".len()).any(|part| part == b"PRIVATE KEY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_what_may_be_shown_and_what_passes_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &[u8]| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("twin.db", b"SQLite format 3\0 and so on");
        put("twin.db-wal", b"x");
        put("lock", b"");
        put("empty.db", b"");
        put("link/identity.pem", b"x");
        put("opcua/own/key.pem", b"x");
        put("opcua/own/cert.der", b"x");
        put("opcua/trust/trusted/plc.der", b"x");
        put("zigbee/zigbee-00124b0001.json", b"{}");
        put("tls/server.pem", b"-----BEGIN PRIVATE KEY-----");
        put("notes.txt", b"hello");
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("passwd")).unwrap();
        let survey = survey(folder.path()).unwrap();
        let names = |places: &[Place]| places.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&survey.databases), ["twin.db"]);
        assert_eq!(names(&survey.files), ["notes.txt", "opcua/own/cert.der", "opcua/trust/trusted/plc.der"]);
        assert_eq!(
            names(&survey.keys),
            ["link/identity.pem", "opcua/own/key.pem", "tls/server.pem", "zigbee/zigbee-00124b0001.json"]
        );
        assert_eq!(survey.left.len(), 1);
    }
}
