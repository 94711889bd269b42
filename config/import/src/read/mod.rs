//! Files of all kinds as one tree, in which a scalar keeps its text.

mod csv;
mod json;
mod toml;
mod yaml;

use config::Source;

pub(crate) use csv::{Row, Table, table};
pub(crate) use json::json;
pub(crate) use toml::toml;
pub(crate) use yaml::yaml;

/// Why a file cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct Unreadable {
    /// The name of the file.
    pub file: String,
    /// What is wrong with it, in words.
    pub why: String,
}

impl Unreadable {
    pub(crate) fn new(source: &Source, why: impl Into<String>) -> Self {
        Self { file: source.name.clone(), why: why.into() }
    }
}

/// A value in a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// The line that it stands in, from 1; 0 where the kind of file does not say.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Seq(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// A text, and whether it may mean a number, a bool or nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Written without quotes.
    pub(crate) plain: bool,
}

impl Node {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { line: 0, kind: Kind::Scalar(Scalar { text: text.into(), plain: true }) }
    }

    pub(crate) fn text_of(text: impl Into<String>) -> Self {
        Self { line: 0, kind: Kind::Scalar(Scalar { text: text.into(), plain: false }) }
    }

    pub(crate) fn map_of(entries: Vec<(String, Node)>) -> Self {
        Self { line: 0, kind: Kind::Map(entries) }
    }

    /// The text of a scalar that is not nothing.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) if !self.is_null() => Some(&scalar.text),
            Kind::Scalar(_) | Kind::Seq(_) | Kind::Map(_) => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(s) if s.plain && is_null(&s.text))
    }

    /// The whole number that it means, with or without quotes.
    pub(crate) fn int(&self) -> Option<i64> {
        let text = self.text()?.trim();
        if let Some(hex) = text.strip_prefix("0x") {
            return i64::from_str_radix(hex, 16).ok();
        }
        text.parse().ok().or_else(|| {
            let number = self.float().filter(|n| n.fract() == 0.0 && n.abs() < 9e15)?;
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
            Some(number as i64)
        })
    }

    /// The number that it means, with or without quotes.
    pub(crate) fn float(&self) -> Option<f64> {
        self.text()?.trim().parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The bool that it means, with or without quotes.
    pub(crate) fn bool(&self) -> Option<bool> {
        match self.text()?.trim() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Seq(items) => Some(items),
            Kind::Scalar(_) | Kind::Map(_) => None,
        }
    }

    pub(crate) fn entries(&self) -> Option<&[(String, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            Kind::Scalar(_) | Kind::Seq(_) => None,
        }
    }

    /// What stands under `key`, nothing where that is nothing.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let (_, node) = self.entries()?.iter().find(|(name, _)| name == key)?;
        (!node.is_null()).then_some(node)
    }
}

/// Whether a text without quotes means nothing.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Whether a text without quotes would be read as something else than a text.
pub(crate) fn is_word(text: &str) -> bool {
    let number = text.trim_start_matches(['+', '-']);
    !is_null(text)
        && !matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
        && !number.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

/// Refuses what is too long to be read.
fn bounded(source: &Source) -> Result<&str, Unreadable> {
    if source.text.len() > Source::MAX_BYTES {
        return Err(Unreadable::new(source, format!("it is longer than {} MiB", Source::MAX_BYTES >> 20)));
    }
    Ok(source.text.strip_prefix('\u{feff}').unwrap_or(&source.text))
}
