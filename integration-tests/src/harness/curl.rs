//! curl, as a client that is not ours.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::peers::found;

/// What curl got.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status; 0 when there was no answer.
    pub status: u16,
    /// The headers as they came.
    pub head: String,
    /// The body as it came, up to where curl was ended.
    pub text: String,
    /// What curl says of its failure.
    pub error: String,
}

impl Reply {
    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next_back()
    }
}

/// Runs curl with these arguments beside those that it always has; it is ended after `seconds`.
///
/// # Panics
/// When curl is missing.
#[must_use]
pub fn curl(folder: &Path, seconds: u32, args: &[&str]) -> Reply {
    let head = folder.join(format!("head-{}", fastrand::u64(..)));
    let mut command = Command::new(found("curl").expect("curl is installed by scripts/test"));
    command.args(["-sS", "--max-time", &seconds.to_string(), "-D"]).arg(&head);
    let output = command.args(args).output().expect("curl can be run");
    let head_text = std::fs::read_to_string(&head).unwrap_or_default();
    let _ = std::fs::remove_file(&head);
    let status = head_text.lines().rfind(|line| line.starts_with("HTTP/"));
    let status = status.and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    Reply {
        status: status.unwrap_or(0),
        head: head_text,
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        error: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
