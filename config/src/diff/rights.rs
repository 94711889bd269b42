//! What differs of who may come in.

use std::collections::BTreeMap;

use super::fields::{Fields, text};
use super::pairs;
use crate::config::{
    Api, CertificateSource, EmbeddedBroker, Loopback, MqttRole, MqttTls, MqttUser, RemoteApi, Tls, UserRights,
};

pub(super) fn api(old: &Api, new: &Api, fields: &mut Fields) {
    let Api { listen, loopback, remote } = old;
    fields.shown("api.listen", text(listen), text(new.listen));
    let word = |loopback: Loopback| match loopback {
        Loopback::Open => "open",
        Loopback::Known => "token",
    };
    fields.shown("api.loopback", text(word(*loopback)), text(word(new.loopback)));
    let listen = |remote: &Option<RemoteApi>| remote.as_ref().map(|remote| remote.listen.to_string());
    fields.shown("api.remote.listen", listen(remote), listen(&new.remote));
    let tls_of = |remote: &'_ Option<RemoteApi>| remote.as_ref().map(|remote| remote.tls.clone());
    tls("api.remote", tls_of(remote), tls_of(&new.remote), fields);
    let none = BTreeMap::new();
    let old = remote.as_ref().map_or(&none, |remote| &remote.certificates);
    let new = new.remote.as_ref().map_or(&none, |remote| &remote.certificates);
    for (name, old, new) in pairs(old, new) {
        fields.shown(format!("api.remote.certificates.{name}"), old.and_then(text), new.and_then(text));
    }
}

pub(super) fn broker(old: Option<&EmbeddedBroker>, new: Option<&EmbeddedBroker>, fields: &mut Fields) {
    let listen = |broker: Option<&EmbeddedBroker>| broker.map(|broker| broker.listen.to_string());
    fields.shown("mqtt.embedded.listen", listen(old), listen(new));
    let loopback = |broker: Option<&EmbeddedBroker>| {
        broker.map(|broker| match broker.loopback {
            Loopback::Open => "open".to_owned(),
            Loopback::Known => "users".to_owned(),
        })
    };
    fields.shown("mqtt.embedded.loopback", loopback(old), loopback(new));
    let none = BTreeMap::new();
    let users = |broker: Option<&'_ EmbeddedBroker>| broker.map_or_else(|| none.clone(), |b| b.users.clone());
    for (name, old, new) in pairs(&users(old), &users(new)) {
        let password = |user: Option<&MqttUser>| user.and_then(|user| user.password.clone());
        fields.shown(format!("mqtt.embedded.users.{name}"), old.map(rights), new.map(rights));
        fields.hidden(format!("mqtt.embedded.users.{name}.password"), password(old) == password(new));
    }
    let door = |broker: Option<&EmbeddedBroker>| broker.and_then(|broker| broker.tls.clone());
    let (old, new) = (door(old), door(new));
    let listen = |door: &Option<MqttTls>| door.as_ref().map(|door| door.listen.to_string());
    fields.shown("mqtt.embedded.tls.listen", listen(&old), listen(&new));
    tls("mqtt.embedded.tls", old.map(|door| door.tls), new.map(|door| door.tls), fields);
}

fn rights(user: &MqttUser) -> String {
    match &user.rights {
        UserRights::Mapper(devices) => {
            let names: Vec<_> = devices.iter().map(ToString::to_string).collect();
            format!("devices [{}]", names.join(", "))
        }
        UserRights::Application(MqttRole::Viewer) => "viewer".to_owned(),
        UserRights::Application(MqttRole::Operator) => "operator".to_owned(),
    }
}

fn tls(at: &str, old: Option<Tls>, new: Option<Tls>, fields: &mut Fields) {
    let certificate = |tls: &Option<Tls>| {
        tls.as_ref().map(|tls| match &tls.certificate {
            CertificateSource::Files { cert_file, key_file } => {
                format!("{} with {}", cert_file.display(), key_file.display())
            }
            CertificateSource::SelfSigned { names } => format!("made for [{}]", names.join(", ")),
        })
    };
    let ca = |tls: &Option<Tls>| {
        tls.as_ref().and_then(|tls| tls.client_ca_file.as_ref()).map(|path| path.display().to_string())
    };
    fields.shown(format!("{at}.cert_file"), certificate(&old), certificate(&new));
    fields.shown(format!("{at}.client_ca_file"), ca(&old), ca(&new));
}
