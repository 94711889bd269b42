//! Which of the endpoints that a server offers is taken: pure. (OPC 10000-4, 5.5.4)

use mapper_sdk::Fault;
use opcua_crypto::SecurityPolicy;
use opcua_types::{EndpointDescription, MessageSecurityMode, UAString, UserTokenPolicy, UserTokenType};

use crate::link::{Identity, Link, Security, SecurityMode};

const BINARY: &str = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary";

/// The policies that are taken, the weakest first. Older ones are broken and not offered. (OPC 10000-7, 6.6)
const POLICIES: [(SecurityPolicy, Security); 4] = [
    (SecurityPolicy::None, Security::None),
    (SecurityPolicy::Basic256Sha256, Security::Basic256sha256),
    (SecurityPolicy::Aes128Sha256RsaOaep, Security::Aes128),
    (SecurityPolicy::Aes256Sha256RsaPss, Security::Aes256),
];

/// The strength of a policy, from its URI; none when it is not one that is taken.
fn strength(uri: &UAString) -> Option<usize> {
    POLICIES.iter().position(|(policy, _)| policy.to_uri() == uri.as_ref())
}

fn mode_of(endpoint: &EndpointDescription) -> Option<SecurityMode> {
    if endpoint.security_mode == MessageSecurityMode::SignAndEncrypt {
        Some(SecurityMode::SignAndEncrypt)
    } else {
        (endpoint.security_mode == MessageSecurityMode::Sign).then_some(SecurityMode::Sign)
    }
}

/// How good an endpoint is; none when it cannot be used at all.
fn grade(endpoint: &EndpointDescription) -> Option<(usize, Option<SecurityMode>)> {
    let profile = endpoint.transport_profile_uri.as_ref();
    let is_binary = profile.is_empty() || profile == BINARY;
    let strength = strength(&endpoint.security_policy_uri).filter(|_| is_binary)?;
    let mode = mode_of(endpoint);
    ((strength == 0) == mode.is_none()).then_some((strength, mode))
}

/// The best endpoint that the link allows and that takes the identity, with the user token to be used as its only one.
pub(crate) fn choose(
    endpoints: &[EndpointDescription],
    link: &Link,
    identity: &Identity,
) -> Result<EndpointDescription, Fault> {
    let mut usable: Vec<_> = endpoints.iter().filter_map(|e| Some((grade(e)?, e))).collect();
    usable.sort_by_key(|(grade, _)| std::cmp::Reverse(*grade));
    let allowed = |((strength, mode), _): &&((usize, Option<SecurityMode>), &EndpointDescription)| {
        (link.security == Security::Auto || POLICIES[*strength].1 == link.security)
            && (link.mode.is_none() || link.mode == *mode)
    };
    let allowed: Vec<_> = usable.iter().filter(allowed).collect();
    if allowed.is_empty() {
        let offered: Vec<String> = usable.iter().map(|(grade, _)| shown(*grade)).collect();
        let offered = if offered.is_empty() { "nothing that is safe".to_owned() } else { offered.join(", ") };
        let wanted = link.mode.map_or(String::new(), |mode| format!(" {mode}"));
        return Err(Fault::Denied(format!(
            "the server offers {offered}, not {}{wanted}: write `security` and `mode` as it offers them",
            link.security
        )));
    }
    let mut taking =
        allowed.iter().filter_map(|(grade, endpoint)| Some((grade, endpoint, token(endpoint, identity)?)));
    let Some((grade, endpoint, token)) = taking.next() else {
        let who = match identity {
            Identity::Anonymous => "somebody without a name: write `user` and `password`",
            Identity::User(..) => "a user with a password",
            Identity::Certificate(..) => "a user with a certificate",
        };
        return Err(Fault::Denied(format!("the server does not let in {who}")));
    };
    let is_clear = grade.0 == 0 && strength(&token.security_policy_uri) == Some(0);
    if is_clear && link.security == Security::Auto && matches!(identity, Identity::User(..)) {
        return Err(Fault::Denied(
            "the password would be sent in clear: write `security: none` if that is what you want".into(),
        ));
    }
    Ok(EndpointDescription { user_identity_tokens: Some(vec![token]), ..(*endpoint).clone() })
}

/// The best way in which the endpoint takes the identity.
fn token(endpoint: &EndpointDescription, identity: &Identity) -> Option<UserTokenPolicy> {
    let wanted = match identity {
        Identity::Anonymous => UserTokenType::Anonymous,
        Identity::User(..) => UserTokenType::UserName,
        Identity::Certificate(..) => UserTokenType::Certificate,
    };
    let tokens = endpoint.user_identity_tokens.iter().flatten();
    let explicit = |token: &UserTokenPolicy| {
        let mut token = token.clone();
        // Without one of its own it has that of the endpoint. (OPC 10000-4, 7.42)
        if token.security_policy_uri.is_empty() {
            token.security_policy_uri = endpoint.security_policy_uri.clone();
        }
        token
    };
    tokens
        .filter(|token| token.token_type == wanted)
        .map(explicit)
        .filter(|token| wanted == UserTokenType::Anonymous || strength(&token.security_policy_uri).is_some())
        .max_by_key(|token| strength(&token.security_policy_uri))
}

