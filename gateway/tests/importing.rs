//! `twinspan import` and `twinspan config` as they are typed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn twinspan(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_twinspan")).args(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn an_import_ends_with_what_it_could_carry_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("telegraf.toml");
    let out = folder.path().join("out.yaml");
    let whole = "[[inputs.modbus]]\nname = \"a\"\nslave_id = 1\ncontroller = \"tcp://10.0.0.1:502\"\ncoils = [ { name = \"on\", address = [0] } ]\n";
    for (extra, code) in [("", 0), ("busy_retries = 3\n", 1), ("x =", 64)] {
        std::fs::write(&file, format!("{whole}{extra}")).expect("written");
        let done = twinspan(&["import", "telegraf", path(&file), "-o", path(&out)]);
        assert_eq!(done.status.code(), Some(code), "{}", text(&done.stderr));
        assert_eq!(text(&done.stderr).contains("not carried over: "), code == 1, "{}", text(&done.stderr));
    }
    std::fs::write(folder.path().join("gateway.yaml"), "gateway: { node: g }\n").expect("written");
    let checked = twinspan(&["check", path(folder.path())]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

#[test]
fn tables_that_were_exported_are_the_same_configuration_and_a_wrong_cell_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["plant.yaml", "meters.yaml"] {
        let example = repository().join("config/examples").join(name);
        let tables = folder.path().join(name.trim_end_matches(".yaml"));
        let done = twinspan(&["config", "export", "--csv", path(&example), "-o", path(&tables)]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let back = tables.join("back.yaml");
        let done = twinspan(&["config", "import", "--csv", path(&tables), "-o", path(&back)]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let same = twinspan(&["diff", path(&example), path(&back)]);
        assert!(same.status.success(), "{}", text(&same.stdout));
    }
    let devices = folder.path().join("meters/devices.csv");
    let wrong =
        std::fs::read_to_string(&devices).expect("a table").replace("10.0.3.12,1\r", "10.0.3.12,300\r");
    std::fs::write(&devices, wrong).expect("written");
    let done = twinspan(&["config", "import", "--csv", path(&folder.path().join("meters"))]);
    assert_eq!(done.status.code(), Some(64));
    assert!(text(&done.stderr).contains("devices.csv: row 4, column with.unit"), "{}", text(&done.stderr));
    assert!(done.stdout.is_empty());
}
