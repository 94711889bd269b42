//! The file of a backup, which an operator may have from anybody.

use std::io;

use backup::{Manifest, UnpackError, unpack};

/// The least of a backup: an input is taken as the archive itself, and as the manifest of one.
pub fn backup_file(data: &[u8]) {
    let mut bytes = 0_u64;
    let most = 8 * 1024 * 1024;
    let taken = unpack(
        data,
        |manifest| if manifest.total_bytes() <= most { Ok(()) } else { Err("too long".to_owned()) },
        |file| {
            let place = std::path::Path::new("/data");
            assert!(file.path.within(place).starts_with(place) && !file.path.as_str().contains(".."));
            bytes += file.bytes;
            Ok(io::sink())
        },
        |_| Ok(()),
    );
    assert!(bytes <= most, "more was taken than the manifest names");
    if let Err(error @ (UnpackError::Write { .. } | UnpackError::Archive(_))) = taken {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(manifest) = Manifest::from_json(data) {
        let again = serde_json::to_vec(&manifest).expect("what was read can be written");
        assert_eq!(Manifest::from_json(&again), Ok(manifest));
    }
}
