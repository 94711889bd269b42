use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twinspan_cloud::{Cloud, Error, Settings};

use crate::ask;

fn settings(data: &Path) -> Settings {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    Settings { listen: free, hub: free, ..Settings::new(data.to_owned()) }
}

#[tokio::test]
async fn a_cloud_that_only_starts_and_stops_leaves_a_folder_that_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let stop = CancellationToken::new();
        let bound = Cloud::new(settings(dir.path())).bind().await.unwrap();
        assert_ne!(bound.rest_addr().port(), 0);
        assert_ne!(bound.hub_addr().port(), 0);
        assert_eq!(bound.hub_plain_addr(), None);
        let mut running = JoinSet::new();
        running.spawn(bound.run(stop.clone()));
        stop.cancel();
        running.join_next().await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_stop_ends_an_open_event_stream_and_a_connection_that_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let bound = Cloud::new(settings(dir.path())).bind().await.unwrap();
    let address = bound.rest_addr();
    let token = bound.create_join_token("edge-1".parse().unwrap(), Duration::from_secs(60)).await.unwrap();
    assert!(token.len() > 40, "{token}");
    let mut running = JoinSet::new();
    running.spawn(bound.run(stop.clone()));
    assert!(ask(address, "GET /readyz").await.unwrap().ends_with("{\"ready\":true}"));
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut events = TcpStream::connect(address).await.unwrap();
    events.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut text = String::new();
    while !text.contains("event: start") {
        let mut some = [0; 1024];
        let n = events.read(&mut some).await.unwrap();
        assert_ne!(n, 0, "{text}");
        text += std::str::from_utf8(&some[..n]).unwrap();
    }
    stop.cancel();
    events.read_to_string(&mut text).await.unwrap();
    running.join_next().await.unwrap().unwrap().unwrap();
    assert!(ask(address, "GET /healthz").await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn rest_is_not_served_to_others_unless_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let open = Settings { listen: SocketAddr::from(([0, 0, 0, 0], 0)), ..settings(dir.path()) };
    let error = Cloud::new(open.clone()).bind().await.unwrap_err();
    assert!(matches!(error, Error::RestOffLoopback { .. }) && error.is_bad_settings(), "{error}");
    Cloud::new(Settings { insecure_rest: true, ..open }).bind().await.unwrap();
}

#[tokio::test]
async fn a_link_without_tls_is_for_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let plain = Settings { hub_plain: Some(SocketAddr::from(([0, 0, 0, 0], 0))), ..settings(dir.path()) };
    let error = Cloud::new(plain).bind().await.unwrap_err();
    assert!(error.is_bad_settings(), "{error}");
    let plain = Settings { hub_plain: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..settings(dir.path()) };
    assert!(Cloud::new(plain).bind().await.unwrap().hub_plain_addr().is_some());
}
