//! `twinspan config export` and `twinspan config import`: a configuration as tables for a spreadsheet, and back.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use config::{Fault, Loader, Source};
use config_import::tables::{self, FILES, Whole};

use super::BAD_SETTINGS;
use super::check::{print_error, print_warnings};
use crate::files;
use crate::wiring;

/// What is done with a configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Write a configuration as tables: one row a device, one row a property.
    ///
    /// Models stay models, references to secrets stay references; a table of devices is written out.
    Export {
        /// As CSV, which every spreadsheet opens.
        #[arg(long, required = true)]
        csv: bool,
        /// The configuration: a YAML file, or a folder of them.
        config: PathBuf,
        /// The folder to write into; it is made when it is not there.
        #[arg(short, long)]
        out: PathBuf,
    },
    /// Read such tables and print the configuration as YAML; faults name the row and the column.
    Import {
        /// As CSV.
        #[arg(long, required = true)]
        csv: bool,
        /// The folder with the tables.
        folder: PathBuf,
        /// The file to write; standard output where none is named.
        #[arg(short, long)]
        out: Option<PathBuf>,
    },
}

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    /// A file is too long.
    #[error("{} is longer than {} MiB", .0.display(), Source::MAX_BYTES >> 20)]
    TooLong(PathBuf),
    /// A file is not text.
    #[error("{} is not UTF-8; save it as UTF-8", .0.display())]
    NotText(PathBuf),
    /// The folder has none of the tables.
    #[error("{} has none of the files {}", .0.display(), FILES.join(", "))]
    NoTables(PathBuf),
    /// A file is not what it should be.
    #[error(transparent)]
    Unreadable(#[from] config_import::Unreadable),
    /// Cells are wrong.
    #[error(transparent)]
    Tables(#[from] tables::Faults),
}

/// Ends with 0, or 64 when the configuration or a table is wrong.
pub(super) fn config(command: &ConfigCommand) -> ExitCode {
    let done = match command {
        ConfigCommand::Export { config, out, .. } => match files::check(config) {
            Ok(_) => export(config, out),
            Err(error) => return print_error(&error),
        },
        ConfigCommand::Import { folder, out, .. } => match import(folder) {
            Ok(whole) if is_right(&whole) => write_text(out.as_deref(), &whole.yaml),
            Ok(_) => return ExitCode::from(BAD_SETTINGS),
            Err(error) => Err(error),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(BAD_SETTINGS)
        }
    }
}

fn export(config: &Path, out: &Path) -> Result<(), Failure> {
    let table = |file: &str, named_in: &str| {
        let path = Path::new(named_in).parent().unwrap_or(Path::new("")).join(file);
        fs::read(&path).map(|bytes| (path.display().to_string(), bytes)).map_err(|error| error.to_string())
    };
    let written = tables::export(&sources(config)?, &table)?;
    fs::create_dir_all(out).map_err(|source| Failure::Write { path: out.to_owned(), source })?;
    for file in &written {
        let path = out.join(&file.name);
        if !file.text.trim_start_matches('\u{feff}').is_empty() {
            write_text(Some(&path), &file.text)?;
        }
    }
    eprintln!("{} is in {}: {}", config.display(), out.display(), FILES.join(", "));
    Ok(())
}

/// The YAML files of a configuration that was checked.
fn sources(config: &Path) -> Result<Vec<Source>, Failure> {
    if !config.is_dir() {
        return Ok(vec![read_text(config)?]);
    }
    let unreadable = |source| Failure::Read { path: config.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(config).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| read_text(path)).collect()
}

fn import(folder: &Path) -> Result<Whole, Failure> {
    let paths: Vec<PathBuf> =
        FILES.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect();
    if paths.is_empty() {
        return Err(Failure::NoTables(folder.to_owned()));
    }
    let files = paths.iter().map(|path| read_text(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(tables::import(&files)?)
}

/// Whether the loader takes it; what it does not take is named by its cell.
fn is_right(whole: &Whole) -> bool {
    let cell = |fault: &Fault| match whole.cell(&fault.path) {
        Some(cell) => eprintln!("fault: {}\n --> {cell}", fault.message),
        None => eprintln!("{}", fault.render("fault", false)),
    };
    match Loader::new(&wiring::protocols()).check(&[Source::new("the tables", &whole.yaml)]) {
        Ok(checked) => {
            print_warnings(&checked.warnings);
            true
        }
        Err(faults) => {
            for fault in &faults.faults {
                cell(fault);
                if let Some(hint) = &fault.hint {
                    eprintln!("  = hint: {hint}");
                }
            }
            eprintln!("{} faults", faults.faults.len() + faults.left_out);
            false
        }
    }
}

/// Reads a text file.
pub(super) fn read_text(path: &Path) -> Result<Source, Failure> {
    let unreadable = |source| Failure::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(unreadable)?.len() > Source::MAX_BYTES as u64 {
        return Err(Failure::TooLong(path.to_owned()));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::NotText(path.to_owned()))?;
    Ok(Source::new(path.display().to_string(), text))
}

/// Writes a file that others cannot read, for it may hold a password; or prints it.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn write_text(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    let Some(path) = path else {
        print!("{text}");
        return Ok(());
    };
    let unwritable = |source| Failure::Write { path: path.to_owned(), source };
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(unwritable)?;
    file.write_all(text.as_bytes()).map_err(unwritable)?;
    fs::rename(&new, path).map_err(unwritable)
}
