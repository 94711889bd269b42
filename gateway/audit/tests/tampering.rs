//! What is done to the file behind the program's back is found and named; what is cut off by a crash is not there at all.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use audit::{Action, Book, Bounds, Broken, Head, Record, Seen, SeenKey};
use sqlx::{Connection as _, SqliteConnection};
use twin_core::Timestamp;

const WIDE: Bounds = Bounds { keep: Duration::from_secs(400 * 86_400), bytes: 1 << 30 };

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + ms)
}

fn record(n: i64) -> Record {
    let mut record = Record::new(Action::OverrideSet);
    record.by = Some(format!("operator-{n}"));
    record.subject = Some("default/pump/speed".into());
    record.new = Some(n.into());
    record
}

async fn filled(dir: &Path, count: i64) -> Book {
    let book = Book::open(dir).await.unwrap();
    for n in 1..=count {
        book.append(&[record(n)], &[], at(n), WIDE).await.unwrap();
    }
    book
}

async fn sql(dir: &Path, text: &str) {
    let url = format!("sqlite:{}", dir.join(Book::FILE).display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn records_that_nobody_touched_hold_and_are_read_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let book = filled(dir.path(), 2500).await;
    let verified = book.verify(None).await.unwrap();
    assert_eq!((verified.records, verified.broken, verified.head.seq), (2500, None, 2500));
    assert_eq!(book.head().await.unwrap(), verified.head);
    let page = book.page(Some(2001), None, 2).await.unwrap();
    assert_eq!(page.records.iter().map(|r| r.seq).collect::<Vec<_>>(), [2000, 1999]);
    assert!(page.more && page.records[0].body.contains("operator-2000"));
    let page = book.page(None, Some(at(2499)), 100).await.unwrap();
    assert_eq!((page.records.len(), page.more), (2, false));
}

#[tokio::test]
async fn whichever_byte_of_a_record_is_flipped_the_record_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let book = filled(dir.path(), 9).await;
    let page = book.page(None, None, 100).await.unwrap();
    let mut flipped = 0;
    for stored in &page.records {
        let seq = stored.seq;
        let columns = [
            ("body", stored.body.as_bytes().to_vec()),
            ("digest", {
                let text = stored.digest.to_string();
                (0..32).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
            }),
        ];
        for (column, bytes) in columns {
            let write = async |bytes: &[u8]| {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let value =
                    if column == "body" { format!("CAST(x'{hex}' AS TEXT)") } else { format!("x'{hex}'") };
                sql(dir.path(), &format!("UPDATE records SET {column} = {value} WHERE seq = {seq}")).await;
            };
            // Every byte of one record, some of the others.
            let step = if seq == 5 { 1 } else { 17 };
            for place in (0..bytes.len()).step_by(step) {
                let mut wrong = bytes.clone();
                wrong[place] ^= 1 << fastrand::u32(0..8);
                write(&wrong).await;
                let broken = book.verify(None).await.unwrap().broken;
                assert_eq!(broken, Some(Broken::Changed { seq }), "{column}, byte {place}");
                flipped += 1;
            }
            write(&bytes).await;
        }
        for (change, back) in [("at + 1", "at - 1"), ("at - 86400000", "at + 86400000")] {
            sql(dir.path(), &format!("UPDATE records SET at = {change} WHERE seq = {seq}")).await;
            assert_eq!(book.verify(None).await.unwrap().broken, Some(Broken::Changed { seq }));
            sql(dir.path(), &format!("UPDATE records SET at = {back} WHERE seq = {seq}")).await;
        }
    }
    assert!(flipped > 150, "{flipped}");
    assert_eq!(book.verify(None).await.unwrap().broken, None);
}

