//! Joining: who gets a certificate, and what the certificate is good for.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use cloudhub::{create_join_token, revoke_node};
use sync_proto::JoinToken;

use crate::edge::{Edge, ws, wss};
use crate::support::{Cloud, eventually, node};

#[tokio::test]
async fn an_edge_joins_with_a_token_once_and_then_comes_back_without_it() {
    let cloud = Cloud::start().await;
    let dir = tempfile::tempdir().unwrap();
    let edge = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", Some(cloud.token("line-1").await));
    edge.connected().await;
    eventually("the node is listed", || async { cloud.registry.node(&node("line-1")).is_some() }).await;
    edge.stop().await;
    eventually("the node is gone", || async { cloud.registry.nodes().is_empty() }).await;
    let file = std::fs::metadata(dir.path().join("edge/identity.pem")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let again = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", None);
    again.connected().await;
    again.stop().await;
    assert!(cloud.store.node(&node("line-1")).await.unwrap().is_some());
    cloud.stop().await;
}

#[tokio::test]
async fn a_token_is_good_for_one_certificate() {
    let cloud = Cloud::start().await;
    let token = cloud.token("line-1").await;
    let first = Edge::start(&wss(cloud.tls), "line-1", Some(token.clone()));
    first.connected().await;
    let second = Edge::start(&wss(cloud.tls), "line-1", Some(token));
    second.complains("used before").await;
    assert_eq!(second.status.borrow().connection, 0);
    first.stop().await;
    second.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn tokens_that_are_wrong_are_refused_by_name() {
    let (cloud, other) = (Cloud::start().await, Cloud::start().await);
    let expired = create_join_token(&cloud.ca, &cloud.store, node("line-1"), Duration::ZERO).await.unwrap();
    let unknown = {
        let token = other.token("line-1").await;
        JoinToken::new(cloud.ca.pin(), token.secret().clone(), node("line-1"))
    };
    for (token, words) in [
        (Some(expired), "expired"),
        (Some(unknown), "no such join token"),
        (Some(other.token("line-1").await), "not the one that the join token was made for"),
        (Some(cloud.token("line-2").await), "make one for this node"),
        (None, "no certificate and no join token"),
    ] {
        let edge = Edge::start(&wss(cloud.tls), "line-1", token);
        edge.complains(words).await;
        assert_eq!(edge.status.borrow().connection, 0);
        edge.stop().await;
    }
    other.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_certificate_of_one_node_does_not_speak_for_another() {
    let cloud = Cloud::start().await;
    let dir = tempfile::tempdir().unwrap();
    let edge = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", Some(cloud.token("line-1").await));
    edge.connected().await;
    edge.stop().await;
    let thief = Edge::start_in(dir.path(), &wss(cloud.tls), "line-2", None);
    thief.complains("the certificate is of node `line-1`, not of `line-2`").await;
    assert!(cloud.registry.node(&node("line-2")).is_none());
    thief.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_named_at_both_ends() {
    let (cloud, other) = (Cloud::start().await, Cloud::start().await);
    let dir = tempfile::tempdir().unwrap();
    let edge = Edge::start_in(dir.path(), &wss(other.tls), "line-1", Some(other.token("line-1").await));
    edge.connected().await;
    edge.stop().await;
    let astray = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", None);
    astray.complains("a certificate of another CA").await;
    astray.stop().await;
    // The edge is made to trust the new CA, but still shows its old certificate.
    let file = dir.path().join("edge/identity.pem");
    let old = std::fs::read_to_string(&file).unwrap();
    let ca_at = old.rfind("-----BEGIN CERTIFICATE-----").unwrap();
    std::fs::write(&file, format!("{}{}", &old[..ca_at], cloud.ca.certificate_pem())).unwrap();
    let stranger = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", None);
    stranger.complains("does not take this node's certificate").await;
    stranger.stop().await;
    // The mend that the message names.
    let mended = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", Some(cloud.token("line-1").await));
    mended.connected().await;
    mended.stop().await;
    other.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_cloud_that_is_not_there_or_not_a_cloud_is_named() {
    let cloud = Cloud::start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    let edge = Edge::start(&ws(free), "line-1", None);
    edge.complains("cannot be reached").await;
    edge.stop().await;
    let edge = Edge::start(&ws(cloud.tls), "line-1", None);
    edge.complains("broke").await;
    edge.stop().await;
    cloud.stop().await;
}

/// Gives the edge another certificate of the same CA: one that is `old` days old and ends in `left` days.
fn age(cloud: &Cloud, file: &std::path::Path, name: &str, old: u64, left: u64) {
    use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
    let ca = std::fs::read_to_string(cloud.dir.path().join("ca/ca.pem")).unwrap();
    let issuer =
        Issuer::from_ca_cert_pem(cloud.ca.certificate_pem(), KeyPair::from_pem(&ca).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let days = |days| Duration::from_secs(days * 86_400);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + (now - days(old));
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + (now + days(left));
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let pem = format!("{}{}{}", key.serialize_pem(), certificate.pem(), cloud.ca.certificate_pem());
    std::fs::write(file, pem).unwrap();
}

#[tokio::test]
async fn a_certificate_is_renewed_on_the_live_link_when_two_thirds_of_its_life_are_over() {
    let cloud = Cloud::start().await;
    let dir = tempfile::tempdir().unwrap();
    let edge = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", Some(cloud.token("line-1").await));
    edge.connected().await;
    edge.stop().await;
    let file = dir.path().join("edge/identity.pem");

    age(&cloud, &file, "line-1", 200, 166);
    let young = std::fs::read(&file).unwrap();
    let edge = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", None);
    edge.connected().await;
    edge.stop().await;
    assert_eq!(std::fs::read(&file).unwrap(), young, "it was renewed too early");

    age(&cloud, &file, "line-1", 300, 66);
    let old = std::fs::read(&file).unwrap();
    let edge = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", None);
    edge.connected().await;
    eventually("the certificate is another one", || async { std::fs::read(&file).unwrap() != old }).await;
    assert_eq!(edge.status.borrow().connection, 1, "the link was not cut for it");
    edge.stop().await;
    let renewed = std::fs::read(&file).unwrap();
    let edge = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", None);
    edge.connected().await;
    edge.stop().await;
    assert_eq!(std::fs::read(&file).unwrap(), renewed, "the new one is good");
    cloud.stop().await;
}

#[tokio::test]
async fn a_node_that_is_revoked_is_cut_off_and_comes_back_with_a_new_token_only() {
    let cloud = Cloud::start().await;
    let (dir, thief_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let edge = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", Some(cloud.token("line-1").await));
    let other = Edge::start(&wss(cloud.tls), "line-2", Some(cloud.token("line-2").await));
    edge.connected().await;
    other.connected().await;
    let stolen = std::fs::read(dir.path().join("edge/identity.pem")).unwrap();
    revoke_node(cloud.ca.dir(), &node("line-1")).unwrap();
    edge.complains("does not take this node's certificate").await;
    assert!(cloud.registry.node(&node("line-1")).is_none());
    assert_eq!(other.status.borrow().connection, 1, "another node was cut off too");
    edge.stop().await;

    // A certificate knows its moment to the second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let edge = Edge::start_in(dir.path(), &wss(cloud.tls), "line-1", Some(cloud.token("line-1").await));
    edge.connected().await;
    edge.stop().await;
    std::fs::create_dir_all(thief_dir.path().join("edge")).unwrap();
    std::fs::write(thief_dir.path().join("edge/identity.pem"), stolen).unwrap();
    let thief = Edge::start_in(thief_dir.path(), &wss(cloud.tls), "line-1", None);
    thief.complains("does not take this node's certificate").await;
    thief.stop().await;
    other.stop().await;
    cloud.stop().await;
}
