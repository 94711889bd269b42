//! Who may come in, as it is configured.

use std::path::Path;
use std::sync::Arc;

use audit::{Action, Audit, Book, Bounds, Record};
use config::{EmbeddedBroker, Gateway, Loopback, MqttRole};
use mqtt_broker::{Access, BrokerSettings, TlsSettings, User, UserRights};
use rights::{Failures, Tokens};

use super::StartError;
use super::stages::Stage;
use crate::api::Gate;
use crate::api::doors::certificate;
use crate::clock::now;

/// The gate before REST.
pub(super) async fn gate(gateway: &Gateway, failures: Failures, audit: Audit) -> Result<Gate, StartError> {
    let tokens = Tokens::open(&gateway.data_dir).await?;
    let certificates = gateway.api.remote.as_ref().map(|remote| remote.certificates.clone());
    Ok(Gate::new(tokens, certificates.unwrap_or_default(), failures, audit))
}

/// The audit, with its first record of this process, as soon as the disk takes it.
pub(super) async fn audit(gateway: &Gateway, stage: &mut Stage) -> Result<Audit, StartError> {
    let book = Book::open(&gateway.data_dir).await?;
    let bounds = Bounds { keep: gateway.audit.keep, bytes: gateway.audit.bytes };
    let (audit, writer) = Audit::new(book, bounds, now).await?;
    let stop = stage.token();
    stage.spawn_plain("audit", writer.run(stop));
    let mut record = Record::new(Action::Started);
    record.subject = Some(gateway.node.to_string());
    record.note = Some(concat!("twinspan ", env!("CARGO_PKG_VERSION")).to_owned());
    audit.owe(record).await;
    Ok(audit)
}

/// Who may come in at the gateway's own broker.
pub(super) fn access(broker: &EmbeddedBroker, failures: Failures) -> Arc<Access> {
    let users = broker.users.iter().map(|(name, user)| {
        let rights = match &user.rights {
            config::UserRights::Mapper(devices) => UserRights::Mapper(devices.clone()),
            config::UserRights::Application(MqttRole::Viewer) => UserRights::Viewer,
            config::UserRights::Application(MqttRole::Operator) => UserRights::Operator,
        };
        (name.clone(), User::new(user.password.as_ref().map(config::Secret::expose), rights))
    });
    let access = Access::new(users).counting(failures, now);
    Arc::new(match broker.loopback {
        Loopback::Open => access,
        Loopback::Known => access.closed(),
    })
}

/// Where the gateway's own broker listens.
pub(super) fn broker(broker: &EmbeddedBroker, data_dir: &Path) -> Result<BrokerSettings, StartError> {
    let tls = match &broker.tls {
        None => None,
        Some(tls) => {
            let certificate = certificate(&tls.tls, data_dir, &[]).map_err(StartError::MqttTls)?;
            Some(TlsSettings { listen: tls.listen, certificate: Arc::new(certificate) })
        }
    };
    Ok(BrokerSettings { listen: broker.listen, tls, ..BrokerSettings::default() })
}
