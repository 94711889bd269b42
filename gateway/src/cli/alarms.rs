//! `twinspan alarms`.

use std::process::ExitCode;

use config::BoundedDuration;
use twin_api::{AlarmNote, AlarmPage, AlarmView};
use twin_core::DeviceId;

use super::block_on_code;
use super::configure::{date, print_refusal};
use super::remote::{Refusal, Remote};

/// How many alarms are asked for at a time.
const PAGE: usize = 500;
/// What is shown when not all are asked for.
const OPEN: &str = "&state=active,acknowledged,cleared_unacknowledged";

/// `twinspan alarms` and what can be done about one.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct AlarmsCli {
    #[command(subcommand)]
    action: Option<Action>,
    /// Show those that are over and those on the shelf as well.
    #[arg(long)]
    all: bool,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say that somebody knows of an alarm.
    Acknowledge {
        #[command(flatten)]
        which: Which,
    },
    /// Put an alarm away for a time.
    Shelve {
        #[command(flatten)]
        which: Which,
        /// For how long: 30m, 8h, 2d; at most 30d.
        #[arg(long = "for", value_name = "TIME")]
        time: BoundedDuration<1_000, { 30 * 86_400_000 }>,
    },
    /// Take an alarm from the shelf before its time.
    Unshelve {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The device: `name` or `namespace/name`.
    device: DeviceId,
    /// The property.
    property: String,
    /// The rule of the property.
    rule: String,
    /// Who you are, where the gateway does not know it.
    #[arg(long)]
    by: Option<String>,
    /// What you have to say about it.
    #[arg(long, short = 'm')]
    comment: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub(super) fn alarms(cli: AlarmsCli) -> ExitCode {
    block_on_code(async {
        let done = match cli.action {
            None => return list(&cli.remote, cli.all, cli.json).await,
            Some(Action::Acknowledge { which }) => act(which, "acknowledge", None).await,
            Some(Action::Shelve { which, time }) => {
                let ms = u64::try_from(time.get().as_millis()).unwrap_or(u64::MAX);
                act(which, "shelve", Some(ms)).await
            }
            Some(Action::Unshelve { which }) => act(which, "unshelve", None).await,
        };
        match done {
            Ok(alarm) => {
                print(alarm.as_slice());
                ExitCode::SUCCESS
            }
            Err(refusal) => print_refusal(&refusal),
        }
    })
}

async fn act(which: Which, what: &str, for_ms: Option<u64>) -> Result<Option<AlarmView>, Refusal> {
    let Which { device, property, rule, by, comment, remote } = which;
    let (property, rule) = (encoded(&property), encoded(&rule));
    let path = format!("/api/v1/alarms/{device}/{property}/{rule}/{what}");
    remote.post(&path, &AlarmNote { by, comment, for_ms }).await
}

async fn list(remote: &Remote, all: bool, json: bool) -> ExitCode {
    let mut items = Vec::new();
    let mut after = String::new();
    loop {
        let filter = if all { "" } else { OPEN };
        let path = format!("/api/v1/alarms?limit={PAGE}{filter}{after}");
        let page: AlarmPage = match remote.get(&path).await {
            Ok(page) => page,
            Err(refusal) => return print_refusal(&refusal),
        };
        items.extend(page.items);
        match page.next {
            Some(next) => after = format!("&after={}", encoded(&next)),
            None => break,
        }
    }
    if json {
        return super::print(&items);
    }
    items.sort_by_key(|alarm| (std::cmp::Reverse(alarm.severity), alarm.raised_at));
    print(&items);
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
fn print(alarms: &[AlarmView]) {
    if alarms.is_empty() {
        println!("no alarms");
        return;
    }
    println!("SEVERITY  STATE                   SINCE (UTC)          ALARM");
    for alarm in alarms {
        let since = alarm.raised_at.map_or_else(|| "never raised".to_owned(), date);
        println!(
            "{:<9} {:<23} {:<20} {} {} {}",
            alarm.severity, alarm.state, since, alarm.device, alarm.property, alarm.rule
        );
        let value = alarm.value.as_ref().map_or_else(String::new, |value| format!("; it was {value}"));
        println!("          {}{value}", alarm.message);
        if let Some(held) = &alarm.held {
            println!("          it cannot be judged now: {held}");
        }
        if let Some(known) = &alarm.acknowledged {
            let comment = known.comment.as_ref().map_or_else(String::new, |comment| format!(": {comment}"));
            println!("          acknowledged {} by {}{comment}", date(known.at), known.by);
        }
        if let Some(shelved) = &alarm.shelved {
            let comment = shelved.comment.as_ref().map_or_else(String::new, |comment| format!(": {comment}"));
            println!("          shelved until {} by {}{comment}", date(shelved.until), shelved.by);
        }
    }
}

/// A part of a path or query with everything escaped that ends one.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
