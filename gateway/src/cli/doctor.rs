//! `twinspan doctor`.

use std::path::Path;
use std::process::ExitCode;

use super::remote::Remote;
use crate::doctor::probe::{self, Question};
use crate::doctor::{Level, Report};

impl probe::Remote for Remote {
    async fn get(&self, path: &str) -> Result<serde_json::Value, String> {
        self.look(path).await.map_err(|error| format!("{error:#}"))
    }

    async fn text(&self, path: &str) -> Result<String, String> {
        self.read(path).await.map_err(|error| format!("{error:#}"))
    }
}

/// Prints what was found, the worst last; ends with 1 when something does not work.
pub(super) fn doctor(config: &Path, data_dir: &Path, json: bool, remote: &Remote) -> ExitCode {
    super::block_on_code(async {
        let report = probe::examine(Question { config, data_dir, remote }).await;
        if json {
            super::print(&report);
        } else {
            print(report.clone());
        }
        if report.worst() == Level::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    })
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
fn print(mut report: Report) {
    report.findings.sort_by_key(|finding| finding.level);
    for finding in &report.findings {
        println!("{:<4}  {:<13} {}", finding.level.word(), finding.topic, finding.says);
        if let Some(mend) = &finding.mend {
            println!("      {:<13} -> {mend}", "");
        }
    }
    let count = |level| report.findings.iter().filter(|finding| finding.level == level).count();
    println!(
        "\n{} ok, {} to see to, {} that do not work",
        count(Level::Ok),
        count(Level::Warn),
        count(Level::Fail)
    );
}
