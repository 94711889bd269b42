//! Who may come in: what may stand beside what, so that no door is ever open by mistake.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::gateway::{at, listen};
use crate::config::{
    Api, AuditBounds, CertificateSource, EmbeddedBroker, Loopback, MqttRole, MqttTls, MqttUser, RemoteApi,
    Tls, UserRights,
};
use crate::decode::{Sink, Spot};
use crate::written::rights::{
    AnyListen, ApiLoopbackWritten, ApiWritten, AuditWritten, EmbeddedWritten, MqttLoopbackWritten,
    MqttRoleWritten, MqttTlsWritten, MqttUserWritten, RemoteApiWritten,
};

const AUDIT_KEEP: Duration = Duration::from_secs(365 * 86_400);
const AUDIT_MEGABYTES: u32 = 64;
const MOST_AUDIT_MEGABYTES: u32 = 10_000;
const API_PORT: u16 = 7480;
const REMOTE_API_PORT: u16 = 7481;
const MQTT_PORT: u16 = 1883;
const MQTT_TLS_PORT: u16 = 8883;
/// The longest name of a user or of a client certificate, in bytes.
const NAME_BYTES: usize = 63;
/// Users of the gateway's own mappers begin so.
const MAPPER_PREFIX: &str = "mapper:";

/// `gateway.api`, found at `spot`.
pub(super) fn api(spot: &Spot<'_>, written: ApiWritten, sink: &mut Sink) -> Api {
    let loopback = match written.loopback {
        ApiLoopbackWritten::Open => Loopback::Open,
        ApiLoopbackWritten::Token => Loopback::Known,
    };
    let remote = written.remote.map(|remote| at(spot, &["remote"], |spot| remote_api(spot, remote, sink)));
    Api { listen: listen(written.listen, API_PORT), loopback, remote }
}

fn remote_api(spot: &Spot<'_>, written: RemoteApiWritten, sink: &mut Sink) -> RemoteApi {
    let files = Files {
        cert_file: written.cert_file,
        key_file: written.key_file,
        self_signed: written.self_signed,
        names: written.names,
        client_ca_file: written.client_ca_file,
    };
    let tls = tls(spot, files, sink);
    if !written.certificates.is_empty() && tls.client_ca_file.is_none() {
        let fault = |spot: &Spot<'_>| {
            let finding =
                spot.head_finding("client certificates are named, but no authority that may issue them");
            sink.fault(
                finding.hint("write `client_ca_file: /path/of/authorities.pem` beside `certificates`"),
            );
        };
        at(spot, &["certificates"], fault);
    }
    if written.certificates.is_empty() && tls.client_ca_file.is_some() {
        let warn = |spot: &Spot<'_>| {
            let finding = spot.head_finding("no client certificate is named, so none is let in");
            sink.warning(finding.hint("write `certificates: {NAME: operator}`"));
        };
        at(spot, &["client_ca_file"], warn);
    }
    for name in written.certificates.keys() {
        at(spot, &["certificates", name], |spot| check_name(spot, name, sink));
    }
    RemoteApi {
        listen: any(written.listen, REMOTE_API_PORT),
        tls,
        certificates: written.certificates.into_iter().map(|(name, role)| (name, role.into())).collect(),
    }
}

/// `gateway.audit`, found at `spot`.
pub(super) fn audit(spot: &Spot<'_>, written: AuditWritten, sink: &mut Sink) -> AuditBounds {
    let megabytes = written.megabytes.unwrap_or(AUDIT_MEGABYTES);
    if !(1..=MOST_AUDIT_MEGABYTES).contains(&megabytes) {
        let fault = |spot: &Spot<'_>| {
            let finding = spot.finding(format!("{megabytes} megabytes are too few or too many"));
            sink.fault(finding.hint(format!("write 1 to {MOST_AUDIT_MEGABYTES}")));
        };
        at(spot, &["megabytes"], fault);
    }
    let keep = written.keep.map_or(AUDIT_KEEP, |keep| keep.get());
    AuditBounds { keep, bytes: u64::from(megabytes) * 1_000_000 }
}

/// `gateway.mqtt.embedded`, found at `spot`.
pub(super) fn broker(spot: &Spot<'_>, written: EmbeddedWritten, sink: &mut Sink) -> EmbeddedBroker {
    let tls = written.tls.map(|tls| at(spot, &["tls"], |spot| mqtt_tls(spot, tls, sink)));
    let by_certificate = tls.as_ref().is_some_and(|tls| tls.tls.client_ca_file.is_some());
    if tls.is_some() && written.users.is_empty() {
        let fault = |spot: &Spot<'_>| {
            let finding = spot.head_finding("other machines may come in, but there is no user who could");
            sink.fault(
                finding
                    .hint("write `users: {NAME: {password: \"${file:/path}\", role: viewer}}` beside `tls`"),
            );
        };
        at(spot, &["tls"], fault);
    }
    let loopback = match written.loopback {
        MqttLoopbackWritten::Open => Loopback::Open,
        MqttLoopbackWritten::Users => Loopback::Known,
    };
    let mut users = BTreeMap::new();
    for (name, user) in written.users {
        let user = at(spot, &["users", &name], |spot| mqtt_user(spot, &name, user, by_certificate, sink));
        users.extend(user.map(|user| (name, user)));
    }
    EmbeddedBroker { listen: listen(written.listen, MQTT_PORT), loopback, users, tls }
}