#[tokio::test]
async fn what_is_removed_swapped_cut_off_or_added_is_named() {
    let swap = "UPDATE records SET seq = -1 WHERE seq = 4; UPDATE records SET seq = 4 WHERE seq = 5; \
                UPDATE records SET seq = 5 WHERE seq = -1";
    let again = "INSERT INTO records SELECT 11, at, body, digest FROM records WHERE seq = 10";
    for (what, expected) in [
        ("DELETE FROM records WHERE seq = 4", Broken::Missing { first: 4, found: 5 }),
        ("DELETE FROM records WHERE seq IN (1, 2)", Broken::Missing { first: 1, found: 3 }),
        ("DELETE FROM records WHERE seq > 8", Broken::Cut { first: 9, head: 10 }),
        ("DELETE FROM records", Broken::Cut { first: 1, head: 10 }),
        (swap, Broken::Changed { seq: 4 }),
        (again, Broken::Added { seq: 11 }),
        ("UPDATE records SET seq = 17 WHERE seq = 10", Broken::Missing { first: 10, found: 17 }),
        ("UPDATE records SET seq = -3 WHERE seq = 10", Broken::Changed { seq: -3 }),
        ("UPDATE ends SET head_digest = zeroblob(32)", Broken::Changed { seq: 10 }),
        ("UPDATE ends SET dropped_digest = randomblob(32)", Broken::Changed { seq: 1 }),
        ("UPDATE ends SET dropped_seq = 3", Broken::Changed { seq: 1 }),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let book = filled(dir.path(), 10).await;
        sql(dir.path(), what).await;
        assert_eq!(book.verify(None).await.unwrap().broken, Some(expected), "{what}");
    }
    let dir = tempfile::tempdir().unwrap();
    let book = filled(dir.path(), 3).await;
    sql(dir.path(), "DELETE FROM ends").await;
    assert!(book.verify(None).await.unwrap_err().to_string().contains("damaged"));
}

#[tokio::test]
async fn a_chain_that_was_written_anew_holds_by_itself_but_not_against_the_head_that_was_kept() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kept = filled(dir.path(), 5).await.head().await.unwrap();
    let forged = Book::open(other.path()).await.unwrap();
    for n in 1..=7 {
        forged.append(&[record(n * 10)], &[], at(n), WIDE).await.unwrap();
    }
    assert_eq!(forged.verify(None).await.unwrap().broken, None);
    let broken = forged.verify(Some(kept)).await.unwrap().broken;
    assert_eq!(broken, Some(Broken::NotPinned { seq: 5 }));
    let ahead = Head { seq: 9, digest: kept.digest };
    assert_eq!(forged.verify(Some(ahead)).await.unwrap().broken, Some(Broken::Cut { first: 8, head: 9 }));
    let book = Book::open(dir.path()).await.unwrap();
    assert_eq!(book.verify(Some(kept)).await.unwrap().broken, None);
}

#[tokio::test]
async fn old_records_are_dropped_by_age_and_by_bytes_and_the_chain_still_holds() {
    let dir = tempfile::tempdir().unwrap();
    let book = Book::open(dir.path()).await.unwrap();
    let bounds = Bounds { keep: Duration::from_secs(1000), bytes: 20_000 };
    for n in 1..=2000 {
        book.append(&[record(n)], &[], at(n), bounds).await.unwrap();
    }
    let verified = book.verify(None).await.unwrap();
    assert_eq!(verified.broken, None);
    assert!(verified.dropped.seq > 1500, "{verified:?}");
    assert!((20..200).contains(&verified.records), "{verified:?}");
    book.append(&[record(1)], &[], at(2_000_000), bounds).await.unwrap();
    let verified = book.verify(None).await.unwrap();
    assert_eq!((verified.broken, verified.records), (None, 2), "the record and that of the drop");
    let page = book.page(None, None, 1).await.unwrap();
    assert!(page.records[0].body.contains("audit.dropped"), "{}", page.records[0].body);
    let bytes = std::fs::metadata(dir.path().join(Book::FILE)).unwrap().len();
    assert!(bytes < 200_000, "{bytes}");
}

#[tokio::test]
async fn two_processes_write_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (Book::open(dir.path()).await.unwrap(), Book::open(dir.path()).await.unwrap());
    let write = |book: Book| async move {
        for n in 0..100 {
            book.append(&[record(n)], &[], at(n), WIDE).await.unwrap();
        }
    };
    tokio::join!(write(one.clone()), write(other));
    let verified = one.verify(None).await.unwrap();
    assert_eq!((verified.records, verified.broken), (200, None));
}

#[tokio::test]
async fn what_is_known_is_written_with_its_records_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let book = Book::open(dir.path()).await.unwrap();
    let seen = |state: Option<&str>| Seen {
        key: SeenKey { subject: "default/pump/speed".into(), part: "override" },
        state: state.map(str::to_owned),
    };
    book.append(&[record(1)], &[seen(Some("a"))], at(1), WIDE).await.unwrap();
    book.append(&[record(2)], &[seen(Some("b"))], at(2), WIDE).await.unwrap();
    let known = book.seen().await.unwrap();
    assert_eq!(known, [("default/pump/speed".into(), "override".into(), "b".into())]);
    book.append(&[], &[seen(None)], at(3), WIDE).await.unwrap();
    assert!(book.seen().await.unwrap().is_empty());
    assert_eq!(book.head().await.unwrap().seq, 2);
}
