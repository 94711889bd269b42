//! Backups that read back, and those that are not taken.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io;

use backup::{FileEntry, Hash, Manifest, Packer, UnpackError, unpack};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

fn digest(bytes: &[u8]) -> String {
    let mut hash = Hash::default();
    hash.update(bytes);
    hash.hex()
}

fn manifest(files: &[(&str, &[u8])]) -> Manifest {
    let entry = |(path, bytes): &(&str, &[u8])| FileEntry {
        path: path.parse().unwrap(),
        bytes: bytes.len() as u64,
        sha256: digest(bytes),
        database: None,
    };
    Manifest {
        format: Manifest::FORMAT,
        program: "twinspan 0".into(),
        created_at: 1_700_000_000_000,
        with_keys: false,
        files: files.iter().map(entry).collect(),
        left_out: Vec::new(),
    }
}

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut packer = Packer::new(Vec::new(), &manifest(files)).unwrap();
    for (_, bytes) in files {
        packer.append(*bytes).unwrap();
    }
    packer.finish().unwrap()
}

type Found = Vec<(String, Vec<u8>)>;

fn unpacked(archive: &[u8]) -> Result<Found, UnpackError> {
    let mut found = Vec::new();
    let close = |file: (String, Vec<u8>)| -> io::Result<()> {
        found.push(file);
        Ok(())
    };
    struct File(String, Vec<u8>);
    impl io::Write for File {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut close = close;
    unpack(
        archive,
        |_| Ok(()),
        |file| Ok(File(file.path.to_string(), Vec::new())),
        |file| close((file.0, file.1)),
    )?;
    Ok(found)
}

/// An archive made by hand: a manifest, then entries as somebody hostile would write them.
fn hostile(manifest_json: &[u8], entries: impl FnOnce(&mut Builder<GzEncoder<Vec<u8>>>)) -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    builder.append(&header("manifest.json", manifest_json.len(), EntryType::Regular), manifest_json).unwrap();
    entries(&mut builder);
    builder.into_inner().unwrap().finish().unwrap()
}

fn header(path: &str, bytes: usize, kind: EntryType) -> Header {
    let mut header = Header::new_ustar();
    // `set_path` would not take what leaves the folder.
    header.as_ustar_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(bytes as u64);
    header.set_mode(0o600);
    header.set_cksum();
    header
}

fn json(manifest: &Manifest) -> Vec<u8> {
    serde_json::to_vec(manifest).unwrap()
}

proptest! {
    #[test]
    fn what_is_packed_reads_back(files in proptest::collection::btree_map("[a-z]{1,8}(/[a-z.]{3,9}x)?", proptest::collection::vec(any::<u8>(), 0..3000), 0..6)) {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
        let found = unpacked(&packed(&files));
        // Names may come out as a file and a folder of the same name; then it is refused, not mixed up.
        if let Ok(found) = found {
            let same: Found = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
            prop_assert_eq!(found, same);
        } else {
            let above = |a: &str, b: &str| b.strip_prefix(a).is_some_and(|rest| rest.starts_with('/'));
            prop_assert!(files.iter().any(|(a, _)| files.iter().any(|(b, _)| above(a, b))));
        }
    }

    #[test]
    fn a_backup_that_is_cut_short_or_changed_gives_an_error_or_the_same(at in 0_usize..600, bit in 0_u8..8, cut in any::<bool>()) {
        let whole = packed(&[("a.db", b"the database"), ("link/node.pem", &[7; 300])]);
        let before = unpacked(&whole).unwrap();
        let mut changed = whole.clone();
        let at = at % whole.len();
        if cut { changed.truncate(at) } else { changed[at] ^= 1 << bit }
        if let Ok(found) = unpacked(&changed) {
            prop_assert_eq!(found, before);
        }
    }
}

#[test]
fn entries_that_lead_out_of_the_folder_are_not_taken() {
    let clean = json(&manifest(&[("a.db", b"x")]));
    for path in ["../a.db", "/etc/cron.d/x", "a/../../b", "./a.db"] {
        let archive =
            hostile(&clean, |tar| tar.append(&header(path, 1, EntryType::Regular), &b"x"[..]).unwrap());
        assert!(matches!(unpacked(&archive), Err(UnpackError::Place(_))), "{path}");
        let named = String::from_utf8(clean.clone()).unwrap().replace("a.db", path);
        let archive = hostile(named.as_bytes(), |tar| {
            tar.append(&header(path, 1, EntryType::Regular), &b"x"[..]).unwrap()
        });
        assert!(matches!(unpacked(&archive), Err(UnpackError::Manifest(_))), "{path}");
    }
}

#[test]
fn links_devices_and_long_names_are_not_taken() {
    let clean = json(&manifest(&[("a.db", b"x")]));
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::GNUSparse,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ];
    for kind in kinds {
        let archive = hostile(&clean, |tar| {
            let mut header = header("a.db", 0, kind);
            header.as_ustar_mut().unwrap().linkname[..11].copy_from_slice(b"/etc/passwd");
            header.set_cksum();
            tar.append(&header, io::empty()).unwrap();
        });
        assert!(matches!(unpacked(&archive), Err(UnpackError::NotAFile { .. })), "{kind:?}");
    }
}

#[test]
fn a_file_that_nobody_named_or_that_comes_twice_is_not_taken() {
    let clean = json(&manifest(&[("a.db", b"x")]));
    let archive = hostile(&clean, |tar| {
        for path in ["a.db", "b.db"] {
            tar.append(&header(path, 1, EntryType::Regular), &b"x"[..]).unwrap();
        }
    });
    assert!(matches!(unpacked(&archive), Err(UnpackError::NotNamed { path }) if path.as_str() == "b.db"));
    let archive = hostile(&clean, |tar| {
        for _ in 0..2 {
            tar.append(&header("a.db", 1, EntryType::Regular), &b"x"[..]).unwrap();
        }
    });
    assert!(matches!(unpacked(&archive), Err(UnpackError::NotNamed { .. })));
}

#[test]
fn damage_is_named() {
    let clean = json(&manifest(&[("a.db", b"xy")]));
    let with = |bytes: &'static [u8]| {
        hostile(&clean, |tar| tar.append(&header("a.db", bytes.len(), EntryType::Regular), bytes).unwrap())
    };
    assert!(matches!(unpacked(&with(b"xz")), Err(UnpackError::Damaged { what: "its digest", .. })));
    assert!(matches!(unpacked(&with(b"xyz")), Err(UnpackError::Damaged { what: "its length", .. })));
    assert!(matches!(unpacked(&hostile(&clean, |_| ())), Err(UnpackError::Missing { .. })));
    let newer = String::from_utf8(clean).unwrap().replace("\"format\":1", "\"format\":2");
    let said = unpacked(&hostile(newer.as_bytes(), |_| ())).unwrap_err().to_string();
    assert!(said.contains("newer program"), "{said}");
    assert!(unpacked(b"").is_err() && unpacked(b"nonsense").is_err());
}

#[test]
fn a_manifest_that_contradicts_itself_is_not_taken() {
    for files in [
        [("a", &b"x"[..]), ("a", b"x")],
        [("a", b"x"), ("a/b", b"x")],
        [("manifest.json", b"x"), ("b", b"x")],
    ] {
        let archive = hostile(&json(&manifest(&files)), |_| ());
        assert!(matches!(unpacked(&archive), Err(UnpackError::Manifest(_))), "{files:?}");
    }
}
