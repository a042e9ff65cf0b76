//! What a server said, made fit for a message: one line, no control characters, not too long.

/// The beginning of it: up to the first newline, what is not printable escaped, and cut where it is longer than a message
/// should be.
pub(super) fn printable(octets: &[u8]) -> String {
    let line = octets.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        if character.is_control() || is_invisible(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Characters that print nothing and can turn the text around them: U+200B to U+200F, U+2028 to U+202E, U+2066 to U+2069.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// In characters.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn one_line_without_control_characters_and_not_for_ever() {
        assert_eq!(printable(b"Permission denied.\nmore"), "Permission denied.");
        assert_eq!(printable(b"\x1b[31mred\x07\r\n"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(printable(b"caf\xc3\xa9 \xff"), "café \u{fffd}");
        assert_eq!(printable(&[b'x'; 1000]).chars().count(), 201);
        assert_eq!(printable("\u{202e}abc".as_bytes()), "\\u{202e}abc");
    }
}
