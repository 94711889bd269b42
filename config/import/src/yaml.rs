//! Scalars and maps as YAML, so that they are read back as they were meant.

use std::fmt;

use crate::read::{is_null, is_word};

/// A text, in quotes where it must be.
pub(crate) fn text(text: &str) -> String {
    if is_simple(text) && is_word(text) { text.to_owned() } else { quoted(text) }
}

/// A key of a map: numbers may stand there without quotes.
pub(crate) fn key(name: &str) -> String {
    if is_simple(name) && !is_null(name) { name.to_owned() } else { quoted(name) }
}

/// A text in quotes: a JSON string is one of YAML too.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // What YAML would not take, or would take for the end of a line. (YAML 1.2.2, 5.1 and 5.4)
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether it needs no quotes, neither in a block nor between brackets.
fn is_simple(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/';
    let inside = |c: char| edge(c) || "-.°²³%+()$".contains(c) || c == ' ';
    text.starts_with(edge)
        && text.ends_with(|c: char| edge(c) || "°²³%)".contains(c))
        && text.chars().all(inside)
        && !text.contains("${")
        && text.len() <= 200
}

/// A number, so that it is read as the same number again.
pub(crate) fn number(number: f64) -> String {
    format!("{number}")
}

/// A comment on one line.
pub(crate) fn comment(text: &str) -> String {
    let breaks = |c: char| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    text.chars().map(|c| if breaks(c) { ' ' } else { c }).collect()
}

/// A map between braces, on one line.
#[derive(Debug, Default)]
pub(crate) struct Flow(Vec<String>);

impl Flow {
    pub(crate) fn add(&mut self, key: &str, value: String) {
        self.0.push(format!("{key}: {value}"));
    }

    pub(crate) fn add_some(&mut self, key: &str, value: Option<String>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ {} }}", self.0.join(", "))
    }
}
