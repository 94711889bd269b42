//! Gathering what goes into a bundle. What cannot be had is said in its place; a bundle is made when things are broken.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use super::scrub::Scrubber;
use super::yaml;
use crate::backup::survey;
use crate::doctor::probe::{self, Question, Remote};
use crate::files;

/// How much of a log is taken, from its end.
const LOG_BYTES: u64 = 2 * 1024 * 1024;
const JOURNAL_LINES: &str = "5000";
/// How long reading the journal may take.
const JOURNAL: Duration = Duration::from_secs(20);

/// What is wanted.
pub struct Wanted<'a, R> {
    /// The configuration.
    pub config: &'a Path,
    /// The data folder when no configuration says where it is.
    pub data_dir: &'a Path,
    /// A log file; without it the journal of the service is read.
    pub log: Option<&'a Path>,
    /// How the gateway that runs is spoken to.
    pub remote: &'a R,
}

/// A bundle that was made.
#[derive(Debug)]
pub struct Bundled {
    /// What is in it.
    pub files: Vec<String>,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {source}")]
pub struct BundleError {
    file: PathBuf,
    source: io::Error,
}

/// Writes a bundle to the new file `file`, which only its owner can read.
///
/// # Errors
/// [`BundleError`] when it cannot be written; what cannot be gathered is no error.
pub async fn collect<R: Remote>(file: &Path, wanted: Wanted<'_, R>) -> Result<Bundled, BundleError> {
    let failed = |source| BundleError { file: file.to_owned(), source };
    let mut parts = Parts::default();
    for secret in files::secrets(wanted.config) {
        parts.scrubber.learn(&secret);
    }
    configuration(&mut parts, wanted.config);
    let data_dir =
        files::load(wanted.config).map_or_else(|_| wanted.data_dir.to_owned(), |l| l.config.gateway.data_dir);
    parts.json("versions.json", versions());
    for (name, path) in [
        ("status.json", "/api/v1/status"),
        ("config-status.json", "/api/v1/config"),
        ("config-history.json", "/api/v1/config/history"),
        ("ready.json", "/readyz"),
    ] {
        parts.json(name, wanted.remote.get(path).await.unwrap_or_else(|why| json!({"not_there": why})));
    }
    parts.text(
        "metrics.txt",
        wanted.remote.text("/metrics").await.unwrap_or_else(|why| format!("not there: {why}\n")),
    );
    let question = Question { config: wanted.config, data_dir: wanted.data_dir, remote: wanted.remote };
    let report = probe::examine(question).await;
    parts.json("doctor.json", serde_json::to_value(report).unwrap_or_default());
    parts.json("tables.json", tables(&data_dir).await);
    parts.text("files.txt", listing(&data_dir));
    parts.text("log.txt", log(wanted.log).await);
    write(file, &parts).map_err(failed)?;
    Ok(Bundled { files: parts.files.into_iter().map(|(name, _)| name).collect() })
}

#[derive(Default)]
struct Parts {
    scrubber: Scrubber,
    /// As they were gathered; secrets may still be learnt.
    files: Vec<(String, String)>,
}

impl Parts {
    fn text(&mut self, name: &str, text: String) {
        self.files.push((name.to_owned(), text));
    }

    fn json(&mut self, name: &str, value: Value) {
        let masked = mask(value);
        self.text(name, format!("{masked:#}\n"));
    }
}

/// Masks what has a secret name in JSON, before it is a text of lines.
fn mask(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let entry = |(name, value): (String, Value)| {
                let secret = super::scrub::is_secret_name(&name) && value.is_string();
                let value = if secret { Value::from(super::scrub::MASK) } else { mask(value) };
                (name, value)
            };
            Value::Object(map.into_iter().map(entry).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(mask).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// The configuration files, each without its secrets.
fn configuration(parts: &mut Parts, path: &Path) {
    let read = match files::texts(path) {
        Ok(read) => read,
        Err(error) => return parts.text("configuration.txt", format!("not there: {error}\n")),
    };
    for (number, (name, text)) in read.into_iter().enumerate() {
        let file = format!("configuration/{number}.json");
        match yaml::render(&text) {
            Ok((value, secrets)) => {
                for secret in secrets {
                    parts.scrubber.learn(&secret);
                }
                parts.text(&file, format!("{:#}\n", json!({"file": name, "documents": value})));
            }
            Err(why) => {
                let why = format!("it is no YAML, so nobody can tell what in it is secret: {why}");
                parts.text(&file, format!("{:#}\n", json!({"file": name, "left_out": why})));
            }
        }
    }
}

fn versions() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let release = read("/etc/os-release");
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default();
    json!({
        "twinspan": env!("CARGO_PKG_VERSION"),
        "architecture": std::env::consts::ARCH,
        "system": system.trim_matches('"'),
        "kernel": read("/proc/version").trim(),
        "protocols": crate::wiring::protocols().iter().map(config::Protocol::name).collect::<Vec<_>>(),
        "made_at": crate::clock::now().as_millis(),
    })
}

async fn tables(data_dir: &Path) -> Value {
    let mut databases = serde_json::Map::new();
    for place in survey(data_dir).unwrap_or_default().databases {
        let path = place.within(data_dir);
        let found = match twin_store::copy::tables(&path).await {
            Ok(tables) => json!({
                "schema": twin_store::copy::schema_version(&path).await.ok(),
                "bytes": fs::metadata(&path).map_or(0, |metadata| metadata.len()),
            "tables": tables.into_iter().map(|table| json!({"table": table.name, "rows": table.rows})).collect::<Vec<_>>(),
            }),
            Err(error) => json!({"unreadable": error.to_string()}),
        };
        databases.insert(place.to_string(), found);
    }
    Value::Object(databases)
}

/// The files of the data folder, as `ls -l` shows them.
fn listing(data_dir: &Path) -> String {
    let mut text = format!("{}\n", data_dir.display());
    let mut folders = vec![data_dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(&folder).into_iter().flatten().flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let Ok(metadata) = entry.metadata() else { continue };
            let path = entry.path();
            let name = path.strip_prefix(data_dir).unwrap_or(&path).display().to_string();
            let (mode, uid, gid, bytes) = (metadata.mode(), metadata.uid(), metadata.gid(), metadata.len());
            text.push_str(&format!("{mode:06o} {uid:>5} {gid:>5} {bytes:>12} {name}\n"));
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    text
}

async fn log(file: Option<&Path>) -> String {
    match file {
        Some(file) => tail(file).unwrap_or_else(|error| format!("not there: {}: {error}\n", file.display())),
        None => journal().await.unwrap_or_else(|why| format!("not there: {why}; --log names a file\n")),
    }
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn journal() -> Result<String, String> {
    let mut command = Command::new("journalctl");
    command.args(["--unit=twinspan", "--no-pager", "--output=short-iso-precise", "--lines", JOURNAL_LINES]);
    let asked = command.kill_on_drop(true).output();
    let output = timeout(JOURNAL, asked).await.map_err(|_| "the journal takes too long".to_owned())?;
    let output = output.map_err(|error| format!("journalctl: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("journalctl: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

fn write(path: &Path, parts: &Parts) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut archive = tar::Builder::new(GzEncoder::new(BufWriter::new(file), Compression::default()));
    let at = u64::try_from(crate::clock::now().as_millis() / 1000).unwrap_or(0);
    for (name, text) in &parts.files {
        // By now every secret is known that any of them has shown.
        let text = parts.scrubber.text(text);
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(at);
        archive.append_data(&mut header, format!("twinspan-support/{name}"), text.as_bytes())?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.get_ref().sync_all()
}
