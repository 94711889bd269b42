//! `twinspan apply`, `reload`, `rollback`, `history` and `diff` against what runs.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::check::{print_error, print_warnings};
use super::remote::{Refusal, Remote};
use super::{BAD_SETTINGS, block_on_code};
use crate::files;
use crate::running::texts::Texts;
use crate::running::view::{Applied, FileState, Revisions, Status};

#[derive(Serialize)]
struct Apply {
    texts: Texts,
    note: String,
    dry_run: bool,
}

#[derive(Serialize)]
struct Rollback {
    revision: i64,
    note: String,
    dry_run: bool,
}

/// What is to be done with a configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// It is to come into force.
    Apply,
    /// Only what would differ is to be said.
    Try,
    /// As `Try`; ends with 1 when something differs.
    Compare,
}

/// Ends with 0, 64 when the configuration is wrong (here or at the gateway), 1 when the gateway does not do it.
pub(super) fn apply(path: &Path, note: String, intent: Intent, remote: &Remote) -> ExitCode {
    let (texts, loaded) = match files::load_texts(path) {
        Ok(read) => read,
        Err(error) => return print_error(&error),
    };
    print_warnings(&loaded.warnings);
    let body = Apply { texts, note, dry_run: intent != Intent::Apply };
    block_on_code(async {
        let applied: Applied = match remote.post("/api/v1/config/apply", &body).await {
            Ok(applied) => applied,
            Err(refusal) => return print_refusal(&refusal),
        };
        print_applied(&applied);
        let same = applied.added.is_empty()
            && applied.removed.is_empty()
            && applied.changed.is_empty()
            && applied.restart_needed.is_empty();
        if intent == Intent::Compare && !same { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    })
}

/// Has the gateway read its own files again.
pub(super) fn reload(remote: &Remote) -> ExitCode {
    block_on_code(async {
        match remote.post("/api/v1/config/reload", &()).await {
            Ok(applied) => print_applied(&applied),
            Err(refusal) => return print_refusal(&refusal),
        }
        ExitCode::SUCCESS
    })
}

/// Brings an earlier configuration into force again.
pub(super) fn rollback(revision: i64, note: String, dry_run: bool, remote: &Remote) -> ExitCode {
    let body = Rollback { revision, note, dry_run };
    block_on_code(async {
        match remote.post("/api/v1/config/rollback", &body).await {
            Ok(applied) => print_applied(&applied),
            Err(refusal) => return print_refusal(&refusal),
        }
        ExitCode::SUCCESS
    })
}

/// Prints the configurations that were in force, the newest first, and what is in force now.
#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
pub(super) fn history(remote: &Remote) -> ExitCode {
    block_on_code(async {
        let status: Status = match remote.get("/api/v1/config").await {
            Ok(status) => status,
            Err(refusal) => return print_refusal(&refusal),
        };
        let all: Revisions = match remote.get("/api/v1/config/history").await {
            Ok(all) => all,
            Err(refusal) => return print_refusal(&refusal),
        };
        println!("REVISION  IN FORCE SINCE         BY        DEVICES  NOTE");
        for revision in &all.revisions {
            let mark = if Some(revision.revision) == status.revision { '*' } else { ' ' };
            println!(
                "{mark}{:>7}  {}  {:<8}  {:>7}  {}",
                revision.revision,
                date(revision.applied_at),
                revision.origin,
                revision.devices,
                revision.note
            );
        }
        match (status.file_state, status.file) {
            (FileState::Differs, Some(file)) => {
                println!("{file} says something else; `twinspan reload` takes it");
            }
            (FileState::Broken, Some(file)) => {
                println!("{file} cannot be used; mend it, then `twinspan reload`")
            }
            (FileState::Same | FileState::NoFile, _) | (FileState::Differs | FileState::Broken, None) => {}
        }
        if let Some(failure) = status.last_failure {
            println!("the last attempt, at {}, failed: {}", date(failure.at), failure.reason);
        }
        ExitCode::SUCCESS
    })
}

/// `2026-11-22 22:48:21 UTC`.
pub(super) fn date(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
fn print_applied(applied: &Applied) {
    for warning in &applied.warnings {
        eprintln!("{warning}");
    }
    println!("{}", applied.diff);
    if applied.applied {
        let revision =
            applied.revision.map(|revision| format!(" as revision {revision}")).unwrap_or_default();
        println!("in force{revision}, {} ms", applied.took_ms);
    }
    if !applied.restart_needed.is_empty() {
        println!("after a restart only: {}", applied.restart_needed.join(", "));
    }
}

/// Ends with 64 when a configuration is wrong, 1 otherwise.
pub(super) fn print_refusal(refusal: &Refusal) -> ExitCode {
    match refusal {
        Refusal::Unreachable(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
        Refusal::Problem(problem) => {
            eprintln!("error: {}", problem.detail);
            for fault in &problem.faults {
                eprintln!("  {}: {}", fault.name, fault.detail);
            }
            ExitCode::from(if problem.status == 422 { BAD_SETTINGS } else { 1 })
        }
    }
}
