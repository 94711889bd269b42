//! Renewing the node's certificate before its time is over.

use std::convert::Infallible;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::time::sleep;
use tracing::{info, warn};
use twin_core::Timestamp;

use crate::clock::wall;
use crate::enrol;
use crate::identity::Identity;
use crate::settings::Settings;

/// The longest sleep: a clock may be set meanwhile.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(3600);

/// Renews the certificate each time two thirds of its life are over, for as long as it is polled. The connection that is open
/// goes on with the certificate before; the next shows the new one.
pub(crate) async fn keep_renewed(settings: &Settings) -> Infallible {
    if !settings.url.is_tls() {
        return std::future::pending().await;
    }
    let mut told = None;
    loop {
        // What is wrong with the stored one is said where it is used.
        let Ok(Some(identity)) = Identity::load(&settings.state_dir) else {
            return std::future::pending().await;
        };
        let Some(due) = due(&identity.certificate) else { return std::future::pending().await };
        let left = due.since(wall());
        if !left.is_zero() {
            sleep(left.min(LOOKED_AT_EVERY)).await;
            continue;
        }
        match enrol::renew(settings, identity).await {
            Ok(()) => {
                info!(node = %settings.node, "the node's certificate was renewed");
                told = None;
            }
            Err(error) => {
                let error = error.to_string();
                if told.as_ref() != Some(&error) {
                    warn!(node = %settings.node, error, "the node's certificate cannot be renewed yet; it is tried each hour");
                }
                told = Some(error);
                sleep(LOOKED_AT_EVERY).await;
            }
        }
    }
}

/// When two thirds of the life of a certificate are over; none when it cannot be read.
fn due(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let validity = parsed.validity();
    let (begin, end) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let life = end.saturating_sub(begin).max(0);
    Some(Timestamp::from_millis(begin.saturating_add(life / 3 * 2).saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_due_when_two_thirds_of_its_life_are_over() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 1, 31);
        let certificate = params.self_signed(&key).unwrap();
        // 2026-01-21
        assert_eq!(due(certificate.der()), Some(Timestamp::from_millis(1_768_953_600_000)));
        assert_eq!(due(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
