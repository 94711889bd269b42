//! Faults as people read them: the place, the line, the mark under it, the mend.

use std::fmt::Write as _;
use std::ops::Range;

use crate::fault::{Fault, Faults};

/// A line fit to be shown: no control characters, no secrets, not too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snippet {
    line: String,
    /// The characters before the mark, and the characters marked.
    mark: (usize, usize),
}

/// The most characters of a line that are shown before and after the beginning of the mark.
const BEFORE: usize = 80;
const AFTER: usize = 100;

/// Makes `line` fit to be shown, with the bytes `marked` underlined and the bytes `secrets` hidden.
pub(crate) fn snippet(line: &str, marked: Range<usize>, secrets: &[Range<usize>]) -> Snippet {
    let named = secrets_by_name(line);
    let hidden = |at: usize| named.iter().chain(secrets).any(|range| range.contains(&at));
    let start = line.char_indices().take_while(|(at, _)| *at < marked.start).count();
    let length = line.char_indices().filter(|(at, _)| marked.contains(at)).count().max(1);
    let skipped = if start > BEFORE + 3 { start - BEFORE } else { 0 };
    let mut shown = if skipped > 0 { "...".to_owned() } else { String::new() };
    let lead = shown.len();
    let mut chars = line.char_indices().skip(skipped);
    for (at, c) in chars.by_ref().take(start - skipped + AFTER) {
        shown.push(match c {
            _ if hidden(at) => '*',
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        });
    }
    if chars.next().is_some() {
        shown.push_str("...");
    }
    Snippet { line: shown, mark: (lead + start - skipped, length.min(AFTER)) }
}

/// Where in a line secrets stand, judged by the keys before them: the tree may not be there, or be wrong.
fn secrets_by_name(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (scheme, mark) in line.match_indices("://") {
        let host = scheme + mark.len();
        if let Some(at) = line[host..].find('@') {
            found.push(host..host + at);
        }
    }
    let lower = line.to_ascii_lowercase();
    for word in ["password", "token", "secret"] {
        for (at, _) in lower.match_indices(word) {
            let Some(colon) = lower[at..].find(':') else { continue };
            let after = at + colon + 1;
            let value = line.len() - line[after..].trim_start().len();
            if !line[value..].trim_start_matches(['"', '\'']).starts_with("${") {
                found.push(value..line.len());
            }
        }
    }
    found
}

struct Colours {
    bold: &'static str,
    red: &'static str,
    blue: &'static str,
    end: &'static str,
}

const PLAIN: Colours = Colours { bold: "", red: "", blue: "", end: "" };
const ANSI: Colours = Colours { bold: "\x1b[1m", red: "\x1b[1;31m", blue: "\x1b[1;34m", end: "\x1b[0m" };

/// One fault.
pub(crate) fn fault(fault: &Fault, word: &str, colour: bool) -> String {
    let Colours { bold, red, blue, end } = if colour { ANSI } else { PLAIN };
    let number = fault.place.line.to_string();
    let pad = " ".repeat(number.len());
    let (indent, length) = fault.snippet.mark;
    let mut text = format!("{red}{word}{end}{bold}: {}{end}\n", fault.message);
    // Writing to a String cannot fail.
    let _ = write!(text, "{pad}{blue}-->{end} {}", fault.place);
    if !fault.path.is_empty() {
        let _ = write!(text, " ({})", fault.path);
    }
    let _ = writeln!(text, "\n{pad} {blue}|{end}");
    let _ = writeln!(text, "{blue}{number} |{end} {}", fault.snippet.line.trim_end());
    let _ = writeln!(text, "{pad} {blue}|{end} {}{red}{}{end}", " ".repeat(indent), "^".repeat(length));
    if let Some((place, what)) = &fault.related {
        let _ = writeln!(text, "{pad} {blue}={end} {what}: {place}");
    }
    if let Some(hint) = &fault.hint {
        let _ = writeln!(text, "{pad} {blue}={end} {bold}hint{end}: {hint}");
    }
    text
}

/// All faults, and how many they are.
pub(crate) fn faults(all: &Faults, colour: bool) -> String {
    let mut text = String::new();
    for fault in &all.faults {
        text.push_str(&fault.render("fault", colour));
        text.push('\n');
    }
    let mut names = all.faults.iter().map(|fault| fault.place.source.as_str()).collect::<Vec<_>>();
    names.dedup();
    names.retain(|name| !name.is_empty());
    let count = all.faults.len() + all.left_out;
    let _ = write!(text, "{count} fault{}", if count == 1 { "" } else { "s" });
    let _ = match names.as_slice() {
        [] => Ok(()),
        [only] => write!(text, " in {only}"),
        [_, ..] => write!(text, " in {} files", names.len()),
    };
    if all.left_out > 0 {
        let _ = write!(text, ", {} of them not shown", all.left_out);
    }
    text
}
