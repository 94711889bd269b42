//! A minute of what `soak -- --for 60m` does for an hour: nothing grows, and the processes end well.

use std::process::Command;

use integration_tests::harness::binary;

#[test]
fn a_minute_of_changing_values_a_flapping_link_and_reloads_leaves_nothing_behind() {
    let output = Command::new(binary("soak")).args(["--for", "60s", "--devices", "60"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    eprintln!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("nothing grows"));
}