fn mqtt_user(
    spot: &Spot<'_>,
    name: &str,
    written: MqttUserWritten,
    by_certificate: bool,
    sink: &mut Sink,
) -> Option<MqttUser> {
    check_name(spot, name, sink);
    if name.starts_with(MAPPER_PREFIX) {
        let finding = spot.head_finding(format!("no user can be called `{MAPPER_PREFIX}...`"));
        sink.fault(finding.hint("the gateway's own mappers are; give another name"));
    }
    // A password that is left unread by `check` counts as written.
    if written.password.is_none() && spot.node.entry("password").is_none() && !by_certificate {
        let finding = spot.head_finding(format!("the user `{name}` has no password"));
        sink.fault(
            finding
                .hint("write `password: ${file:/path}`; or `tls.client_ca_file`, for a client certificate"),
        );
    }
    let devices = !written.devices.is_empty();
    let rights = match written.role {
        Some(_) if devices => {
            let finding = spot.head_finding(format!("the user `{name}` has a `role` and `devices`"));
            sink.fault(finding.hint("write `devices` for a mapper, `role` for an application"));
            return None;
        }
        Some(MqttRoleWritten::Viewer) => UserRights::Application(MqttRole::Viewer),
        Some(MqttRoleWritten::Operator) => UserRights::Application(MqttRole::Operator),
        None if devices => UserRights::Mapper(written.devices.into_iter().map(|device| device.0).collect()),
        None => {
            let finding = spot.head_finding(format!("the user `{name}` may do nothing"));
            sink.fault(
                finding.hint("write `role: viewer` or `role: operator`, or `devices: [...]` for a mapper"),
            );
            return None;
        }
    };
    Some(MqttUser { password: written.password, rights })
}

fn mqtt_tls(spot: &Spot<'_>, written: MqttTlsWritten, sink: &mut Sink) -> MqttTls {
    let MqttTlsWritten { listen, cert_file, key_file, self_signed, names, client_ca_file } = written;
    let files = Files { cert_file, key_file, self_signed, names, client_ca_file };
    MqttTls { listen: any(listen, MQTT_TLS_PORT), tls: tls(spot, files, sink) }
}

struct Files {
    cert_file: Option<String>,
    key_file: Option<String>,
    self_signed: bool,
    names: Vec<String>,
    client_ca_file: Option<String>,
}

fn tls(spot: &Spot<'_>, files: Files, sink: &mut Sink) -> Tls {
    let mut fault = |key: &str, message: &str, hint: &str| {
        at(spot, &[key], |spot| sink.fault(spot.head_finding(message).hint(hint)));
    };
    if files.self_signed && files.cert_file.is_some() {
        fault("self_signed", "there is a `cert_file` too", "remove one of the two");
    }
    if !files.names.is_empty() && !files.self_signed {
        fault(
            "names",
            "`names` are for a certificate that the gateway makes",
            "write `self_signed: true`, or remove the key",
        );
    }
    match (&files.cert_file, &files.key_file) {
        (Some(_), None) => {
            fault("cert_file", "a certificate needs its key", "write `key_file: /path/of/key.pem` beside it")
        }
        (None, Some(_)) => {
            fault("key_file", "a key needs its certificate", "write `cert_file: /path/of/cert.pem` beside it")
        }
        (None, None) if !files.self_signed => {
            let finding =
                spot.head_finding("there is no certificate, and other machines come in with TLS only");
            sink.fault(finding.hint("write `cert_file` and `key_file`, or `self_signed: true`"));
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    let certificate = match (files.cert_file, files.key_file) {
        (Some(cert), Some(key)) => CertificateSource::Files { cert_file: cert.into(), key_file: key.into() },
        (_, _) => CertificateSource::SelfSigned { names: files.names },
    };
    Tls { certificate, client_ca_file: files.client_ca_file.map(Into::into) }
}

fn check_name(spot: &Spot<'_>, name: &str, sink: &mut Sink) {
    let good = (1..=NAME_BYTES).contains(&name.len()) && !name.chars().any(|c| c.is_control() || c == '@');
    if !good {
        let message = format!("`{}` cannot be a name here", crate::scalar::cut(name));
        sink.fault(spot.head_finding(message).hint("write 1 to 63 characters without `@`"));
    }
}

fn any(written: Option<AnyListen>, port: u16) -> SocketAddr {
    written.map_or_else(|| (Ipv4Addr::UNSPECIFIED, port).into(), |listen| listen.0)
}
