//! The broker with real clients: mosquitto's, in both versions of MQTT, and our own link.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mqtt_broker::{Access, Broker, BrokerSettings, Principal, Qos, StartError, User, UserRights};
use mqtt_link::{Event, LinkSettings, MqttLink};
use support::{DELTA, Recorder, Sub, UPDATE, peers_are_there, publish, settings, start};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn hw_topics_go_through_and_reach_the_tap_in_both_versions() {
    if !peers_are_there() {
        return;
    }
    let (broker, _access, tap) = start().await;
    for version in ["311", "5"] {
        let mut sub = Sub::to(&broker, "$hw/#", &["-V", version]).await;
        let body = format!("from {version}");
        let (status, said) = publish(&broker, &["-V", version, "-i", "app", "-t", UPDATE, "-m", &body]).await;
        assert!(status.success(), "{said}");
        assert_eq!(sub.next().await, format!("0 {UPDATE} {body}"));
        let last = tap.published.lock().unwrap().pop().unwrap();
        assert_eq!(
            last,
            (Principal::Local("app".into()), UPDATE.into(), body.into_bytes(), Qos::AtLeastOnce)
        );
    }
    broker.close().await;
}

#[tokio::test]
async fn a_retained_message_from_inside_waits_for_whoever_comes_and_can_be_taken_back() {
    if !peers_are_there() {
        return;
    }
    let (broker, _access, tap) = start().await;
    let other = "$hw/events/device/default/pump-2/twin/update/delta";
    broker.publisher().publish(DELTA, "old", true).await.unwrap();
    broker.publisher().publish(DELTA, "new", true).await.unwrap();
    for version in ["311", "5"] {
        // The publisher's queue is emptied behind our back; the subscriber gets it retained or live.
        let mut sub = Sub::to(&broker, "$hw/events/device/+/+/twin/update/delta", &["-V", version]).await;
        while !sub.next().await.ends_with("new") {}
    }
    broker.publisher().publish(DELTA, "", true).await.unwrap();
    broker.publisher().publish(other, "two", true).await.unwrap();
    let mut sub = Sub::to(&broker, other, &[]).await;
    assert!(sub.next().await.ends_with("two"), "the queue is empty now");
    let mut sub = Sub::to(&broker, "$hw/#", &[]).await;
    assert_eq!(sub.next().await, format!("1 {other} two"), "only the one that was not taken back");
    assert!(tap.published.lock().unwrap().is_empty(), "what the gateway says is not told to it");
    broker.close().await;
}

#[tokio::test]
async fn nobody_speaks_in_the_gateways_name_and_the_tap_hears_who_tried() {
    if !peers_are_there() {
        return;
    }
    let (broker, _access, tap) = start().await;
    let mut sub = Sub::to(&broker, "$hw/#", &[]).await;
    let (_, said) = publish(&broker, &["-V", "5", "-t", DELTA, "-m", "forged", "-r"]).await;
    assert!(said.contains("Not authorized"), "an MQTT 5 client is told: {said}");
    let (status, said) =
        publish(&broker, &["-V", "311", "-i", "forger", "-t", DELTA, "-m", "forged", "-r"]).await;
    assert!(status.success(), "a 3.1.1 client cannot be told: {said}");
    let refused = tap.refused.lock().unwrap().clone();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[1], (Principal::Local("forger".into()), DELTA.to_owned()));
    publish(&broker, &["-t", UPDATE, "-m", "honest"]).await;
    assert_eq!(sub.next().await, format!("0 {UPDATE} honest"), "nothing forged came before it");
    let mut sub = Sub::to(&broker, "$hw/#", &[]).await;
    publish(&broker, &["-t", UPDATE, "-m", "again"]).await;
    assert_eq!(sub.next().await, format!("0 {UPDATE} again"), "nothing forged is retained");
    broker.close().await;
}

