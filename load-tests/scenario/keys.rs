//! Keys that nobody knows are refused, with the one that was probably meant.

/// Refuses a table with an unknown key.
///
/// # Errors
/// Which, and what there is instead.
pub(super) fn check_keys(table: &toml::Table, known: &[&str], place: &str) -> Result<(), String> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            let nearest = suggestion(key, known);
            Err(format!("unknown key `{key}`{place}{nearest}; known are {}", known.join(", ")))
        }
        None => Ok(()),
    }
}

/// ` (did you mean …?)` when a word is close.
pub(super) fn suggestion(wrong: &str, words: &[&str]) -> String {
    let nearest = words.iter().map(|word| (strsim::damerau_levenshtein(wrong, word), word)).min();
    match nearest {
        Some((distance, word)) if distance <= 2 => format!(" (did you mean `{word}`?)"),
        _ => String::new(),
    }
}
