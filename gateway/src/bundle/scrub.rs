//! Taking secrets out of texts. What may be one is taken for one: a bundle leaves the plant.

use std::collections::BTreeSet;

/// What stands in the place of a secret.
pub const MASK: &str = "***";
/// Shorter values would mask half of every text.
const SHORTEST: usize = 4;
/// From here on a word of random letters and digits is taken for a key.
const LONG_WORD: usize = 32;
/// Words in the name of what is secret.
const WORDS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "api_key",
    "private",
    "authorization",
    "cookie",
    "install_code",
];
/// Names of what is secret, or tells who somebody is.
const NAMES: [&str; 8] = ["key", "pass", "pwd", "pin", "psk", "user", "username", "login"];
/// What our own tokens begin with.
const PREFIXES: [&str; 2] = ["twinspan_", "tsj"];

/// Whether what has this name is not to be shown.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase().replace('-', "_");
    NAMES.contains(&name.as_str())
        || WORDS.iter().any(|word| name.contains(word))
        || ["_key", "_pass", "_psk", "_pin"].iter().any(|end| name.ends_with(end))
}

/// Takes secrets out of texts, also those that were found elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Scrubber {
    /// The longest first, or a part of one would stay.
    known: BTreeSet<(std::cmp::Reverse<usize>, String)>,
}

impl Scrubber {
    /// Learns a secret, which is masked from now on wherever it stands.
    pub fn learn(&mut self, secret: &str) {
        // A password of many lines is masked line by line too.
        for part in std::iter::once(secret).chain(secret.lines()).map(str::trim) {
            if part.len() >= SHORTEST && part != MASK {
                self.known.insert((std::cmp::Reverse(part.len()), part.to_owned()));
                // As it stands inside of JSON.
                let quoted = serde_json::Value::from(part).to_string();
                let inner = quoted.trim_matches('"').to_owned();
                self.known.insert((std::cmp::Reverse(inner.len()), inner));
            }
        }
    }

    /// A text without secrets.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let text = without_keys(text);
        let mut lines: Vec<String> = text.lines().map(|line| self.line(line)).collect();
        if text.ends_with('\n') {
            lines.push(String::new());
        }
        lines.join("\n")
    }

    fn line(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (_, secret) in &self.known {
            if line.contains(secret.as_str()) {
                line = line.replace(secret.as_str(), MASK);
            }
        }
        without_named(&without_users(&without_long_words(&line)))
    }

    /// One value whose name tells nothing.
    #[must_use]
    pub fn value(&self, text: &str) -> String {
        self.text(text)
    }
}

/// Without keys in PEM; what is not closed is cut off.
fn without_keys(text: &str) -> String {
    const END: &str = "-----END ";
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(at) = rest.find("-----BEGIN ") {
        let (before, pem) = rest.split_at(at);
        out.push_str(before);
        out.push_str(MASK);
        let end =
            pem.find(END).and_then(|end| Some(end + END.len() + pem[end + END.len()..].find("-----")? + 5));
        rest = end.map_or("", |end| &pem[end..]);
    }
    out.push_str(rest);
    out
}

/// Without `user:password@` in addresses.
fn without_users(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'<>,".contains(c)).unwrap_or(after.len());
        match after[..end].rfind('@') {
            Some(at) => {
                out.push_str(MASK);
                rest = &after[at..];
            }
            None => rest = after,
        }
    }
    out.push_str(rest);
    out
}

/// Without what our tokens look like, and what any key looks like.
fn without_long_words(line: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/_=-".contains(c);
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let word = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (found, after) = rest.split_at(word);
        out.push_str(if looks_random(found) { MASK } else { found });
        let next = after.find(is_part).unwrap_or(after.len());
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    out
}

fn looks_random(word: &str) -> bool {
    if PREFIXES.iter().any(|prefix| word.starts_with(prefix) && word.len() > prefix.len() + 12)
        && word.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
    {
        // The names of our metrics begin so too, and have small letters only.
        return true;
    }
    // Paths are long too, but have short parts.
    word.split('/').any(|part| {
        part.len() >= LONG_WORD
            && part.bytes().any(|b| b.is_ascii_digit())
            && part.bytes().any(|b| b.is_ascii_alphabetic())
            && !is_identifier(part)
    })
}

/// Names of people and programs are words with `-` and `_` between them: no part of them is long.
fn is_identifier(word: &str) -> bool {
    word.split(['-', '_', '=']).all(|part| part.len() < 16)
}

