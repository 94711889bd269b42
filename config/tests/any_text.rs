//! No text whatever makes the reader panic, hang or show a fault outside the file.

mod common;

use common::read;
use proptest::prelude::*;

fn check(text: &str) {
    match read(&[("any.yaml", text)]) {
        Ok(loaded) => drop(format!("{loaded:?}")),
        Err(faults) => {
            assert!(!faults.faults.is_empty(), "refused without a reason: {text:?}");
            let lines = text.split('\n').count();
            for fault in &faults.faults {
                assert!((1..=lines).contains(&fault.place.line), "{fault}");
            }
            drop(faults.render(true));
        }
    }
}

/// Pieces of configurations, in any order.
fn words() -> impl Strategy<Value = String> {
    let pieces = [
        "gateway",
        "models",
        "devices",
        "node",
        "mqtt",
        "embedded",
        "external",
        "url",
        "cloud",
        "token",
        "api",
        "listen",
        "properties",
        "type",
        "float",
        "range",
        "one_of",
        "report",
        "deadband",
        "every",
        "1s",
        "modbus",
        "tcp",
        "unit",
        "holding",
        "at",
        "input",
        "opcua",
        "model",
        "labels",
        "with",
        "parameters",
        "default",
        "int",
        "$(",
        "$(unit)",
        "$(unit + 1)",
        "$$(",
        "devices_from",
        "file",
        "name",
        ": ",
        ":\n  ",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "'",
        "\"",
        "${env:LISTEN}",
        "${",
        "yes",
        "null",
        "~",
        "0x1f",
        "-1",
        "1e999",
        ".nan",
        "!x ",
        "? ",
        "|\n",
        "# ",
        "\t",
        "---\n",
        "\u{feff}",
        "é",
        "\r\n",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_mixture_of_our_own_words_is_read_or_refused(text in words()) {
        check(&text);
    }

    #[test]
    fn a_right_file_with_a_piece_changed_is_read_or_refused(
        at in 0.0..1.0f64, cut in 0usize..40, piece in words()
    ) {
        let right = include_str!("common/plant.yaml").chars().collect::<Vec<_>>();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short text")]
        let from = (at * right.len() as f64) as usize;
        let to = (from + cut).min(right.len());
        let text = right[..from].iter().collect::<String>() + &piece + &right[to..].iter().collect::<String>();
        check(&text);
    }
}
