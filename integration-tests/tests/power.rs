//! Power cuts: nothing acknowledged is lost, and the database is never damaged.

use integration_tests::harness::{SKIP_PEERS, binary};
use integration_tests::powercut::{self, Fsync};

const CUTS: usize = 500;

#[tokio::test]
async fn after_five_hundred_power_cuts_at_random_writes_nothing_acknowledged_is_lost() {
    if powercut::strace().is_none() {
        let skip = std::env::var_os(SKIP_PEERS).is_some_and(|value| value == "1");
        assert!(skip, "strace is missing: scripts/test installs it, or set {SKIP_PEERS}=1 to skip this test");
        eprintln!("skipped: strace is missing");
        return;
    }
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={seed}");
    let found = powercut::run(&binary("powercut"), seed, CUTS, Fsync::Works).await.unwrap();
    eprintln!("{found:?}");
    let lied = powercut::run(&binary("powercut"), seed, CUTS, Fsync::Lies).await;
    assert!(lied.is_err(), "a disk that lies about `fsync` goes unnoticed");
    assert_eq!(found.opened, CUTS);
    assert!(found.lacking > CUTS / 4, "the cuts must cost something, or nothing is tested: {found:?}");
}
