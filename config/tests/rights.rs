//! Who may come in: no door is open by mistake, and what is wrong is named with its mend.

mod common;

use common::read;
use config::{CertificateSource, Loopback, Mqtt, MqttRole, UserRights};
use twin_core::Role;

fn with(text: &str) -> String {
    format!("devices: {{}}\ngateway:\n  node: a\n{text}")
}

/// `key | message | hint`, one line a fault.
fn faults(text: &str) -> String {
    match read(&[("rights.yaml", &with(text))]) {
        Ok(loaded) => format!("all well: {:?}", loaded.config.gateway),
        Err(faults) => {
            let line = |fault: &config::Fault| {
                format!("{} | {} | {}", fault.path, fault.message, fault.hint.as_deref().unwrap_or("-"))
            };
            faults.faults.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    }
}

#[test]
fn every_wrong_combination_is_a_fault_with_its_mend() {
    for (text, expected) in [
        (
            "  api: {remote: {}}\n",
            "gateway.api.remote | there is no certificate, and other machines come in with TLS only | write `cert_file` and `key_file`, or `self_signed: true`",
        ),
        (
            "  api: {remote: {cert_file: c.pem}}\n",
            "gateway.api.remote.cert_file | a certificate needs its key | write `key_file: /path/of/key.pem` beside it",
        ),
        (
            "  api: {remote: {key_file: c.pem}}\n",
            "gateway.api.remote.key_file | a key needs its certificate | write `cert_file: /path/of/cert.pem` beside it",
        ),
        (
            "  api: {remote: {self_signed: true, cert_file: c, key_file: k}}\n",
            "gateway.api.remote.self_signed | there is a `cert_file` too | remove one of the two",
        ),
        (
            "  api: {remote: {names: [a.example], cert_file: c, key_file: k}}\n",
            "gateway.api.remote.names | `names` are for a certificate that the gateway makes | write `self_signed: true`, or remove the key",
        ),
        (
            "  api: {remote: {self_signed: true, certificates: {hmi: operator}}}\n",
            "gateway.api.remote.certificates | client certificates are named, but no authority that may issue them | write `client_ca_file: /path/of/authorities.pem` beside `certificates`",
        ),
        (
            "  mqtt: {embedded: {tls: {self_signed: true}}}\n",
            "gateway.mqtt.embedded.tls | other machines may come in, but there is no user who could | write `users: {NAME: {password: \"${file:/path}\", role: viewer}}` beside `tls`",
        ),
        (
            "  mqtt: {embedded: {users: {hmi: {role: viewer}}}}\n",
            "gateway.mqtt.embedded.users.hmi | the user `hmi` has no password | write `password: ${file:/path}`; or `tls.client_ca_file`, for a client certificate",
        ),
        (
            "  mqtt: {embedded: {users: {hmi: {password: x, role: viewer, devices: [a]}}}}\n",
            "gateway.mqtt.embedded.users.hmi | the user `hmi` has a `role` and `devices` | write `devices` for a mapper, `role` for an application",
        ),
        (
            "  mqtt: {embedded: {users: {hmi: {password: x}}}}\n",
            "gateway.mqtt.embedded.users.hmi | the user `hmi` may do nothing | write `role: viewer` or `role: operator`, or `devices: [...]` for a mapper",
        ),
        (
            "  mqtt: {embedded: {users: {'mapper:modbus': {password: x, role: viewer}}}}\n",
            "gateway.mqtt.embedded.users.mapper:modbus | no user can be called `mapper:...` | the gateway's own mappers are; give another name",
        ),
        (
            "  mqtt: {embedded: {users: {hmi: {password: '', role: viewer}}}}\n",
            "gateway.mqtt.embedded.users.hmi.password | the secret is empty | -",
        ),
        (
            "  audit: {keep: 1h, megabytes: 0}\n",
            "gateway.audit.keep | 1h is not between 1d and 3653d | write a duration from 1d to 3653d\n\
             gateway.audit.megabytes | 0 megabytes are too few or too many | write 1 to 10000",
        ),
    ] {
        assert_eq!(faults(text), expected, "{text}");
    }
    let unknown =
        faults("  api: {remote: {self_signed: true, client_ca_file: c, certificates: {hmi: root}}}\n");
    assert!(unknown.starts_with("gateway.api.remote.certificates.hmi | "), "{unknown}");
    assert!(unknown.contains("not `root`"), "{unknown}");
}

#[test]
fn both_doors_of_both_are_read() {
    let text = "  api:
    listen: 127.0.0.1:0
    loopback: token
    remote: {listen: '[::]:7481', self_signed: true, names: [gw.example], client_ca_file: ca.pem, certificates: {hmi: operator}}
  mqtt:
    embedded:
      loopback: users
      users:
        line-2: {password: x, devices: [oven, hall/fan]}
        hmi: {password: x, role: operator}
        panel: {role: viewer}
      tls: {cert_file: c.pem, key_file: k.pem, client_ca_file: ca.pem}
";
    let gateway = read(&[("rights.yaml", &with(text))]).unwrap().config.gateway;
    assert_eq!(gateway.api.loopback, Loopback::Known);
    let remote = gateway.api.remote.unwrap();
    assert_eq!(remote.listen.to_string(), "[::]:7481");
    assert_eq!(remote.tls.certificate, CertificateSource::SelfSigned { names: vec!["gw.example".into()] });
    assert_eq!(remote.certificates.into_iter().collect::<Vec<_>>(), [("hmi".to_owned(), Role::Operator)]);
    let Mqtt::Embedded(broker) = gateway.mqtt else { panic!("{:?}", gateway.mqtt) };
    assert_eq!(broker.loopback, Loopback::Known);
    assert_eq!(broker.tls.unwrap().listen.to_string(), "0.0.0.0:8883");
    assert_eq!(broker.users["hmi"].rights, UserRights::Application(MqttRole::Operator));
    assert_eq!(broker.users["panel"].password, None);
    let UserRights::Mapper(devices) = &broker.users["line-2"].rights else { panic!() };
    assert_eq!(devices.iter().map(ToString::to_string).collect::<Vec<_>>(), ["default/oven", "hall/fan"]);
}

#[test]
fn by_default_nothing_but_loopback_is_listened_on() {
    let gateway = read(&[("rights.yaml", &with(""))]).unwrap().config.gateway;
    assert!(gateway.api.listen.ip().is_loopback() && gateway.api.remote.is_none());
    let Mqtt::Embedded(broker) = gateway.mqtt else { panic!("{:?}", gateway.mqtt) };
    assert!(broker.listen.ip().is_loopback() && broker.tls.is_none() && broker.users.is_empty());
}
