//! `twinspan samples`: the history of one property, from the gateway that runs.

use std::process::ExitCode;

use twin_api::{HistoryItem, HistoryPage};
use twin_core::{DeviceId, PropertyName};

use super::remote::{Refusal, Remote};

/// What of which history.
#[derive(Debug, clap::Args)]
pub(super) struct Samples {
    /// The device.
    device: DeviceId,
    /// The property.
    property: PropertyName,
    /// From when on: so long ago, like 24h or 30d, or milliseconds since 1970.
    #[arg(long, default_value = "24h")]
    from: String,
    /// Until when, written like `--from`; until now when left out.
    #[arg(long)]
    to: Option<String>,
    /// Put the samples of so long a time together, like 1m or 1h.
    #[arg(long)]
    step: Option<String>,
    /// What is made of the samples of a step: min, max, mean, last or count.
    #[arg(long = "fn", value_name = "FN", requires = "step")]
    fold: Option<String>,
    /// Print CSV with times in milliseconds, for a spreadsheet.
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Prints all of it, page by page. Ends with 64 when the question is wrong, 1 when no gateway answers.
pub(super) fn samples(asked: &Samples) -> ExitCode {
    super::block_on_code(async {
        match print(asked).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(Refusal::Problem(problem)) => {
                eprintln!("error: {}", problem.detail);
                ExitCode::from(super::BAD_SETTINGS)
            }
            Err(Refusal::Unreachable(error)) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        }
    })
}

/// `24h` as the interface wants it: `-24h`.
fn moment(text: &str) -> String {
    if text.ends_with(|c: char| c.is_ascii_alphabetic()) {
        format!("-{}", text.trim_start_matches('-'))
    } else {
        text.to_owned()
    }
}

#[expect(clippy::print_stdout, reason = "what the command prints is its result")]
async fn print(asked: &Samples) -> Result<(), Refusal> {
    let mut path = format!(
        "/api/v1/devices/{}/{}/history?property={}&limit=10000",
        asked.device.namespace(),
        asked.device.name(),
        escape(asked.property.as_str())
    );
    for (name, value) in [("step", &asked.step), ("fn", &asked.fold)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", escape(value)));
        }
    }
    let mut to = asked.to.as_deref().map(moment);
    let mut from = moment(&asked.from);
    let (mut after, mut shown) = (String::new(), 0);
    loop {
        let to_part = to.as_ref().map(|to| format!("&to={}", escape(to))).unwrap_or_default();
        let page: HistoryPage =
            asked.remote.get(&format!("{path}&from={}{to_part}{after}", escape(&from))).await?;
        // What is so long ago moves on: the pages are all of the first one's range.
        (from, to) = (page.from.to_string(), Some(page.to.to_string()));
        if asked.csv {
            let csv = page.csv();
            let lines =
                if after.is_empty() { csv.as_str() } else { csv.split_once("\r\n").map_or("", |(_, l)| l) };
            print!("{lines}");
        } else {
            page.items.iter().for_each(|item| println!("{}", line(item)));
        }
        shown += page.items.len();
        match page.next {
            Some(next) => after = format!("&after={}", escape(&next)),
            None => break,
        }
    }
    if !asked.csv {
        let what = if asked.step.is_some() { "steps" } else { "samples" };
        println!("{shown} {what}");
    }
    Ok(())
}

fn line(item: &HistoryItem) -> String {
    let value = item.value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let mut words = format!("{}  {value}", shown(item.at));
    if let Some(quality) = item.quality.map(twin_api::QualityWord::as_str).filter(|word| *word != "good") {
        let why = item.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        words.push_str(&format!("  {quality}{why}"));
    }
    if let (Some(count), Some(bad)) = (item.count, item.bad) {
        words.push_str(&format!("  of {count}"));
        if bad > 0 {
            words.push_str(&format!(", {bad} bad left out"));
        }
    }
    words
}

/// A moment as people read it.
fn shown(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| format!("{at:.3}"))
}

/// A part of a query (RFC 3986, 2.1).
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}
