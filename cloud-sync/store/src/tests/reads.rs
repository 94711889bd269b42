use super::*;
use crate::error::OpenError;
use crate::read::devices::DeviceFilter;
use twin_core::Why;

#[tokio::test]
async fn devices_are_found_by_label_protocol_state_and_quality_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    let name = node("edge-1");
    let entries = vec![
        entry(1, pump(0, DeviceState::Online)),
        entry(2, pump(1, DeviceState::Offline)),
        entry(3, pump(2, DeviceState::Online)),
        entry(4, reported(0, 1, Quality::Good)),
        entry(5, reported(3, 1, Quality::Bad(Why::DeviceUnreachable))),
        entry(6, reported(6, 1, Quality::Uncertain(Why::Other("it \"smells\"".into())))),
    ];
    store.commit(&name, apply(entries, 6)).await.unwrap();
    let found = |filter: DeviceFilter, after: Option<usize>, limit| {
        let (store, name) = (store.clone(), name.clone());
        async move {
            let rows = store.devices(&name, &filter, after.map(device).as_ref(), limit).await.unwrap();
            rows.iter().map(|r| format!("{} {}", r.id.name(), r.not_good)).collect::<Vec<_>>()
        }
    };
    let all = DeviceFilter::default;
    assert_eq!(found(all(), None, 9).await, ["pump-0 0", "pump-1 1", "pump-2 1"]);
    assert_eq!(found(all(), Some(0), 1).await, ["pump-1 1"]);
    let label = Some(("line.1".to_owned(), "\"1\"".to_owned()));
    assert_eq!(found(DeviceFilter { label, ..all() }, None, 9).await, ["pump-1 1"]);
    assert_eq!(found(DeviceFilter { protocol: Some("modbus".into()), ..all() }, None, 9).await, ["pump-0 0"]);
    assert_eq!(
        found(DeviceFilter { state: Some(DeviceState::Offline), ..all() }, None, 9).await,
        ["pump-1 1"]
    );
    for (word, device) in [("good", "pump-0 0"), ("bad", "pump-1 1"), ("uncertain", "pump-2 1")] {
        assert_eq!(found(DeviceFilter { quality: Some(word.into()), ..all() }, None, 9).await, [device]);
    }
    let nodes = store.nodes().await.unwrap();
    assert_eq!((nodes.len(), nodes[0].devices), (1, 3));
    store.close().await;
}

#[tokio::test]
async fn many_commits_at_once_share_few_transactions_and_all_are_announced() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    let mut changes = store.changes();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200u64 {
        let store = store.clone();
        tasks.spawn(async move {
            let entries = vec![entry(1, reported(0, 1, Quality::Good))];
            store.commit(&node(&format!("edge-{n}")), apply(entries, 1)).await.unwrap();
        });
    }
    tasks.join_all().await;
    let mut transactions = std::collections::BTreeSet::new();
    for _ in 0..200 {
        transactions.insert(changes.recv().await.unwrap().seq);
    }
    assert_eq!(store.nodes().await.unwrap().len(), 200);
    assert_eq!(store.changes_range().await.unwrap(), (0, 200));
    assert!(transactions.len() < 50, "{} transactions", transactions.len());
    store.close().await;
}

#[tokio::test]
async fn only_the_owner_can_read_the_file_and_a_newer_schema_is_refused_by_name() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = CloudStore::open(&data, Incarnation::new(1)).await.unwrap();
    store.node_seen(&node("edge-1"), Timestamp::from_millis(1)).await.unwrap();
    for file in std::fs::read_dir(&data).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    store.close().await;
    let (mut connection, readers) = crate::open::open(&data).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut connection).await.unwrap();
    readers.close().await;
    drop(connection);
    let error = CloudStore::open(&data, Incarnation::new(1)).await.unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 99, .. }), "{error}");
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    store.close().await;
    assert!(matches!(store.nodes().await, Err(crate::StoreError::Closed)));
    let seen = store.node_seen(&node("edge-1"), Timestamp::default()).await;
    assert!(matches!(seen, Err(crate::StoreError::Closed)));
}
