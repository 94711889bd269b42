use twin_core::Stream;

use super::*;
use crate::read::page::ChangesPage;
use sqlx::Connection as _;

fn seqs(page: &ChangesPage) -> Vec<u64> {
    page.changes.iter().map(|c| c.seq).collect()
}

#[tokio::test]
async fn a_page_of_changes_brings_what_is_there_now_and_tells_how_far_it_reaches() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    let (a, b) = (node("edge-1"), node("edge-2"));
    let entries = |n| vec![entry(1, pump(0, DeviceState::Online)), entry(2, reported(0, n, Quality::Good))];
    store.commit(&a, apply(entries(10), 2)).await.unwrap();
    store.commit(&b, apply(entries(20), 2)).await.unwrap();
    store.set_desired(&a, vec![(property(0), Some(wish(Value::Int(7))))], None).await.unwrap();
    let page = store.changes_page(1, None, 2).await.unwrap();
    assert_eq!((seqs(&page), page.up_to), (vec![2, 3], 3));
    let rows = &page.properties[&(a.clone(), property(0))];
    assert_eq!(rows.reported.as_ref().unwrap().body.value, Some(Value::Int(10)));
    assert_eq!(rows.desired.as_ref().unwrap().body.value, Value::Int(7), "also what changed later");
    assert_eq!(page.devices.len(), 2);
    let page = store.changes_page(0, Some(&b), 100).await.unwrap();
    assert_eq!((seqs(&page), page.up_to), (vec![3, 4], 5), "the node has no change up to the last of all");
    store.close().await;
}

#[tokio::test]
async fn old_deletions_are_dropped_except_those_that_a_node_has_not_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    let name = node("edge-1");
    let entries = vec![entry(1, pump(0, DeviceState::Online)), entry(2, reported(0, 1, Quality::Good))];
    store.commit(&name, apply(entries, 2)).await.unwrap();
    store.commit(&name, apply(vec![entry(3, Change::Reported(property(0), None))], 3)).await.unwrap();
    store.set_desired(&name, vec![(property(0), Some(wish(Value::Int(7))))], None).await.unwrap();
    store.set_desired(&name, vec![(property(0), None)], None).await.unwrap();
    store.close().await;

    let (mut connection, readers) = crate::open::open(dir.path()).await.unwrap();
    let later = i64::MAX / 2;
    crate::writer::purge(&mut connection, later).await.unwrap();
    readers.close().await;
    connection.close().await.unwrap();

    let store = open(&dir).await;
    let left: Vec<_> = store.changes_since(0, None, 100).await.unwrap();
    let parts: Vec<_> =
        left.iter().map(|c| (c.entry.change.part() as i64, c.entry.change.is_deletion())).collect();
    assert_eq!(parts, [(1, false), (4, true)]);
    assert_eq!(store.changes_range().await.unwrap(), (3, 5), "whoever stands before 3 may miss a deletion");
    assert_eq!(
        store.stored(&name, Stream::Twin).await.unwrap().tombstones,
        Some((Revision::new(2), Revision::new(2)))
    );
    store.close().await;
}
