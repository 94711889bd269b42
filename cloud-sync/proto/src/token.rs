//! The join token: lets one edge enrol once, and tells it which cloud is the right one.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use twin_core::NodeName;

/// Why a text is not a join token. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a join token: {rule}; make one with `twinspan-cloud token create --node NAME`")]
pub struct InvalidToken {
    /// What is wrong with it.
    pub rule: &'static str,
}

/// The SHA-256 of a CA's certificate in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CaPin([u8; 32]);

impl CaPin {
    /// The pin of this certificate.
    #[must_use]
    pub fn of(ca_der: &[u8]) -> Self {
        Self(Sha256::digest(ca_der).into())
    }
}

impl fmt::Display for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL.encode(self.0))
    }
}

/// 32 random bytes that only the holder of the token knows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// The secret of these bytes, which must be random.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What the cloud keeps of it.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `ts1.<pin of the CA>.<secret>.<node>`, pin and secret in base64url (RFC 4648, 5) without padding.
///
/// `Debug` does not show the secret, and there is no `Display`: whoever wants the text asks for it by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinToken {
    pin: CaPin,
    secret: Secret,
    node: NodeName,
}

impl JoinToken {
    /// Puts a token together.
    #[must_use]
    pub fn new(pin: CaPin, secret: Secret, node: NodeName) -> Self {
        Self { pin, secret, node }
    }

    /// The CA that the cloud's certificate must be signed by.
    #[must_use]
    pub fn pin(&self) -> CaPin {
        self.pin
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The node that may enrol with it.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// The token as text, secret included.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("ts1.{}.{}.{}", self.pin, BASE64URL.encode(self.secret.0), self.node)
    }
}

impl FromStr for JoinToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let rule = |rule| InvalidToken { rule };
        let mut parts = text.trim().splitn(4, '.');
        if parts.next() != Some("ts1") {
            return Err(rule("it does not begin with `ts1.`"));
        }
        let mut part = || parts.next().ok_or(rule("it has fewer than four parts joined by `.`"));
        let pin = bytes32(part()?).ok_or(rule("its second part is not the base64url of 32 bytes"))?;
        let secret = bytes32(part()?).ok_or(rule("its third part is not the base64url of 32 bytes"))?;
        let node = part()?.parse().map_err(|_| rule("its fourth part is not a node name"))?;
        Ok(Self { pin: CaPin(pin), secret: Secret(secret), node })
    }
}

fn bytes32(text: &str) -> Option<[u8; 32]> {
    if text.len() != 43 {
        return None;
    }
    BASE64URL.decode(text).ok()?.try_into().ok()
}

impl Serialize for JoinToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for JoinToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::any_node;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_survives_being_written_and_read(pin in any::<[u8; 32]>(), secret in any::<[u8; 32]>(), node in any_node()) {
            let token = JoinToken::new(CaPin(pin), Secret::new(secret), node);
            prop_assert_eq!(token.to_text().parse::<JoinToken>().unwrap(), token);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(ts1)?.{0,120}") {
            let _ = text.parse::<JoinToken>();
        }
    }

    #[test]
    fn neither_debug_nor_an_error_shows_the_secret() {
        let token = JoinToken::new(CaPin::of(b"ca"), Secret::new([0x5a; 32]), "line-1".parse().unwrap());
        let text = token.to_text();
        let secret = text.split('.').nth(2).unwrap();
        assert!(!format!("{token:?}").contains(secret) && format!("{token:?}").contains("***"));
        let error = format!("{text}_").parse::<JoinToken>().unwrap_err();
        assert!(!error.to_string().contains(secret), "{error}");
    }

    #[test]
    fn a_text_that_is_no_token_is_refused_with_the_mend() {
        for bad in ["", "ts1", "ts2.a.b.c", "ts1.a.b.c", "ts1..."] {
            let error = bad.parse::<JoinToken>().unwrap_err();
            assert!(error.to_string().contains("token create"), "{error}");
        }
    }
}
