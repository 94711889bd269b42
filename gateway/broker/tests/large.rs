//! A message that is far too long; alone in its process, so that the memory it takes can be seen.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[expect(dead_code, reason = "shared with the other tests")]
mod support;

use std::io::Write as _;

use support::{Sub, UPDATE, peers_are_there, publish, start};

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn ten_megabytes_are_refused_without_growth_and_without_hurting_others() {
    if !peers_are_there() {
        return;
    }
    let (broker, _access, tap) = start().await;
    let mut file = std::env::temp_dir();
    file.push(format!("large-{}", std::process::id()));
    let mut content = std::fs::File::create(&file).unwrap();
    for _ in 0..10 * 1024 {
        content.write_all(&[b'x'; 1024]).unwrap();
    }
    let mut sub = Sub::to(&broker, "$hw/#", &[]).await;
    publish(&broker, &["-t", UPDATE, "-m", "before"]).await;
    assert!(sub.next().await.ends_with("before"));
    let before = resident_kib();
    for version in ["311", "5"] {
        let large = ["-V", version, "-t", UPDATE, "-f", file.to_str().unwrap()];
        let (status, said) = publish(&broker, &large).await;
        let taken = tap.published.lock().unwrap().len();
        assert_eq!(taken, 1, "ten megabytes were taken: {version} {status} {said}");
    }
    let grown = resident_kib() - before;
    assert!(grown < 4 * 1024, "the peak grew by {grown} KiB");
    publish(&broker, &["-t", UPDATE, "-m", "after"]).await;
    assert!(sub.next().await.ends_with("after"));
    assert_eq!(tap.published.lock().unwrap().len(), 2);
    std::fs::remove_file(&file).unwrap();
    broker.close().await;
}
