//! Spelling suggestions for settings that cannot be read. Called by `variables` and by the parser
//! of `DUET_LOG`.

/// Returns the candidate with the smallest edit distance, if that distance is small enough for a
/// typo.
pub(crate) fn suggest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_lowercase();
    candidates
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_gets_a_suggestion_and_another_word_does_not() {
        let names = ["info", "error", "DUET_REGISTRATION", "DUET_LISTEN"];
        assert_eq!(suggest("ifno", names), Some("info"));
        assert_eq!(suggest("DUET_REGISTATION", names), Some("DUET_REGISTRATION"));
        assert_eq!(suggest("duet_listen", names), Some("DUET_LISTEN"));
        assert_eq!(suggest("DUET_WALLPAPER_COLOUR", names), None);
    }
}