/// Without what follows a secret name: `password: x`, `token=x`, `"key": "x"`, `Authorization: Bearer x`.
fn without_named(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find([':', '=']) {
        let (before, after) = rest.split_at(at);
        let name: String = {
            let trimmed = before.trim_end_matches(['"', '\'', ' ', '\\']);
            let begin = trimmed
                .rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)))
                .map_or(0, |at| at + 1);
            trimmed[begin..].to_owned()
        };
        out.push_str(before);
        out.push_str(&after[..1]);
        let value = &after[1..];
        // `http://` is no name with a value, `a::b` neither.
        let is_value = !value.starts_with("//") && !value.starts_with(':');
        if !(is_value && is_secret_name(&name)) {
            rest = value;
            continue;
        }
        let blank = value.len() - value.trim_start().len();
        let (space, value) = value.split_at(blank);
        out.push_str(space);
        let taken = value_length(value);
        let kept = is_reference(&value[..taken]) || value[..taken].is_empty();
        out.push_str(if kept { &value[..taken] } else { MASK });
        rest = &value[taken..];
    }
    out.push_str(rest);
    out
}

/// How much of the text is the value: up to its closing quote, or to the end of the line.
fn value_length(value: &str) -> usize {
    let escaped = usize::from(value.starts_with("\\\""));
    match value[escaped..].chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let mut skip = false;
            for (at, c) in value.char_indices().skip(1 + escaped) {
                if skip {
                    skip = false;
                } else if c == '\\' && escaped == 0 && quote == '"' {
                    skip = true;
                } else if c == quote {
                    return at + 1;
                }
            }
            value.len()
        }
        // Not up to the next comma: a password may have one.
        Some(_) | None => value.len(),
    }
}

/// `${file:...}` and `${env:...}` tell where a secret is, not what it is.
pub(super) fn is_reference(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    let reference = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    reference.is_some_and(|inside| {
        (inside.starts_with("file:") || inside.starts_with("env:")) && !inside.contains(['}', '{'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_secret_is_written_like_it_is_gone() {
        let mut scrubber = Scrubber::default();
        scrubber.learn("hunter2-known");
        scrubber.learn("with \"quotes\" in it");
        for text in [
            "password: SECRET1",
            "  password = 'SECRET1', more",
            "{\"token\":\"SECRET1\",\"a\":1}",
            "{\"fields\":{\"mqtt_password\": \"SE\\\"SECRET1\"}}",
            "# the old password: SECRET1, with a comma",
            "Authorization: Bearer SECRET1",
            "curl -H 'authorization: Basic SECRET1'",
            "mqtt://anna:SECRET1@broker:1883/path",
            "opc.tcp://anna:SECRET1@10.0.0.1",
            "-----BEGIN PRIVATE KEY-----\nSECRET1\n-----END PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----\nSECRET1",
            "network_key: SECRET1",
            "NETWORK-KEY=SECRET1",
            "message with twinspan_SECRET1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa inside",
            "username: SECRET1",
            "\\\"password\\\":\\\"SECRET1\\\"",
        ] {
            let said = scrubber.text(text);
            assert!(!said.contains("SECRET1"), "{text}\n{said}");
        }
        assert_eq!(scrubber.text("it says hunter2-known twice: hunter2-known"), "it says *** twice: ***");
        assert!(!scrubber.text("{\"x\":\"with \\\"quotes\\\" in it\"}").contains("quotes"));
        assert_eq!(scrubber.text("key material 0123456789abcdef0123456789abcdef"), "key material ***");
    }

    #[test]
    fn what_helps_stays() {
        let scrubber = Scrubber::default();
        for text in [
            "{\"timestamp\":\"2026-11-23T01:02:03Z\",\"level\":\"WARN\",\"device\":\"default/pump-1\"}",
            "the broker at mqtt://10.0.0.1:1883 is away\n",
            "password: ${file:/etc/twinspan/broker}",
            "address: 00:12:4b:00:01:02:03:04",
            "/var/lib/twinspan/opcua/trust/trusted/plc.der",
            "twinspan_lane_reads_total{mapper=\"modbus\",lane=\"tcp 10.0.0.1:502\"} 12",
            "process_resident_memory_bytes 12345678",
        ] {
            assert_eq!(scrubber.text(text), text);
        }
    }
}
