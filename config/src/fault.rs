//! What is wrong with a configuration, and where.

use std::fmt;

use crate::render;
use crate::source::{Lines, Place, Source, Span};

/// A fault or warning as it is found: places are spans until the end, when the texts are at hand.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) at: Span,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) related: Option<(Span, &'static str)>,
}

impl Finding {
    pub(crate) fn new(at: Span, path: impl ToString, message: impl Into<String>) -> Self {
        Self { at, path: path.to_string(), message: message.into(), hint: None, related: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    pub(crate) fn related(mut self, at: Span, what: &'static str) -> Self {
        self.related = Some((at, what));
        self
    }

    pub(crate) fn locate(self, lines: &Lines<'_>, secrets: &[Span]) -> Fault {
        let (line, from, within) = lines.line(self.at);
        let secrets: Vec<_> = secrets
            .iter()
            .filter(|secret| secret.source == self.at.source)
            .map(|secret| {
                (secret.start as usize).saturating_sub(from)..(secret.end as usize).saturating_sub(from)
            })
            .collect();
        Fault {
            place: lines.place(self.at),
            path: self.path,
            message: self.message,
            hint: self.hint,
            related: self.related.map(|(at, what)| (lines.place(at), what)),
            snippet: render::snippet(line, within, &secrets),
        }
    }
}

/// One thing that is wrong, or, among the warnings, one that is right but may not be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it is.
    pub place: Place,
    /// The keys that lead there: `devices.pump-1.properties.speed.every`; empty where no key is known.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// Another place that has to do with it, and what it has.
    pub related: Option<(Place, &'static str)>,
    /// The line, without secrets.
    pub(crate) snippet: render::Snippet,
}

impl Fault {
    /// The fault as text of several lines, with the line itself underlined; in colour for a terminal.
    #[must_use]
    pub fn render(&self, word: &str, colour: bool) -> String {
        render::fault(self, word, colour)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render("fault", false))
    }
}

/// Everything that is wrong, in the order of the files. `Display` shows all of it and ends with the count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// What is wrong, at most [`Faults::MAX`].
    pub faults: Vec<Fault>,
    /// What may not be meant, as when all is well.
    pub warnings: Vec<Fault>,
    /// How many more there were than are kept.
    pub left_out: usize,
}

impl Faults {
    /// How many are kept.
    pub const MAX: usize = 1000;

    /// All faults as text; in colour for a terminal.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        render::faults(self, colour)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Faults {}

/// Collects what is found.
#[derive(Default)]
pub(crate) struct Findings {
    faults: Vec<Finding>,
    warnings: Vec<Finding>,
    secrets: Vec<Span>,
    left_out: usize,
}

impl Findings {
    pub(crate) fn fault(&mut self, finding: Finding) {
        if self.faults.len() < Faults::MAX {
            self.faults.push(finding);
        } else {
            self.left_out += 1;
        }
    }

    pub(crate) fn warning(&mut self, finding: Finding) {
        if self.warnings.len() < Faults::MAX {
            self.warnings.push(finding);
        }
    }

    /// Names another place beside every finding that has none yet.
    pub(crate) fn relate(&mut self, to: impl Fn(Span) -> (Span, &'static str)) {
        for finding in self.faults.iter_mut().chain(&mut self.warnings) {
            finding.related.get_or_insert_with(|| to(finding.at));
        }
    }

    /// How many faults were found.
    pub(crate) fn count(&self) -> usize {
        self.faults.len() + self.left_out
    }

    /// Whether no fault was found yet.
    pub(crate) fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// Notes that what is written there must not be shown.
    pub(crate) fn secret(&mut self, at: Span) {
        self.secrets.push(at);
    }

    pub(crate) fn append(&mut self, more: Self) {
        more.faults.into_iter().for_each(|finding| self.fault(finding));
        more.warnings.into_iter().for_each(|finding| self.warning(finding));
        self.secrets.extend(more.secrets);
        self.left_out += more.left_out;
    }

    /// The warnings when nothing is wrong.
    pub(crate) fn into_result<S: AsRef<Source>>(self, sources: &[S]) -> Result<Vec<Fault>, Faults> {
        let faults = self.into_faults(sources);
        if faults.faults.is_empty() { Ok(faults.warnings) } else { Err(faults) }
    }

    /// Everything with its place, in the order of the files.
    pub(crate) fn into_faults<S: AsRef<Source>>(self, sources: &[S]) -> Faults {
        let lines = Lines::of(sources.iter().map(AsRef::as_ref));
        let located = |mut findings: Vec<Finding>| {
            findings.sort_by_key(|finding| finding.at);
            findings.dedup_by(|a, b| a.at == b.at && a.message == b.message && a.related == b.related);
            findings.into_iter().map(|finding| finding.locate(&lines, &self.secrets)).collect()
        };
        Faults { faults: located(self.faults), warnings: located(self.warnings), left_out: self.left_out }
    }

    /// Whether as many faults were found as are kept.
    pub(crate) fn is_full(&self) -> bool {
        self.faults.len() >= Faults::MAX
    }
}
