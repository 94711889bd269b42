//! The chain: the digest of a record covers the one before it, its number, its time and its text.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// What the digest of every record begins with: another form of the chain would have another.
const FORM: &[u8] = b"twinspan-audit-1";

/// The SHA-256 digest of a record and of all before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest(pub(crate) [u8; 32]);

impl Digest {
    /// The digest of the record with this number, time (in milliseconds since 1970) and text that follows on `self`. The text
    /// is taken as it is stored, so nothing depends on how a program writes JSON.
    #[must_use]
    pub fn next(self, seq: i64, at: i64, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        digest.update(FORM);
        digest.update(self.0);
        digest.update(seq.to_be_bytes());
        digest.update(at.to_be_bytes());
        digest.update(body);
        Self(digest.finalize().into())
    }

    /// From 32 bytes; none when they are not 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The end of the chain: kept somewhere else, it proves that nothing before it was changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The number of the last record; 0 when there is none.
    pub seq: i64,
    /// Its digest.
    pub digest: Digest,
}

/// `SEQ:DIGEST`.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.digest)
    }
}

/// A text that is no head of a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write the head of a chain as NUMBER:DIGEST, the digest with 64 hexadecimal digits")]
pub struct InvalidHead;

impl FromStr for Head {
    type Err = InvalidHead;
    fn from_str(text: &str) -> Result<Self, InvalidHead> {
        let (seq, digits) = text.trim().split_once(':').ok_or(InvalidHead)?;
        let seq: i64 = seq.parse().ok().filter(|seq| *seq >= 0).ok_or(InvalidHead)?;
        if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidHead);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| InvalidHead)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidHead)?;
        }
        Ok(Self { seq, digest: Digest(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_and_nothing_else_does() {
        let head = Head { seq: 42, digest: Digest::default().next(1, 2, b"x") };
        assert_eq!(head.to_string().parse(), Ok(head));
        for wrong in
            ["", "1", "1:", "1:00", "-1:", &format!("x:{}", head.digest), &format!("1:{}é", head.digest)]
        {
            assert_eq!(wrong.parse::<Head>(), Err(InvalidHead), "{wrong}");
        }
    }

    #[test]
    fn the_digest_depends_on_every_part() {
        let start = Digest::default();
        let one = start.next(1, 2, b"body");
        assert_ne!(one, one.next(1, 2, b"body"));
        assert_ne!(one, start.next(2, 2, b"body"));
        assert_ne!(one, start.next(1, 3, b"body"));
        assert_ne!(one, start.next(1, 2, b"bodz"));
    }
}
