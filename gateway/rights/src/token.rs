//! Tokens: 256 random bits with a prefix by which a search for leaked secrets finds them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// What every token begins with.
const PREFIX: &str = "twinspan_";

/// A token. `Debug` shows `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// What is kept of a token. The token has 256 random bits, so nobody can find it by trying, and one fast digest is enough:
/// slow digests are for passwords that people think of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub(crate) [u8; 32]);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// [`getrandom::Error`] when the system gives no random numbers.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The text itself: shown once, to whoever asked for it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl TokenHash {
    /// Of whatever was given as a token.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_unlike_any_other_and_not_shown() {
        let (one, other) = (Token::draw().unwrap(), Token::draw().unwrap());
        assert_ne!(one, other);
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.expose().len(), PREFIX.len() + 43);
        assert_eq!(format!("{one:?}"), "***");
    }
}