#[tokio::test]
async fn a_last_will_needs_the_same_right() {
    if !peers_are_there() {
        return;
    }
    let (broker, _access, _tap) = start().await;
    for version in ["311", "5"] {
        let will = ["-V", version, "-t", "a", "-m", "x", "--will-topic", DELTA, "--will-payload", "forged"];
        let (status, said) = publish(&broker, &will).await;
        assert!(!status.success(), "{said}");
    }
    let will = ["-t", "a", "-m", "x", "--will-topic", "plant/gone", "--will-payload", "bye"];
    assert!(publish(&broker, &will).await.0.success());
    broker.close().await;
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_a_right_one_is_not() {
    if !peers_are_there() {
        return;
    }
    let (broker, _access, tap) = start().await;
    for version in ["311", "5"] {
        let with = |password| ["-V", version, "-u", "alice", "-P", password, "-t", UPDATE, "-m", "x"];
        assert!(!publish(&broker, &with("wrong")).await.0.success());
        assert!(publish(&broker, &with("secret")).await.0.success());
    }
    let published = std::mem::take(&mut *tap.published.lock().unwrap());
    assert_eq!(published.len(), 2);
    assert!(published.iter().all(|p| p.0 == Principal::User("alice".into())));
    broker.close().await;
}

#[tokio::test]
async fn a_mapper_speaks_for_its_own_devices_only() {
    if !peers_are_there() {
        return;
    }
    let (broker, access, tap) = start().await;
    let login = access.admit_mapper("modbus", ["pump-1".parse().unwrap()]);
    let as_mapper = |topic| ["-u", &login.username, "-P", &login.password, "-V", "5", "-t", topic, "-m", "x"];
    let (status, said) = publish(&broker, &as_mapper(UPDATE)).await;
    assert!(status.success(), "{said}");
    let (_, said) = publish(&broker, &as_mapper("$hw/events/device/default/pump-2/twin/update")).await;
    assert!(said.contains("Not authorized"), "{said}");
    assert_eq!(tap.published.lock().unwrap().len(), 1);
    assert_eq!(tap.refused.lock().unwrap().len(), 1);
    broker.close().await;
}

#[tokio::test]
async fn the_acknowledgement_comes_after_the_tap_has_stored() {
    let tap = Arc::new(Recorder { gate: Some(Semaphore::new(0)), ..Recorder::default() });
    let broker = Broker::start(settings(), Arc::new(Access::default()), tap.clone()).await.unwrap();
    let url = format!("mqtt://{}", broker.local_addr());
    let (link, handle, mut events) = MqttLink::connect(LinkSettings::new(&url, "mapper")).unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(link.run(stop.clone()));
    assert_eq!(events.next().await, Some(Event::Connected));
    let acked = tokio::spawn(async move { handle.publish_acked(UPDATE, "21", false).await });
    tap.arrived.notified().await;
    assert!(!acked.is_finished() && !tap.stored.load(Ordering::SeqCst));
    tap.gate.as_ref().unwrap().add_permits(1);
    acked.await.unwrap().unwrap();
    assert!(tap.stored.load(Ordering::SeqCst));
    stop.cancel();
    running.await.unwrap().unwrap();
    broker.close().await;
}

#[tokio::test]
async fn two_brokers_live_in_one_process_and_a_closed_one_frees_its_port_and_hangs_up() {
    if !peers_are_there() {
        return;
    }
    let (first, _, first_tap) = start().await;
    let (second, _, second_tap) = start().await;
    let mut client = LinkSettings::new(&format!("mqtt://{}", first.local_addr()), "client");
    client.subscriptions = vec!["$hw/#".into()];
    let (link, _handle, mut events) = MqttLink::connect(client).unwrap();
    let hang_up = CancellationToken::new();
    let running = tokio::spawn(link.run(hang_up.clone()));
    assert_eq!(events.next().await, Some(Event::Connected));
    publish(&first, &["-t", UPDATE, "-m", "one"]).await;
    publish(&second, &["-t", UPDATE, "-m", "two"]).await;
    assert_eq!(first_tap.published.lock().unwrap()[0].2, b"one");
    assert_eq!(second_tap.published.lock().unwrap()[0].2, b"two");
    assert!(matches!(events.next().await, Some(Event::Message { payload, .. }) if payload == "one"));

    let address = first.local_addr();
    let publisher = first.publisher();
    first.close().await;
    assert!(matches!(events.next().await, Some(Event::Disconnected { .. })));
    hang_up.cancel();
    running.await.unwrap().unwrap();
    assert!(publisher.publish(UPDATE, "late", false).await.is_err());
    assert_eq!(Arc::strong_count(&first_tap), 1, "no task of the closed broker is left");
    for _ in 0..3 {
        let tap = Arc::new(Recorder::default());
        let again = BrokerSettings { listen: address, ..BrokerSettings::default() };
        let third = Broker::start(again, Arc::new(Access::default()), tap.clone()).await.unwrap();
        publish(&third, &["-t", UPDATE, "-m", "three"]).await;
        assert_eq!(tap.published.lock().unwrap().len(), 1);
        let stop = CancellationToken::new();
        stop.cancel();
        third.run(stop).await.unwrap();
    }
    publish(&second, &["-t", UPDATE, "-m", "two again"]).await;
    assert_eq!(second_tap.published.lock().unwrap().len(), 2);
    second.close().await;
}

#[tokio::test]
async fn a_broker_that_anybody_could_enter_does_not_start_and_says_what_to_do() {
    let open = BrokerSettings { listen: ([0, 0, 0, 0], 0).into(), ..BrokerSettings::default() };
    let refused =
        Broker::start(open.clone(), Arc::new(Access::default()), Arc::new(Recorder::default())).await;
    let Err(error @ StartError::OpenToTheNetwork { .. }) = refused else { panic!("it started") };
    assert!(error.to_string().contains("add a user with a password, or listen on 127.0.0.1"));
    let access = Access::new([("alice".to_owned(), User::new(Some("secret"), UserRights::Everything))]);
    Broker::start(open, Arc::new(access), Arc::new(Recorder::default())).await.unwrap().close().await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let (first, _, _) = start().await;
    let taken = BrokerSettings { listen: first.local_addr(), ..BrokerSettings::default() };
    let refused = Broker::start(taken, Arc::new(Access::default()), Arc::new(Recorder::default())).await;
    assert!(matches!(refused, Err(StartError::Listen { .. })));
    first.close().await;
}
