//! The configurations that were in force.

use twin_core::Timestamp;
use twin_store::{ConfigStore, NewConfiguration};

fn new(n: i64, body: &str) -> NewConfiguration<'_> {
    NewConfiguration {
        applied_at: Timestamp::from_millis(n),
        origin: "file",
        note: "",
        digest: "d",
        file_digest: Some("f"),
        devices: 3,
        body,
    }
}

#[tokio::test]
async fn the_newest_is_in_force_after_a_restart_and_old_ones_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    assert!(ConfigStore::open_existing(dir.path()).await.unwrap().is_none());
    let mut store = ConfigStore::open(dir.path()).await.unwrap();
    assert_eq!(store.newest().await.unwrap(), None);
    for n in 1..=60 {
        assert_eq!(store.insert(new(n, &format!("text {n}"))).await.unwrap(), n);
    }
    store.note_file(60, None).await.unwrap();
    store.close().await.unwrap();
    let mut store = ConfigStore::open_existing(dir.path()).await.unwrap().unwrap();
    let (newest, body) = store.newest().await.unwrap().unwrap();
    assert_eq!((newest.revision, body.as_str(), newest.file_digest), (60, "text 60", None));
    let all = store.all().await.unwrap();
    assert_eq!((all.len(), all[0].revision, all[49].revision), (50, 60, 11));
    assert_eq!(store.get(11).await.unwrap().unwrap().1, "text 11");
    assert_eq!(store.get(10).await.unwrap(), None);
}

#[tokio::test]
async fn configurations_that_are_too_long_together_leave_at_least_the_one_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = ConfigStore::open(dir.path()).await.unwrap();
    let long = "x".repeat(40 * 1024 * 1024);
    for n in 1..=3 {
        store.insert(new(n, &long)).await.unwrap();
    }
    let kept: Vec<i64> = store.all().await.unwrap().iter().map(|c| c.revision).collect();
    assert_eq!(kept, [3]);
    store.insert(new(4, "short")).await.unwrap();
    let kept: Vec<i64> = store.all().await.unwrap().iter().map(|c| c.revision).collect();
    assert_eq!(kept, [4, 3]);
}
