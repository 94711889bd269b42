//! "Did you mean": the nearest of the words that would have been right.

/// The word of `known` that `written` is most likely a slip of.
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > 128 {
        return None;
    }
    let folded = |word: &str| word.to_ascii_lowercase().replace('-', "_");
    let wanted = folded(written);
    known
        .into_iter()
        .filter(|word| word.len() <= 128)
        .map(|word| (strsim::damerau_levenshtein(&wanted, &folded(word)), word))
        .filter(|(distance, word)| *distance <= 1.max(word.chars().count().max(wanted.chars().count()) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The words as a list for a message: `a`, `b` or `c`.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words = words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>();
    match words.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_does_not() {
        let known = ["every", "unit", "deadband", "min_interval"];
        assert_eq!(nearest("evry", known), Some("every"));
        assert_eq!(nearest("min-Interval", known), Some("min_interval"));
        assert_eq!(nearest("dead_band", known), Some("deadband"));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(nearest("", known), None);
    }
}
