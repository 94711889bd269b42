use twin_core::Stream;

use super::*;

/// A copy of the files at a moment is what a killed process leaves behind.
#[tokio::test]
async fn what_was_answered_is_there_after_a_crash_and_half_a_reset_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    let name = node("edge-1");
    store.commit(&name, apply(vec![entry(1, pump(0, DeviceState::Online))], 1)).await.unwrap();
    store.set_desired(&name, vec![(property(0), Some(wish(Value::Int(5))))], None).await.unwrap();
    let staged = vec![entry(2, pump(1, DeviceState::Online))];
    let half = commit(vec![Followed::ResetBegin, Followed::Stage { entries: staged }]);
    store.commit(&name, Arc::new(half)).await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    for file in ["cloud.sqlite", "cloud.sqlite-wal"] {
        std::fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
    }
    store.close().await;
    let store = open(&copy).await;
    let twin = store.twin(&name, &device(0)).await.unwrap();
    assert!(twin.device.is_some());
    assert_eq!(twin.desired.values().next().unwrap().body.value, Value::Int(5));
    assert_eq!(store.stored(&name, Stream::Twin).await.unwrap().followed, Some(cursor(5, 1)));
    assert!(store.twin(&name, &device(1)).await.unwrap().device.is_none());
    store.close().await;
}