fn shown((strength, mode): (usize, Option<SecurityMode>)) -> String {
    let policy = POLICIES[strength].1;
    mode.map_or_else(|| policy.to_string(), |mode| format!("{policy} {mode}"))
}

/// What was chosen, in words.
pub(crate) fn words(endpoint: &EndpointDescription) -> String {
    grade(endpoint).map_or_else(|| endpoint.security_policy_uri.to_string(), shown)
}

/// Whether a key of so many bits may be used with the endpoint's policy.
pub(crate) fn takes_key(endpoint: &EndpointDescription, bits: usize) -> bool {
    strength(&endpoint.security_policy_uri).is_some_and(|place| POLICIES[place].0.is_valid_keylength(bits))
}

/// Whether the endpoint has any security.
pub(crate) fn is_secure(endpoint: &EndpointDescription) -> bool {
    endpoint.security_policy_uri.as_ref() != SecurityPolicy::None.to_uri()
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Secret;

    fn endpoint(policy: SecurityPolicy, mode: MessageSecurityMode) -> EndpointDescription {
        let token = |token_type, uri: &str| UserTokenPolicy {
            policy_id: "x".into(),
            token_type,
            security_policy_uri: uri.into(),
            ..UserTokenPolicy::default()
        };
        EndpointDescription {
            security_policy_uri: policy.to_uri().into(),
            security_mode: mode,
            transport_profile_uri: BINARY.into(),
            user_identity_tokens: Some(vec![
                token(UserTokenType::Anonymous, ""),
                token(UserTokenType::UserName, ""),
            ]),
            ..EndpointDescription::default()
        }
    }

    fn all() -> Vec<EndpointDescription> {
        use MessageSecurityMode as M;
        use SecurityPolicy as P;
        vec![
            endpoint(P::None, M::None),
            endpoint(P::Basic256Sha256, M::Sign),
            endpoint(P::Aes256Sha256RsaPss, M::Sign),
            endpoint(P::Aes256Sha256RsaPss, M::SignAndEncrypt),
            endpoint(P::Basic128Rsa15, M::SignAndEncrypt),
        ]
    }

    fn chosen(endpoints: &[EndpointDescription], link: &Link, identity: &Identity) -> Result<String, String> {
        choose(endpoints, link, identity).map(|found| words(&found)).map_err(|fault| fault.to_string())
    }

    fn user() -> Identity {
        Identity::User("gw".into(), Secret::new("secret"))
    }

    #[test]
    fn the_best_that_is_allowed_is_taken() {
        let link = || Link::to("opc.tcp://plc");
        let anonymous = Identity::Anonymous;
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(chosen(&all(), &link(), &anonymous), ok("aes256_sha256_rsa_pss sign_and_encrypt"));
        let none = link().with_security(Security::None);
        assert_eq!(chosen(&all(), &none, &anonymous), ok("none"));
        let sign = Link { mode: Some(SecurityMode::Sign), ..link() };
        assert_eq!(chosen(&all(), &sign, &anonymous), ok("aes256_sha256_rsa_pss sign"));
        let basic = link().with_security(Security::Basic256sha256);
        assert_eq!(chosen(&all(), &basic, &user()), ok("basic256sha256 sign"));
        let fault = chosen(&all(), &link().with_security(Security::Aes128), &anonymous).unwrap_err();
        assert!(fault.contains("offers aes256_sha256_rsa_pss sign_and_encrypt, "), "{fault}");
        let broken = &all()[4..];
        assert!(chosen(broken, &link(), &anonymous).is_err());
    }

    #[test]
    fn a_password_is_not_sent_in_clear_unasked() {
        let link = Link::to("opc.tcp://plc");
        let bare = &all()[..1];
        assert!(chosen(bare, &link, &user()).unwrap_err().contains("in clear"));
        assert_eq!(chosen(bare, &link.clone().with_security(Security::None), &user()), Ok("none".into()));
        let mut encrypting = bare[0].clone();
        let token = UserTokenPolicy {
            token_type: UserTokenType::UserName,
            security_policy_uri: SecurityPolicy::Basic256Sha256.to_uri().into(),
            ..UserTokenPolicy::default()
        };
        encrypting.user_identity_tokens.as_mut().unwrap().push(token);
        assert_eq!(chosen(&[encrypting], &link, &user()), Ok("none".into()));
    }

    #[test]
    fn an_endpoint_that_does_not_take_the_user_is_passed_over() {
        let mut endpoints = all();
        endpoints[3].user_identity_tokens = None;
        let link = Link::to("opc.tcp://plc");
        assert_eq!(chosen(&endpoints, &link, &user()), Ok("aes256_sha256_rsa_pss sign".into()));
        let certificate = Identity::Certificate("a".into(), "b".into());
        assert!(chosen(&endpoints, &link, &certificate).unwrap_err().contains("certificate"));
    }
}
