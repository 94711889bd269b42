//! Everything worth keeping of what fuzzing found, and thousands of small changes to it: nothing panics, nothing takes
//! long, nothing fills the memory.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;
use integration_tests::fuzz::{TARGETS, Target};

/// No input may take longer, not even where nothing is optimised and another test runs beside this one.
const MOST_TIME: Duration = Duration::from_secs(1);

/// How long the changed inputs of one target are tried, and how many there are at most. Which they are depends on the
/// seed alone.
const TRIED_FOR: Duration = Duration::from_millis(400);
const MOST_TRIED: usize = 20_000;

/// So many seconds for each target, with a new seed, in place of what every run of the tests tries.
const LONGER: &str = "FUZZ_SECONDS";

/// What is worth putting into any input.
const WORDS: [&[u8]; 30] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"-1e-999",
    b"NaN",
    b"inf",
    b"9223372036854775808",
    b"18446744073709551616",
    b"\\ud800",
    b"\\u0000",
    b"\xff\xfe",
    b"\0",
    b"\xf0\x9f\x92\xa9",
    b"[[[[[[[[[[[[[[[[",
    b"\"twin\":",
    b"\"value\":",
    b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x7f",
    b"\x80",
    b"\xfb\x7f\xf8\0\0\0\0\0\0",
    b"\n  ",
    b"*a",
];

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| file.expect("a readable folder").path())
        .map(|path| (path.display().to_string(), fs::read(path).expect("a readable file")))
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{name} has too small a corpus");
    files
}

fn run((name, body): Target, what: &str, data: &[u8]) {
    let started = Instant::now();
    let held = catch_unwind(AssertUnwindSafe(|| body(data)));
    let took = started.elapsed();
    let shown = || data[..data.len().min(2000)].escape_ascii().to_string();
    assert!(held.is_ok(), "{name} panics on {what}: b\"{}\"", shown());
    assert!(took <= MOST_TIME, "{name} takes {took:?} for {} bytes of {what}: b\"{}\"", data.len(), shown());
}

fn mutate(rng: &mut Rng, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    const LONGEST: usize = 20_000;
    let mut data = rng.choice(files).map(|(_, data)| data.clone()).unwrap_or_default();
    data.truncate(LONGEST);
    for _ in 0..rng.usize(1..=6) {
        let at = rng.usize(..=data.len());
        let end = (at + rng.usize(..=16)).min(data.len());
        match rng.u8(..8) {
            0 if at < data.len() => data[at] ^= 1 << rng.u8(..8),
            1 if at < data.len() => data[at] = [0, 1, 0x7f, 0x80, 0xff, rng.u8(..)][rng.usize(..6)],
            2 => drop(data.drain(at..end)),
            3 => {
                let copy = data[at..end].repeat(rng.usize(1..20));
                data.splice(at..at, copy);
            }
            4 | 5 => drop(data.splice(at..at, WORDS[rng.usize(..WORDS.len())].iter().copied())),
            6 => data.truncate(at),
            _ => {
                let (_, other) = &files[rng.usize(..files.len())];
                let from = rng.usize(..=other.len());
                data.truncate(at);
                data.extend(&other[from..(from + LONGEST).min(other.len())]);
            }
        }
    }
    data
}

#[test]
fn nothing_in_the_corpus_and_near_it_panics_or_takes_long() {
    let longer = std::env::var(LONGER).ok().map(|text| Duration::from_secs(text.parse().unwrap()));
    let (tried_for, most_tried) = longer.map_or((TRIED_FOR, MOST_TRIED), |time| (time, usize::MAX));
    let seed = longer.map_or(0x7415_9a4e, |_| fastrand::u64(..));
    let mut tried = 0;
    for target in TARGETS {
        let files = corpus(target.0);
        for (path, data) in &files {
            run(target, path, data);
        }
        let mut rng = Rng::with_seed(seed);
        let started = Instant::now();
        for n in 0..most_tried {
            if started.elapsed() > tried_for {
                break;
            }
            let data = mutate(&mut rng, &files);
            run(target, &format!("change {n}"), &data);
            tried += 1;
        }
    }
    println!("{tried} inputs were tried");
    assert!(tried >= 100 * TARGETS.len(), "only {tried} inputs were tried");
    #[cfg(target_os = "linux")]
    assert!(most_memory_kib() < 512 * 1024, "{} KiB of memory were in use at once", most_memory_kib());
}

#[test]
fn every_corpus_and_every_fuzz_target_belongs_to_a_function() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names = |inside: &str| {
        let entries = fs::read_dir(folder.join(inside)).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let functions = TARGETS.map(|(name, _)| name.to_owned());
    assert_eq!(names("corpus"), functions);
    assert_eq!(names("fuzz_targets"), functions);
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert!(functions.iter().all(|name| manifest.contains(&format!("name = \"{name}\""))));
}

#[cfg(target_os = "linux")]
fn most_memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the form of this file");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the form of this file");
    line.split_whitespace().nth(1).expect("the form of this file").parse().expect("the form of this file")
}
