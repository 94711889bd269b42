//! `twinspan audit`: reads the log of who did what in the data folder of a gateway, whether it runs or not.

use std::path::PathBuf;
use std::process::ExitCode;

use audit::{Book, Head, Outcome, Record, Stored};
use clap::{Args, Subcommand};
use config::AnyDuration;
use twin_core::Timestamp;

use super::block_on_code;
use super::configure::date;
use crate::api::audit::RecordView;
use crate::clock::now;

/// Records that are read at a time.
const PAGE: u32 = 500;

#[derive(Debug, Args)]
pub(super) struct AuditCli {
    #[command(subcommand)]
    command: AuditCommand,
    /// The `gateway.data_dir` of the gateway.
    #[arg(long, global = true, default_value = "./data", env = "TWINSPAN_DATA_DIR")]
    data_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Read the whole log and find what was changed, removed, put elsewhere or cut off; ends with 1 and names it.
    Verify {
        /// The end of the log, NUMBER:DIGEST, as it was kept elsewhere: proves that the log was not written anew since.
        #[arg(long)]
        head: Option<Head>,
    },
    /// Print records, the newest first.
    Show {
        /// Only those of the last time, like 24h, or since a moment, like 2026-11-23T06:00:00Z.
        #[arg(long)]
        since: Option<String>,
        /// The most records.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Print them as JSON, one a line.
        #[arg(long)]
        json: bool,
    },
    /// Print the end of the log, to be kept elsewhere.
    Head,
}

/// Ends with 0; with 1 and the reason when the log does not hold or cannot be read.
pub(super) fn audit(cli: AuditCli) -> ExitCode {
    block_on_code(async {
        let outcome = async {
            let book = Book::open_existing(&cli.data_dir).await?;
            let code = match cli.command {
                AuditCommand::Verify { head } => verify(&book, head).await,
                AuditCommand::Show { since, limit, json } => show(&book, since.as_deref(), limit, json).await,
                AuditCommand::Head => head(&book).await,
            };
            book.close().await;
            code
        };
        outcome.await.unwrap_or_else(|error: anyhow::Error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        })
    })
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn verify(book: &Book, pinned: Option<Head>) -> anyhow::Result<ExitCode> {
    let verified = book.verify(pinned).await?;
    if let Some(broken) = verified.broken {
        eprintln!("error: the audit does not hold: {broken}; the {} records before hold", verified.records);
        return Ok(ExitCode::FAILURE);
    }
    let dropped = match verified.dropped.seq {
        0 => String::new(),
        seq => format!("; those up to {seq} were dropped by age or size"),
    };
    println!("the audit holds: {} records{dropped}", verified.records);
    if pinned.is_some_and(|pinned| pinned.seq < verified.dropped.seq) {
        println!("the head that was given is older than what is kept, so it could not be compared");
    }
    println!("head {}", verified.head);
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn head(book: &Book) -> anyhow::Result<ExitCode> {
    println!("{}", book.head().await?);
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn show(book: &Book, since: Option<&str>, limit: u32, json: bool) -> anyhow::Result<ExitCode> {
    let since = since.map(moment).transpose()?;
    let (mut before, mut left) = (None, limit);
    while left > 0 {
        let page = book.page(before, since, left.min(PAGE)).await?;
        before = page.records.last().map(|last| last.seq);
        left = left.saturating_sub(u32::try_from(page.records.len()).unwrap_or(u32::MAX));
        for stored in page.records {
            if json {
                println!("{}", serde_json::to_string(&RecordView::from(stored))?);
            } else {
                println!("{}", line(&stored));
            }
        }
        if !page.more {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A moment, or so long ago.
fn moment(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(ago) = text.parse::<AnyDuration>() {
        let ms = i64::try_from(ago.get().as_millis()).unwrap_or(i64::MAX);
        return Ok(Timestamp::from_millis(now().as_millis().saturating_sub(ms)));
    }
    let at: jiff::Timestamp = text.parse().map_err(|_| {
        anyhow::anyhow!("--since: `{text}` is neither a time like 24h nor a moment like 2026-11-23T06:00:00Z")
    })?;
    Ok(Timestamp::from_millis(at.as_millisecond()))
}

/// `17  2026-11-23 06:00:00  override.set  maria 10.0.0.5  default/pump/speed  4 -> 5  applied`.
fn line(stored: &Stored) -> String {
    let begin = format!("{:>7}  {}", stored.seq, date(stored.at.as_millis()));
    let Ok(record) = serde_json::from_str::<Record>(&stored.body) else {
        return format!("{begin}  (cannot be read) {}", stored.body);
    };
    let mut words = vec![begin, format!("{:<17}", record.action.word())];
    let who = [record.by, record.role.map(|role| format!("({role})")), record.from];
    words.push(who.into_iter().flatten().collect::<Vec<_>>().join(" "));
    words.extend(record.subject);
    match (record.old, record.new) {
        (None, None) => {}
        (old, new) => {
            let shown =
                |value: Option<serde_json::Value>| value.map_or_else(|| "-".into(), |v| v.to_string());
            words.push(format!("{} -> {}", shown(old), shown(new)));
        }
    }
    words.extend(record.revision.map(|revision| format!("revision {revision}")));
    words.extend(record.outcome.map(|outcome| match outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::Refused(reason) => format!("refused: {reason}"),
        Outcome::Failed(reason) => format!("failed: {reason}"),
    }));
    words.extend(record.answers.map(|number| format!("(answers {number})")));
    words.extend(record.note);
    words.retain(|word| !word.is_empty());
    words.join("  ")
}
