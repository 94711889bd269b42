//! What a text without quotes means: the core schema of YAML 1.2 (10.3.2), and the mends for what it leaves out.

/// Whether it means "nothing".
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The bool it means.
pub(crate) fn bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// The bool that YAML 1.1 would have read: never taken, only named in a hint.
pub(crate) fn old_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" => Some(true),
        "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

/// The whole number it means: decimal, `0x` or `0o`. A leading zero is none, since older YAML took it for octal.
pub(crate) fn int(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let parsed = match digits.get(..2) {
        Some("0x") => unsigned(&digits[2..], 16),
        Some("0o") => unsigned(&digits[2..], 8),
        Some(two) if two.starts_with('0') => None,
        _ => unsigned(digits, 10),
    }?;
    Some(if negative { -parsed } else { parsed })
}

fn unsigned(digits: &str, radix: u32) -> Option<i128> {
    // `from_str_radix` would take a second sign.
    digits.starts_with(|c: char| c.is_digit(radix)).then(|| i128::from_str_radix(digits, radix).ok())?
}

/// The number it means.
pub(crate) fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::NAN);
    }
    if let Some(whole) = int(text) {
        #[expect(clippy::cast_precision_loss, reason = "a float is wanted")]
        return Some(whole as f64);
    }
    let ok = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().any(|b| b.is_ascii_digit())
        && unsigned.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && !has_leading_zero(unsigned);
    if ok { text.parse().ok() } else { None }
}

fn has_leading_zero(digits: &str) -> bool {
    matches!(digits.as_bytes(), [b'0', second, ..] if second.is_ascii_digit())
}

/// How a number that was not understood may have been meant.
pub(crate) fn number_hint(text: &str) -> Option<String> {
    let plain = text.replace('_', "");
    if plain != text && float(&plain).is_some() {
        return Some(format!("write it without `_`: {plain}"));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if has_leading_zero(unsigned) {
        let trimmed = unsigned.trim_start_matches('0');
        let trimmed = if trimmed.is_empty() { "0" } else { trimmed };
        if float(trimmed).is_some() {
            return Some(format!("write it without the leading zero: {trimmed}"));
        }
    }
    let dotted = text.replace(',', ".");
    if dotted != text && float(&dotted).is_some() {
        return Some(format!("use a point for the decimals: {dotted}"));
    }
    None
}

/// A text short enough for a message.
pub(crate) fn cut(text: &str) -> String {
    const MOST: usize = 60;
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    if text.chars().nth(MOST).is_none() {
        text.chars().map(clean).collect()
    } else {
        text.chars().take(MOST).map(clean).chain("...".chars()).collect()
    }
}
