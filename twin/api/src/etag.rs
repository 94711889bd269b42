//! Entity tags (RFC 9110, 8.8.3), and the conditions that name them (13.1.1, 13.1.2).

use std::str::FromStr;

use twin_core::Revision;

/// A header that is no list of entity tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidEtag;

/// The tag of a revision: its number in quotes.
#[must_use]
pub fn etag(revision: Revision) -> String {
    format!("\"{revision}\"")
}

/// The tag of what is shown, `shown` being its bytes: it changes with every byte. It begins with the version of what can
/// be written of it, which has no `-` in it, so that it can be given as `If-Match` of a write.
#[must_use]
pub fn etag_of(version: &str, shown: &[u8]) -> String {
    format!("\"{version}-{}\"", fingerprint([shown]))
}

/// Tells whether two are the same, as 16 hexadecimal digits. It proves nothing.
#[must_use]
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    // FNV-1a, with a byte between the parts that ends each.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = parts
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, part| step(part.iter().copied().fold(hash, step), 0xff));
    format!("{hash:016x}")
}

/// What `If-Match` or `If-None-Match` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `*`: whatever is there.
    Any,
    /// Any of these.
    Tags(Vec<EntityTag>),
}

/// An entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag {
    weak: bool,
    opaque: String,
}

/// The most tags in one header.
const MOST: usize = 100;

impl Condition {
    /// Whether it names this version, by the strong comparison that writes need.
    #[must_use]
    pub fn names(&self, version: &str) -> bool {
        let is = |tag: &EntityTag| {
            let found = tag.opaque.split_once('-').map_or(tag.opaque.as_str(), |(version, _)| version);
            !tag.weak && found == version
        };
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(is),
        }
    }

    /// Whether it names a tag as this program writes them, by the weak comparison that reads need.
    #[must_use]
    pub fn names_tag(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|known| tag.trim_matches('"') == known.opaque),
        }
    }
}

impl FromStr for Condition {
    type Err = InvalidEtag;
    fn from_str(text: &str) -> Result<Self, InvalidEtag> {
        if text.trim_matches([' ', '\t']) == "*" {
            return Ok(Self::Any);
        }
        let mut rest = text;
        let mut tags = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                break;
            }
            let quoted = rest.strip_prefix("W/");
            let weak = quoted.is_some();
            let opening = quoted.unwrap_or(rest).strip_prefix('"').ok_or(InvalidEtag)?;
            let (opaque, after) = opening.split_once('"').ok_or(InvalidEtag)?;
            if !opaque.bytes().all(|b| b == 0x21 || (0x23..=0x7e).contains(&b)) || tags.len() == MOST {
                return Err(InvalidEtag);
            }
            tags.push(EntityTag { weak, opaque: opaque.to_owned() });
            rest = after.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err(InvalidEtag);
            }
        }
        if tags.is_empty() { Err(InvalidEtag) } else { Ok(Self::Tags(tags)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Condition, InvalidEtag> {
        text.parse()
    }

    #[test]
    fn a_tag_reads_back_as_its_revision() {
        let (four, two) = ("4", "42");
        for text in ["\"42\"", " * ", "\"1\", \"42\"", "\"1\",,\"42\" ,", "\"42-00ff\"", "W/\"1\",\"42\""] {
            assert!(read(text).unwrap().names(two), "{text}");
        }
        for text in ["\"42\"", "W/\"4\"", "\"4x\"", "\"04\"", "\"+4\"", "\"\"", "\"-4\""] {
            assert!(!read(text).unwrap().names(four), "{text}");
        }
        assert!(read(&etag(Revision::new(42))).unwrap().names(two));
        assert!(read(&etag_of(two, b"{}")).unwrap().names(two));
        assert_ne!(etag_of(two, b"{}"), etag_of(two, b"[]"));
    }

    #[test]
    fn what_is_shown_is_compared_weakly() {
        let tag = etag_of("7", b"shown");
        for text in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            assert!(read(&text).unwrap().names_tag(&tag), "{text}");
        }
        assert!(!read("\"7\"").unwrap().names_tag(&tag));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for bad in
            ["", " ", ",", "42", "\"", "\"a", "w/\"1\"", "\"1\" \"2\"", "*, \"1\"", "\"a b\"", "\"\u{7f}\""]
        {
            assert_eq!(read(bad), Err(InvalidEtag), "{bad}");
        }
    }
}
