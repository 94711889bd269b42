//! What rmqtt asks and tells, in our terms.

use std::sync::Arc;

use async_trait::async_trait;
use rmqtt::codec::types::QoS;
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::hook::{Handler, HookResult, Parameter, Register, ReturnType, Type};
use rmqtt::types::{AuthResult, ConnectInfo, Id, LastWill, Publish, PublishAclResult, SubscribeAclResult};

use crate::publisher::Heard;
use crate::rights::{Principal, Qos, Rights, Tap};
use crate::sessions::Sessions;
use crate::tls::Guests;

/// One handler for all hooks that we answer.
#[derive(Clone)]
pub(crate) struct Hooks {
    pub(crate) rights: Arc<dyn Rights>,
    pub(crate) tap: Arc<dyn Tap>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) heard: Arc<Heard>,
    pub(crate) guests: Arc<Guests>,
}

impl Hooks {
    pub(crate) async fn register(&self, register: &dyn Register) {
        for hook in [
            Type::ClientAuthenticate,
            Type::ClientConnected,
            Type::ClientDisconnected,
            Type::ClientSubscribeCheckAcl,
            Type::MessagePublishCheckAcl,
            Type::MessagePublish,
        ] {
            register.add(hook, Box::new(self.clone())).await;
        }
        register.start().await;
    }

    fn authenticate(&self, client: &ConnectInfo) -> AuthResult {
        let Some(address) = client.ipaddress() else { return AuthResult::NotAuthorized };
        let peer = self.guests.peer(address);
        let username = client.username().map(|name| &**name);
        let password = client.password().map(|password| &password[..]);
        let Some(principal) = self.rights.authenticate(client.client_id(), username, password, &peer) else {
            tracing::warn!(client_id = %client.client_id(), ?username, peer = %peer.address, "an MQTT client was refused");
            return AuthResult::BadUsernameOrPassword;
        };
        // rmqtt publishes a last will without asking for the right to it.
        if let Some(topic) = client.last_will().map(will_topic)
            && !self.rights.may_publish(&principal, topic)
        {
            tracing::warn!(client_id = %client.client_id(), peer = %peer.address, topic, "an MQTT client was refused for its last will");
            return AuthResult::NotAuthorized;
        }
        self.sessions.admitted(client.id(), principal);
        AuthResult::Allow(false, None)
    }

    fn may_publish(&self, id: &Id, topic: &str) -> Option<Principal> {
        self.sessions.principal(id).filter(|principal| self.rights.may_publish(principal, topic))
    }

    /// rmqtt calls this before it asks for the right, so the right is looked at here first.
    async fn published(&self, id: &Id, message: &Publish) {
        let Some(principal) = self.sessions.principal(id) else { return };
        let (topic, payload) = (&*message.topic, message.payload.clone());
        if !self.rights.may_publish(&principal, topic) {
            return self.tap.refused(&principal, topic, payload).await;
        }
        let qos = match message.qos {
            QoS::AtMostOnce => Qos::AtMostOnce,
            QoS::AtLeastOnce => Qos::AtLeastOnce,
            QoS::ExactlyOnce => Qos::ExactlyOnce,
        };
        self.tap.published(&principal, topic, payload, qos).await;
    }
}

#[async_trait]
impl Handler for Hooks {
    async fn hook(&self, parameter: &Parameter, so_far: Option<HookResult>) -> ReturnType {
        if let Parameter::ClientAuthenticate(client) = parameter {
            return (false, Some(HookResult::AuthResult(self.authenticate(client))));
        }
        if let Parameter::ClientConnected(session) = parameter {
            self.sessions.set_live(&session.id, true);
        }
        if let Parameter::ClientDisconnected(session, _) = parameter {
            self.sessions.set_live(&session.id, false);
        }
        if let Parameter::ClientSubscribeCheckAcl(session, wanted) = parameter {
            let principal = self.sessions.principal(&session.id);
            let may = principal.is_some_and(|p| self.rights.may_subscribe(&p, &wanted.topic_filter));
            let answer = if may {
                self.heard.note(&wanted.topic_filter);
                SubscribeAclResult::new_success(wanted.opts.qos(), None)
            } else {
                SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized)
            };
            return (false, Some(HookResult::SubscribeAclResult(answer)));
        }
        if let Parameter::MessagePublishCheckAcl(session, message) = parameter {
            let answer = match self.may_publish(&session.id, &message.topic) {
                Some(_) => PublishAclResult::allow(),
                None => PublishAclResult::rejected(false, None),
            };
            return (false, Some(HookResult::PublishAclResult(answer)));
        }
        if let Parameter::MessagePublish(Some(session), _, message) = parameter {
            self.published(&session.id, message).await;
        }
        (true, so_far)
    }
}

fn will_topic(will: LastWill<'_>) -> &str {
    match will {
        LastWill::V3(will) => &will.topic,
        LastWill::V5(will) => &will.topic,
    }
}
