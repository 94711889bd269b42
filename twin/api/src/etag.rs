//! A revision as an entity tag (RFC 9110, 8.8.3) and back from `If-Match` (13.1.1).

use twin_core::Revision;

/// An `If-Match` that names no revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidEtag;

/// The tag of a revision: its number in quotes.
#[must_use]
pub fn etag(revision: Revision) -> String {
    format!("\"{revision}\"")
}

/// The revision that an `If-Match` names; none for `*`, which matches whatever is there.
///
/// # Errors
/// [`InvalidEtag`] when it is neither `*` nor one number in quotes.
pub fn parse_if_match(text: &str) -> Result<Option<Revision>, InvalidEtag> {
    let text = text.trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(InvalidEtag)?;
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidEtag);
    }
    number.parse().map(Revision::new).map(Some).map_err(|_| InvalidEtag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_reads_back_as_its_revision_and_nothing_else_does() {
        assert_eq!(parse_if_match(&etag(Revision::new(42))), Ok(Some(Revision::new(42))));
        assert_eq!(parse_if_match(" * "), Ok(None));
        for bad in [
            "",
            "42",
            "W/\"42\"",
            "\"a\"",
            "\"\"",
            "\"-1\"",
            "\"+1\"",
            "\"1\", \"2\"",
            "\"99999999999999999999\"",
        ] {
            assert_eq!(parse_if_match(bad), Err(InvalidEtag), "{bad}");
        }
    }
}
