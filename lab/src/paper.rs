//! What holds for all text that the program prints, whatever it says.

/// Checks that text which no terminal reads has no escape codes and keeps to 80 columns. A word that is longer than
/// half a line, as in a path, may stick out, and a command must, to be copied whole.
///
/// # Panics
///
/// When it is not so.
pub fn assert_clean(text: &str) {
    assert!(!text.contains('\x1b'), "escape codes: {text:?}");
    for line in text.lines() {
        let unbreakable = line.split_whitespace().any(|word| word.len() > 40);
        let command =
            ["sudo ", "kill ", "lastack "].iter().any(|word| line.trim_start().starts_with(word));
        assert!(line.chars().count() <= 80 || unbreakable || command, "longer than 80: {line:?}");
        assert_eq!(line, line.trim_end(), "space at the end of a line");
    }
}
