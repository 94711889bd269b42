//! Whatever stands in a file: nothing panics, and what is written is taken by the loader.

use config::{Loader, Source};
use config_import::{From, import};
use proptest::prelude::*;

const SAMPLES: [(From, &[&str]); 6] = [
    (From::ThingsBoard, &[include_str!("samples/thingsboard.json")]),
    (From::ThingsBoard, &[include_str!("samples/thingsboard_old.json")]),
    (From::Telegraf, &[include_str!("samples/telegraf.toml")]),
    (From::Neuron, &[include_str!("samples/boiler.csv"), include_str!("samples/boiler.json")]),
    (From::EdgeX, &[include_str!("samples/profile.yml"), include_str!("samples/devices.yaml")]),
    (From::KubeEdge, &[include_str!("samples/kubeedge.yaml")]),
];

/// What stands in place of a word of a sample.
const WORDS: [&str; 24] = [
    "",
    "0",
    "-1",
    "1",
    "65535",
    "65536",
    "70000-1",
    "0-65535",
    "1e308",
    "-0.0",
    "\"$(a)\"",
    "\"${env:X}\"",
    "null",
    "true",
    "[]",
    "{}",
    "99999999999999999999",
    "\"\u{2028}#\"",
    "\"a: b\"",
    "0.1",
    "\"\\n- x\"",
    "/dev/ttyS1",
    "string",
    "é",
];

fn taken(from: From, texts: &[String]) {
    let sources: Vec<Source> =
        texts.iter().enumerate().map(|(n, text)| Source::new(format!("f{n}\n"), text)).collect();
    let Ok(imported) = import(from, &sources) else { return };
    let text = format!("gateway: {{ node: test }}\n{}", imported.yaml);
    let protocols = [modbus::protocol()];
    if let Err(faults) = Loader::new(&protocols).check(&[Source::new("taken.yaml", &text)]) {
        panic!("{from}: {texts:?}\n{text}\n{faults}");
    }
}

/// The byte ranges of the words of a text: what stands between blanks, brackets and quotes.
fn words(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut begin = None;
    for (at, c) in text.char_indices() {
        let inside = c.is_alphanumeric() || "._-+/!#°".contains(c);
        match (inside, begin) {
            (true, None) => begin = Some(at),
            (false, Some(from)) => {
                found.push((from, at));
                begin = None;
            }
            _ => {}
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn samples_with_words_changed_are_taken_or_refused(
        which in 0..SAMPLES.len(),
        file in 0..2usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..WORDS.len()), 1..6),
    ) {
        let (from, texts) = SAMPLES[which];
        let mut texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let count = texts.len();
        for (at, word) in changes {
            let text = &mut texts[file % count];
            let places = words(text);
            if !places.is_empty() {
                let (begin, end) = *at.get(&places);
                text.replace_range(begin..end, WORDS[word]);
            }
        }
        taken(from, &texts);
    }

    #[test]
    fn samples_with_parts_taken_out_or_doubled_are_taken_or_refused(
        which in 0..SAMPLES.len(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0..40usize, any::<bool>()), 1..4),
    ) {
        let (from, texts) = SAMPLES[which];
        let mut texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        for (at, length, double) in cuts {
            let lines: Vec<&str> = texts[0].split_inclusive('\n').collect();
            let begin = at.index(lines.len());
            let end = (begin + length % 8 + 1).min(lines.len());
            let mut changed: Vec<&str> = lines.clone();
            if double {
                changed.splice(end..end, lines[begin..end].iter().copied());
            } else {
                changed.drain(begin..end);
            }
            let changed = changed.concat();
            if !changed.is_empty() {
                texts[0] = changed;
            }
        }
        taken(from, &texts);
    }

    #[test]
    fn any_text_is_taken_or_refused(text in "\\PC{0,60}") {
        for from in From::ALL {
            taken(from, std::slice::from_ref(&text));
        }
    }
}
