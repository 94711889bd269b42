//! The texts a configuration is read from, and places in them.

use std::fmt;
use std::ops::Range;

use crate::fault::{Faults, Finding, Findings};

/// One text of a configuration: a file as the caller read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name shown in messages, usually the path.
    pub name: String,
    /// The text, at most [`Source::MAX_BYTES`].
    pub text: String,
}

impl Source {
    /// The longest text that is taken, in bytes.
    pub const MAX_BYTES: usize = 16 * 1024 * 1024;

    /// Takes the bytes of a file, which must be UTF-8.
    ///
    /// # Errors
    /// [`Faults`] with the place of the first byte that is not.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, Faults> {
        let name = name.into();
        String::from_utf8(bytes).map(|text| Self { name: name.clone(), text }).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let start = u32::try_from(good).unwrap_or(u32::MAX);
            let at = Span { source: 0, start, end: start.saturating_add(1) };
            let mut findings = Findings::default();
            let finding = Finding::new(at, "", "the file is not UTF-8 from here on");
            findings.fault(finding.hint("save it as UTF-8 in your editor"));
            findings.into_faults(&[Self { name, text }])
        })
    }

    /// Puts a name and a text together.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

impl AsRef<Source> for Source {
    fn as_ref(&self) -> &Source {
        self
    }
}

/// A stretch of one source, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Span {
    /// The index of the source.
    pub(crate) source: u32,
    /// The first byte.
    pub(crate) start: u32,
    /// The byte after the last.
    pub(crate) end: u32,
}

/// A place as people count it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The name of the source.
    pub source: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// How many bytes of a very long line are looked at before and after a span.
const AROUND: usize = 2048;

/// The sources with the beginnings of their lines, so that a span is found without reading the text again.
pub(crate) struct Lines<'a> {
    sources: Vec<&'a Source>,
    starts: Vec<Vec<usize>>,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(sources: impl Iterator<Item = &'a Source>) -> Self {
        let starts = |source: &&Source| {
            std::iter::once(0).chain(source.text.match_indices('\n').map(|(at, _)| at + 1)).collect()
        };
        let sources = sources.collect::<Vec<_>>();
        Self { starts: sources.iter().map(starts).collect(), sources }
    }

    /// The name, line and column of the beginning of `span`.
    pub(crate) fn place(&self, span: Span) -> Place {
        let (index, line) = (span.source as usize, self.line_index(span));
        let Some(source) = self.sources.get(index) else {
            return Place { source: String::new(), line: 1, column: 1 };
        };
        let from = self.starts[index][line];
        let before = source.text.get(from..span.start as usize).unwrap_or("");
        Place { source: source.name.clone(), line: line + 1, column: before.chars().count() + 1 }
    }

    /// The line in which `span` begins (of a very long one the part around it), the byte at which that part begins
    /// in the source, and where in it the span lies.
    pub(crate) fn line(&self, span: Span) -> (&'a str, usize, Range<usize>) {
        let index = span.source as usize;
        let Some(source) = self.sources.get(index) else { return ("", 0, 0..0) };
        let text = &source.text;
        let start = (span.start as usize).min(text.len());
        let from = self.starts[index][self.line_index(span)].max(start.saturating_sub(AROUND));
        let from = (from..=start).find(|at| text.is_char_boundary(*at)).unwrap_or(start);
        let to = (start + AROUND).min(text.len());
        let to = (to..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        let line = text.get(from..to).unwrap_or("");
        let line = line.split('\n').next().unwrap_or("").trim_end_matches('\r');
        let begin = (start - from).min(line.len());
        let end = (span.end as usize).saturating_sub(from).clamp(begin, line.len());
        (line, from, begin..end)
    }

    fn line_index(&self, span: Span) -> usize {
        let starts = self.starts.get(span.source as usize).map_or(&[][..], Vec::as_slice);
        starts.partition_point(|start| *start <= span.start as usize).saturating_sub(1)
    }
}
