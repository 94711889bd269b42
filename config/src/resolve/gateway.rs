//! `gateway:` with its defaults, and the rules between its keys.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::rights;
use super::secrets::Secrets;
use crate::config::{Cloud, ExternalBroker, Gateway, History, Log, Mqtt};
use crate::decode::{Sink, Spot, decode};
use crate::node::Node;
use crate::source::Span;
use crate::written::gateway::{ExternalWritten, GatewayWritten, Listen, MqttWritten};

const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// The settings of the gateway; a fault where there are none, unless they may be in what is not `whole`.
pub(crate) fn gateway(
    spot: &Spot<'_>,
    whole: bool,
    secrets: &Secrets<'_>,
    sink: &mut Sink,
) -> Option<Gateway> {
    if spot.node.at == Span::default() {
        if whole {
            let hint = "write `gateway:` and below it `  node: NAME`";
            sink.fault(spot.head_finding("there is no `gateway`").hint(hint));
        }
        return None;
    }
    let node = super::secrets::put_in(spot, secrets, sink);
    let spot = Spot { node: &node, ..*spot };
    let written = decode::<GatewayWritten>(&spot, &[], sink).value?;
    let mqtt = match written.mqtt {
        MqttWritten::Embedded(embedded) => {
            let check = |spot: &Spot<'_>| rights::broker(spot, embedded, sink);
            Mqtt::Embedded(at(&spot, &["mqtt", "embedded"], check))
        }
        MqttWritten::External(external) => {
            let check = |spot: &Spot<'_>| external_broker(spot, external, sink);
            Mqtt::External(at(&spot, &["mqtt", "external"], check))
        }
    };
    let audit = at(&spot, &["audit"], |spot| rights::audit(spot, written.audit, sink));
    let api = at(&spot, &["api"], |spot| rights::api(spot, written.api, sink));
    let most = History::default();
    let history = History {
        max_bytes: written.history.max_bytes.map_or(most.max_bytes, |bytes| bytes.get()),
        max_age: written.history.max_age.map_or(most.max_age, |age| age.get()),
    };
    Some(Gateway {
        node: written.node,
        data_dir: written.data_dir.into(),
        mqtt,
        cloud: written.cloud.map(|cloud| Cloud { url: cloud.url, token: cloud.token }),
        api,
        audit,
        log: Log { level: written.log.level, format: written.log.format },
        history,
        reload_on_change: written.reload_on_change,
        shutdown_grace: written.shutdown_grace.map_or(SHUTDOWN_GRACE, |grace| grace.get()),
    })
}

pub(super) fn listen(written: Option<Listen>, port: u16) -> SocketAddr {
    written.map_or_else(|| (Ipv4Addr::LOCALHOST, port).into(), |listen| listen.0)
}

fn external_broker(spot: &Spot<'_>, written: ExternalWritten, sink: &mut Sink) -> ExternalBroker {
    let url = written.url;
    if written.password.is_some() && spot.node.entry("username").is_none() {
        let entry =
            |spot: &Spot<'_>| sink.fault(spot.head_finding("a password needs a `username` beside it"));
        at(spot, &["password"], entry);
    }
    if written.password.is_some() && !url.tls && !url.is_loopback() {
        let warn = |spot: &Spot<'_>| {
            let finding = spot.finding("the password goes over the network in the clear");
            sink.warning(finding.hint("write mqtts:// if the broker can do TLS"));
        };
        at(spot, &["url"], warn);
    }
    if written.ca_file.is_some() && !url.tls {
        let fault = |spot: &Spot<'_>| {
            sink.fault(
                spot.head_finding("`ca_file` is for mqtts:// only").hint("write mqtts:// or remove the key"),
            );
        };
        at(spot, &["ca_file"], fault);
    }
    ExternalBroker {
        url,
        username: written.username,
        password: written.password,
        ca_file: written.ca_file.map(Into::into),
    }
}

/// Calls `then` with the spot under `keys`, or with the last one that is there.
pub(super) fn at<T>(spot: &Spot<'_>, keys: &[&str], then: impl FnOnce(&Spot<'_>) -> T) -> T {
    match keys.split_first() {
        None => then(spot),
        Some((key, rest)) => match spot.node.entry(key) {
            Some(entry) => at(&spot.below(entry), rest, then),
            None => {
                let nothing = Node::empty(spot.head);
                then(&Spot { node: &nothing, ..*spot })
            }
        },
    }
}
