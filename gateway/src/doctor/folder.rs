//! Who owns the data, and who can read what is secret in it.

use std::path::PathBuf;

use super::Finding;

const TOPIC: &str = "permissions";

/// What is known of the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Its mode, as `ls` has it; none when it is not there yet.
    pub mode: Option<u32>,
    /// The name of its owner.
    pub owner: String,
    /// Files of it that belong to somebody else.
    pub strangers: Vec<PathBuf>,
    /// Files with keys that others than their owner can read, each with its mode.
    pub open_keys: Vec<(PathBuf, u32)>,
}

/// What is to be said of it.
#[must_use]
pub fn judge(folder: &Folder) -> Vec<Finding> {
    let path = folder.path.display();
    let Some(mode) = folder.mode else {
        return vec![Finding::ok(TOPIC, format!("{path} is not there yet; the first start makes it"))];
    };
    let mut findings = Vec::new();
    if mode & 0o077 != 0 {
        findings.push(Finding::warn(
            TOPIC,
            format!("{path} has mode {:03o}: others can look into it, and configurations with their secrets are kept there", mode & 0o777),
            format!("`chmod 700 {path}`"),
        ));
    }
    if let Some(stranger) = folder.strangers.first() {
        findings.push(Finding::fail(
            TOPIC,
            format!(
                "{} of the files in {path} do not belong to {}, {} among them",
                folder.strangers.len(),
                folder.owner,
                stranger.display()
            ),
            format!("`chown -R {0}: {path}`", folder.owner),
        ));
    }
    for (key, mode) in &folder.open_keys {
        findings.push(Finding::fail(
            TOPIC,
            format!("others can read the key in {} (mode {:03o})", key.display(), mode & 0o777),
            format!("`chmod 600 {}`, and make a new key if others have been on this machine", key.display()),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            TOPIC,
            format!("{path} belongs to {} and nobody else can read it", folder.owner),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn keys_that_others_can_read_fail_and_the_mend_names_the_file() {
        let good =
            Folder { path: "/d".into(), mode: Some(0o40_700), owner: "twinspan".into(), ..Folder::default() };
        assert_eq!(judge(&good)[0].level, Level::Ok);
        let key = Folder { open_keys: vec![("/d/link/identity.pem".into(), 0o100_644)], ..good.clone() };
        let found = judge(&key);
        assert_eq!(found[0].level, Level::Fail);
        assert!(
            found[0].says.contains("644")
                && found[0].mend.as_deref().unwrap().contains("chmod 600 /d/link/identity.pem")
        );
        let open = Folder { mode: Some(0o755), ..good.clone() };
        assert_eq!(judge(&open)[0].level, Level::Warn);
        let mixed = Folder { strangers: vec!["/d/twin.db".into()], ..good };
        assert!(judge(&mixed)[0].mend.as_deref().unwrap().contains("chown -R twinspan: /d"));
    }
}
