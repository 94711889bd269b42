//! TOML as a tree.

use config::Source;

use super::{Node, Unreadable, bounded};

/// Reads a TOML file.
pub(crate) fn toml(source: &Source) -> Result<Node, Unreadable> {
    let not_toml = |error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = source.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        Unreadable::new(source, format!("it is not TOML, line {line}: {message}"))
    };
    toml::from_str(bounded(source)?).map_err(not_toml)
}
