//! Certificates that the gateway shows to others.

use std::path::{Path, PathBuf};

use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Finding;
use crate::backup::survey;

const TOPIC: &str = "certificates";
const DAY_S: i64 = 86_400;
/// It is time to see to it.
const SOON_S: i64 = 30 * DAY_S;

/// A certificate in the data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its file.
    pub path: PathBuf,
    /// Whom it names.
    pub subject: String,
    /// From when it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Until when it is.
    pub not_after: i64,
}

/// What is to be said of them; `now` is in seconds since 1970.
#[must_use]
pub fn judge(certificates: &[Certificate], now: i64) -> Vec<Finding> {
    let of = |certificate: &Certificate| {
        let Certificate { path, subject, not_before, not_after } = certificate;
        let (path_text, days) = (path.display(), (not_after - now) / DAY_S);
        let mend = mend(&path.to_string_lossy());
        if now < *not_before {
            return Finding::fail(
                TOPIC,
                format!("the certificate of `{subject}` in {path_text} is not valid yet"),
                "the clock of this machine, or of the one that made it, is wrong; see `timedatectl`",
            );
        }
        if now >= *not_after {
            return Finding::fail(
                TOPIC,
                format!("the certificate of `{subject}` in {path_text} ended {} days ago", -days),
                mend,
            );
        }
        let says = format!("the certificate of `{subject}` in {path_text} ends in {days} days");
        if not_after - now < SOON_S { Finding::warn(TOPIC, says, mend) } else { Finding::ok(TOPIC, says) }
    };
    if certificates.is_empty() {
        return vec![Finding::ok(
            TOPIC,
            "the gateway has no certificate of its own yet, and needs none for what it does",
        )];
    }
    certificates.iter().map(of).collect()
}

fn mend(path: &str) -> String {
    if path.contains("/link/") {
        return "make a token (`twinspan-cloud token create --node NAME`), name it in `gateway.cloud.token`, stop the gateway, \
                delete this file and start it"
            .to_owned();
    }
    if path.contains("/opcua/") {
        return "start the gateway again: it renews this one by itself; then have the servers trust the new one".to_owned();
    }
    "replace it by a new one".to_owned()
}

/// The certificates that the gateway shows to others; not those that it trusts.
#[must_use]
pub fn of_folder(folder: &Path) -> Vec<Certificate> {
    let found = survey(folder).unwrap_or_default();
    let mut certificates = Vec::new();
    for place in found.files.iter().chain(&found.keys).filter(|place| !place.as_str().contains("/trust/")) {
        let path = place.within(folder);
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let name = place.as_str();
        if name.ends_with(".der") {
            certificates.extend(certificate(&path, &bytes));
        } else if name.ends_with(".pem") || name.ends_with(".crt") {
            let parts = Pem::iter_from_buffer(&bytes).flatten().filter(|part| part.label == "CERTIFICATE");
            certificates.extend(parts.filter_map(|part| certificate(&path, &part.contents)));
        }
    }
    certificates
}

fn certificate(path: &Path, der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(Certificate {
        path: path.to_owned(),
        subject: certificate.subject().to_string().chars().take(100).collect(),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn what_ends_soon_is_warned_of_and_what_has_ended_fails() {
        let certificate = |from, to| Certificate {
            path: "/data/link/identity.pem".into(),
            subject: "CN=plant".into(),
            not_before: from * DAY_S,
            not_after: to * DAY_S,
        };
        let level = |from, to| judge(&[certificate(from, to)], 100 * DAY_S)[0].level;
        assert_eq!(level(0, 200), Level::Ok);
        assert_eq!(level(0, 120), Level::Warn);
        assert_eq!(level(0, 100), Level::Fail);
        assert_eq!(level(101, 200), Level::Fail);
        let found = judge(&[certificate(0, 50)], 100 * DAY_S);
        assert!(
            found[0].says.contains("50 days ago")
                && found[0].mend.as_deref().unwrap().contains("token create")
        );
    }
}
