//! The answer that opens a channel, with a chain of certificates in its header: pure. (OPC 10000-6, 6.7.2)

use opcua_crypto::{KeySize as _, PrivateKey, PublicKey, SecurityPolicy, X509};
use opcua_types::ByteString;

use crate::pki::Certificate;

/// The longest answer that is taken; certificates and a nonce make a few kilobytes.
pub(crate) const MOST_BYTES: usize = 64 * 1_024;
/// Type, size and channel.
const HEAD: usize = 12;

/// What is needed to read such an answer.
pub(crate) struct Opening {
    leaf: Vec<u8>,
    server: Option<PublicKey>,
    own: PrivateKey,
}

/// Why an answer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpeningError {
    #[error("the server opens the channel with another certificate than it offered")]
    OtherCertificate,
    #[error("the answer that opens the channel cannot be decrypted")]
    Encryption,
    #[error("the answer that opens the channel is not signed by the server")]
    Signature,
    #[error("the answer that opens the channel is cut short or filled up wrongly")]
    Shape,
}

/// The parts of the header that is not encrypted.
#[derive(Debug, PartialEq, Eq)]
struct Header<'a> {
    policy: &'a [u8],
    sender: &'a [u8],
    /// Where the encrypted part begins.
    end: usize,
}

impl<'a> Header<'a> {
    /// None where it cannot be one.
    fn parse(message: &'a [u8]) -> Option<Self> {
        let mut at = HEAD;
        let mut text = || {
            let length = message.get(at..at + 4)?.try_into().ok().map(i32::from_le_bytes)?;
            at += 4;
            // -1 is a text that is not there.
            let length = usize::try_from(length.max(0)).ok()?;
            let text = message.get(at..at.checked_add(length)?)?;
            at += length;
            Some(text)
        };
        let (policy, sender) = (text()?, text()?);
        let _thumbprint = text()?;
        Some(Self { policy, sender, end: at })
    }
}

impl Opening {
    pub(crate) fn new(leaf: &ByteString, own: PrivateKey) -> Self {
        let server = X509::from_byte_string(leaf).and_then(|leaf| leaf.public_key()).ok();
        Self { leaf: leaf.as_ref().to_vec(), server, own }
    }

    /// The message as the library takes it. One with a single certificate is left to the library; one with a chain is decrypted
    /// and its signature verified here, and handed on without security.
    pub(crate) fn read(&self, message: Vec<u8>) -> Result<Vec<u8>, OpeningError> {
        let Some(header) = Header::parse(&message) else { return Ok(message) };
        let Ok(leaf) = Certificate::parse(header.sender) else { return Ok(message) };
        if leaf.der.len() == header.sender.len() {
            return Ok(message);
        }
        if leaf.der != self.leaf {
            return Err(OpeningError::OtherCertificate);
        }
        let policy = SecurityPolicy::from_uri(std::str::from_utf8(header.policy).unwrap_or_default());
        let server = self.server.as_ref().ok_or(OpeningError::OtherCertificate)?;
        if !policy.is_supported() {
            return Err(OpeningError::Encryption);
        }
        let encrypted = &message[header.end..];
        // What is decrypted is whole blocks of the gateway's own key.
        if encrypted.is_empty() || !encrypted.len().is_multiple_of(self.own.size()) {
            return Err(OpeningError::Shape);
        }
        let mut clear = vec![0; encrypted.len()];
        let size = policy.asymmetric_decrypt(&self.own, encrypted, &mut clear);
        clear.truncate(size.map_err(|_| OpeningError::Encryption)?);
        let mut signed = message[..header.end].to_vec();
        signed.extend_from_slice(&clear);
        let at = signed.len().checked_sub(server.size()).filter(|at| *at >= header.end);
        let signature = signed.split_off(at.ok_or(OpeningError::Shape)?);
        policy
            .asymmetric_verify_signature(server, &signed, &signature)
            .map_err(|_| OpeningError::Signature)?;
        let body = signed.get(header.end..).unwrap_or_default();
        let body = without_padding(body, self.own.size()).ok_or(OpeningError::Shape)?;
        Ok(bare(&message[..HEAD], body))
    }
}

/// The body before its padding: a byte with its length, as many of them again, and for keys above 2048 bits the length's high byte.
fn without_padding(body: &[u8], key_bytes: usize) -> Option<&[u8]> {
    let (rest, high) = match body.split_last() {
        Some((high, rest)) if key_bytes > 256 => (rest, usize::from(*high)),
        Some(_) => (body, 0),
        None => return None,
    };
    let low = *rest.last()?;
    let count = (high << 8) + usize::from(low) + 1;
    let (body, padding) = rest.split_at(rest.len().checked_sub(count)?);
    padding.iter().all(|byte| *byte == low).then_some(body)
}

/// The message without security.
fn bare(head: &[u8], body: &[u8]) -> Vec<u8> {
    let none = SecurityPolicy::None.to_uri().as_bytes();
    let mut message = head.to_vec();
    message.extend(u32::try_from(none.len()).unwrap_or(0).to_le_bytes());
    message.extend(none);
    // Neither a certificate nor a thumbprint.
    message.extend((-1_i32).to_le_bytes());
    message.extend((-1_i32).to_le_bytes());
    message.extend(body);
    let size = u32::try_from(message.len()).unwrap_or(u32::MAX);
    message[4..8].copy_from_slice(&size.to_le_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(policy: &str, sender: &[u8], rest: &[u8]) -> Vec<u8> {
        let mut message = b"OPNF\0\0\0\0\x07\0\0\0".to_vec();
        for text in [policy.as_bytes(), sender, b"twenty bytes of print"] {
            message.extend(i32::try_from(text.len()).unwrap().to_le_bytes());
            message.extend(text);
        }
        message.extend(rest);
        message
    }

    #[test]
    fn a_header_is_found_and_a_bare_message_has_one() {
        let whole = message("policy", b"certificate", b"rest");
        let header = Header::parse(&whole).unwrap();
        assert_eq!((header.policy, header.sender), (&b"policy"[..], &b"certificate"[..]));
        assert_eq!(&whole[header.end..], b"rest");
        let made = bare(&whole[..HEAD], b"rest");
        let header = Header::parse(&made).unwrap();
        assert_eq!(header.policy, SecurityPolicy::None.to_uri().as_bytes());
        assert_eq!((header.sender, &made[header.end..]), (&b""[..], &b"rest"[..]));
        assert_eq!(made[4..8], u32::try_from(made.len()).unwrap().to_le_bytes());
    }

    #[test]
    fn padding_is_taken_away_and_wrong_padding_refused() {
        assert_eq!(without_padding(b"body\x02\x02\x02", 256), Some(&b"body"[..]));
        assert_eq!(without_padding(b"body\x00", 256), Some(&b"body"[..]));
        assert_eq!(without_padding(b"body\x01\x01\x00", 512), Some(&b"body"[..]));
        assert_eq!(without_padding(b"body\x02\x03\x02", 256), None);
        assert_eq!(without_padding(b"\x09", 256), None);
        assert_eq!(without_padding(b"", 512), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300), key in 200..600_usize) {
            let _ = Header::parse(&bytes);
            let _ = without_padding(&bytes, key);
        }
    }
}
