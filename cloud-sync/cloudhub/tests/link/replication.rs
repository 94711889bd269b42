//! Values up and down, and what cuts, restarts and rivals do to them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use edgehub::LinkState;
use twin_core::{Change, Value};

use crate::edge::{Edge, ws, wss};
use crate::proxy::Proxy;
use crate::support::{Cloud, eventually, node, property, pump, reported};

#[tokio::test]
async fn values_go_up_and_wishes_come_down() {
    let cloud = Cloud::start().await;
    let edge = Edge::start(&wss(cloud.tls), "line-1", Some(cloud.token("line-1").await));
    edge.write(pump()).await;
    for n in 0..1000 {
        edge.write(reported(n, Value::Int(7))).await;
    }
    eventually("the last value is in the cloud", || async {
        cloud.reported("line-1", 999).await == Some(Value::Int(7))
    })
    .await;
    cloud.wish("line-1", 3, 42).await;
    eventually("the wish is at the edge", || async { edge.desired(3) == Some(Value::Int(42)) }).await;
    cloud.store.set_desired(&node("line-1"), vec![(property(3), None)], None).await.unwrap();
    eventually("its deletion too", || async { edge.desired(3).is_none() }).await;
    edge.write(Change::Reported(property(5), None)).await;
    eventually("a deletion goes up", || async { cloud.reported("line-1", 5).await.is_none() }).await;
    edge.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn values_longer_than_one_frame_arrive() {
    let cloud = Cloud::start().await;
    let edge = Edge::start(&ws(cloud.plain), "line-1", None);
    let noise = |n: usize| -> String {
        (0..60_000_usize)
            .map(|i| char::from(b'!' + u8::try_from(i * i * (n + 7) / 13 % 90).unwrap()))
            .collect()
    };
    for n in 0..100 {
        edge.write(reported(n, Value::String(noise(n)))).await;
    }
    eventually("the last is there", || async {
        cloud.reported("line-1", 99).await == Some(Value::String(noise(99)))
    })
    .await;
    assert_eq!(cloud.reported("line-1", 0).await, Some(Value::String(noise(0))));
    assert_eq!(edge.status.borrow().connection, 1, "on the first connection");
    edge.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn what_changes_while_the_link_is_cut_arrives_when_it_heals() {
    let cloud = Cloud::start().await;
    let proxy = Proxy::start(cloud.tls).await;
    let edge = Edge::start(&wss(proxy.address), "line-1", Some(cloud.token("line-1").await));
    edge.write(pump()).await;
    edge.write(reported(0, Value::Int(1))).await;
    eventually("the first value is up", || async { cloud.reported("line-1", 0).await.is_some() }).await;
    for round in 0..5 {
        proxy.cut();
        eventually("the cloud has noticed", || async { cloud.registry.nodes().is_empty() }).await;
        for value in 0..200 {
            edge.write(reported(0, Value::Int(1000 * round + value))).await;
        }
        cloud.wish("line-1", 1, round).await;
        proxy.heal();
        eventually("the last value is up", || async {
            cloud.reported("line-1", 0).await == Some(Value::Int(1000 * round + 199))
        })
        .await;
        eventually("the wish is down", || async { edge.desired(1) == Some(Value::Int(round)) }).await;
    }
    assert!(edge.status.borrow().connection >= 6);
    assert!(proxy.connections.load(Ordering::Relaxed) >= 6);
    edge.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_cloud_that_restarts_goes_on_where_it_was() {
    let mut cloud = Cloud::start().await;
    let edge = Edge::start(&wss(cloud.tls), "line-1", Some(cloud.token("line-1").await));
    edge.write(pump()).await;
    eventually("the device is up", || async {
        cloud.store.node(&node("line-1")).await.unwrap().is_some_and(|n| n.devices == 1)
    })
    .await;
    for round in 0..3 {
        cloud.wish("line-1", 1, round).await;
        cloud = cloud.restart().await;
        edge.write(reported(1, Value::Int(round))).await;
        eventually("the wish is down", || async { edge.desired(1) == Some(Value::Int(round)) }).await;
        eventually("the value is up", || async {
            cloud.reported("line-1", 1).await == Some(Value::Int(round))
        })
        .await;
    }
    edge.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_newer_connection_of_a_node_fences_the_older() {
    let cloud = Cloud::start().await;
    let older = Edge::start(&ws(cloud.plain), "line-1", None);
    older.connected().await;
    let newer = Edge::start(&ws(cloud.plain), "line-1", None);
    older.complains("superseded").await;
    older.stop().await;
    newer.connected().await;
    newer.write(reported(2, Value::Int(8))).await;
    eventually("the newer one's value is up", || async {
        cloud.reported("line-1", 2).await == Some(Value::Int(8))
    })
    .await;
    assert_eq!(cloud.registry.nodes().len(), 1);
    newer.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_full_cloud_says_when_to_come_back() {
    let cloud = Cloud::start_with(|settings| settings.max_nodes = 1).await;
    let first = Edge::start(&ws(cloud.plain), "line-1", None);
    first.connected().await;
    let second = Edge::start(&ws(cloud.plain), "line-2", None);
    second.complains("as many nodes are connected").await;
    first.stop().await;
    second.stop().await;
    cloud.stop().await;
}

#[tokio::test]
async fn both_ends_stop_within_their_deadlines_while_connected() {
    let cloud = Cloud::start().await;
    let edges: Vec<_> = (0..5).map(|n| Edge::start(&ws(cloud.plain), &format!("line-{n}"), None)).collect();
    for edge in &edges {
        edge.connected().await;
    }
    cloud.stop().await;
    for edge in edges {
        eventually("the edge has noticed", || async { edge.status.borrow().state != LinkState::Connected })
            .await;
        edge.stop().await;
    }
}

#[tokio::test]
async fn a_connection_that_goes_silent_is_noticed_at_both_ends() {
    let cloud = Cloud::start_with(|settings| settings.timing.heartbeat = Duration::from_secs(1)).await;
    let proxy = Proxy::start(cloud.plain).await;
    let edge = Edge::start(&ws(proxy.address), "line-1", None);
    edge.connected().await;
    eventually("the node is listed", || async { cloud.registry.nodes().len() == 1 }).await;
    proxy.hush();
    edge.complains("nothing was heard for three heartbeats").await;
    eventually("the cloud has noticed", || async { cloud.registry.nodes().is_empty() }).await;
    edge.stop().await;
    cloud.stop().await;
}
