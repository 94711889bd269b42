use twin_core::Stream;

use super::*;
use crate::error::{RedeemError, SetDesiredError, TokenRefused};

async fn with_pumps(dir: &tempfile::TempDir) -> CloudStore {
    let store = open(dir).await;
    let entries = vec![entry(1, pump(0, DeviceState::Online)), entry(2, pump(1, DeviceState::Online))];
    store.commit(&node("edge-1"), apply(entries, 2)).await.unwrap();
    store
}

#[tokio::test]
async fn a_wish_that_breaks_a_rule_is_refused_by_name_and_nothing_of_its_request_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_pumps(&dir).await;
    let (speed, pressure, mode) = (property(0), property(1), property(2));
    let strange = PropertyId::new(device(0), "colour".parse().unwrap());
    let far = PropertyId::new(device(9), "speed".parse().unwrap());
    for (id, value, message) in [
        (far.clone(), Some(Value::Int(1)), "the node has no device default/pump-9"),
        (far, None, "the node has no device default/pump-9"),
        (strange.clone(), Some(Value::Int(1)), "device default/pump-0 has no property colour"),
        (strange, None, "device default/pump-0 has no property colour"),
        (speed.clone(), Some(Value::Int(101)), "speed: 101 is outside the range 0 to 100"),
        (
            speed.clone(),
            Some(Value::Bool(true)),
            "speed: `true` is not a value of type int: the type of the property says how",
        ),
        (pressure, Some(Value::float(1.0).unwrap()), "pressure: the property is read only"),
        (mode, Some(Value::String("off".into())), "mode: off is none of: auto, manual"),
    ] {
        let wishes = vec![(speed.clone(), Some(wish(Value::Int(5)))), (id, value.map(wish))];
        let error = store.set_desired(&node("edge-1"), wishes, None).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let twin = store.twin(&node("edge-1"), &device(0)).await.unwrap();
    assert!(twin.desired.is_empty());
    store.close().await;
}

#[tokio::test]
async fn a_write_with_the_revision_last_seen_succeeds_and_with_another_fails() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_pumps(&dir).await;
    let name = node("edge-1");
    let set = |n, value: Option<i64>, if_match: Option<u64>| {
        let wishes = vec![(property(n), value.map(|v| wish(Value::Int(v))))];
        let (store, name) = (store.clone(), name.clone());
        async move { store.set_desired(&name, wishes, if_match.map(Revision::new)).await }
    };
    assert_eq!(set(0, Some(1), Some(0)).await.unwrap()[0].revision.get(), 1);
    assert_eq!(set(3, Some(1), Some(0)).await.unwrap()[0].revision.get(), 2, "the other device is apart");
    assert_eq!(set(0, None, Some(1)).await.unwrap()[0].revision.get(), 3);
    let error = set(0, Some(1), Some(1)).await.unwrap_err();
    assert!(
        matches!(&error, SetDesiredError::RevisionMismatch { current, .. } if current.get() == 3),
        "{error}"
    );
    assert_eq!(store.twin(&name, &device(0)).await.unwrap().desired_revision.get(), 3);
    store.close().await;
}

#[tokio::test]
async fn wishes_that_share_a_transaction_fail_one_by_one_and_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_pumps(&dir).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        tasks.spawn(async move {
            let wishes = vec![(property(0), Some(wish(Value::Int(1))))];
            store.set_desired(&node("edge-1"), wishes, Some(Revision::ZERO)).await
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|o| matches!(o, Ok(_) | Err(SetDesiredError::RevisionMismatch { .. }))));
    store.close().await;
}

#[tokio::test]
async fn a_wish_is_announced_with_what_the_replica_is_to_know() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_pumps(&dir).await;
    let mut changes = store.changes();
    let wishes = vec![
        (property(0), Some(wish(Value::Int(5)))),
        (property(2), Some(wish(Value::String("auto".into())))),
    ];
    let entries = store.set_desired(&node("edge-1"), wishes, None).await.unwrap();
    let committed = changes.recv().await.unwrap();
    assert_eq!(committed.entries, entries);
    assert_eq!(committed.authored.unwrap().cursor, cursor(77, 2));
    assert_eq!(committed.authored.unwrap().tombstone, None);
    store.set_desired(&node("edge-1"), vec![(property(0), None)], None).await.unwrap();
    let committed = changes.recv().await.unwrap();
    assert_eq!(committed.authored.unwrap().tombstone, Some(Revision::new(3)));
    assert!(store.stored(&node("edge-1"), Stream::Twin).await.unwrap().incarnations.contains(&cursor(77, 3)));
    store.close().await;
}

#[tokio::test]
async fn a_join_token_serves_its_node_once_and_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    let at = Timestamp::from_millis;
    let (a, b) = (node("edge-1"), node("edge-2"));
    store.create_join_token(&a, [1; 32], at(1000)).await.unwrap();
    store.create_join_token(&a, [2; 32], at(1000)).await.unwrap();
    let redeem = |node: NodeName, secret: u8, now| {
        let store = store.clone();
        async move {
            match store.redeem_join_token(&node, [secret; 32], at(now)).await {
                Ok(()) => None,
                Err(RedeemError::Refused(why)) => Some(why),
                Err(RedeemError::Store(error)) => panic!("{error}"),
            }
        }
    };
    assert_eq!(redeem(b, 1, 10).await, Some(TokenRefused::Unknown));
    assert_eq!(redeem(a.clone(), 3, 10).await, Some(TokenRefused::Unknown));
    assert_eq!(redeem(a.clone(), 1, 999).await, None);
    assert_eq!(redeem(a.clone(), 1, 999).await, Some(TokenRefused::Used));
    assert_eq!(redeem(a, 2, 1000).await, Some(TokenRefused::Expired));
    store.close().await;
}
