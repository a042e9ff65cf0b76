//! What may be shown of somebody else's line on a terminal: text, tabs and colours. Everything else that a terminal would
//! obey, or that is no text, is written out as in `\x1b`.

use std::fmt::Write as _;

/// The line, harmless.
pub(super) fn shown(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    let mut has_colour = false;
    for chunk in line.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(c) = rest.chars().next() {
            let length = colour(rest).unwrap_or(0);
            if length > 0 {
                has_colour = true;
                text.push_str(&rest[..length]);
                rest = &rest[length..];
                continue;
            }
            one(&mut text, c);
            rest = &rest[c.len_utf8()..];
        }
        for octet in chunk.invalid() {
            let _ = write!(text, "\\x{octet:02x}");
        }
    }
    if has_colour {
        text.push_str("\x1b[0m");
    }
    text
}

fn one(text: &mut String, c: char) {
    if c == '\t' || !(c.is_control() || turns_around(c)) {
        text.push(c);
    } else if c.is_ascii() {
        let _ = write!(text, "\\x{:02x}", u32::from(c));
    } else {
        let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
    }
}

/// How long the colour is that begins here: `ESC [ numbers m` (ECMA-48 §8.3.117, SGR).
fn colour(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\x1b[")?;
    let end = numbers.find(|c: char| !(c.is_ascii_digit() || c == ';' || c == ':'))?;
    (end <= LONGEST && numbers[end..].starts_with('m')).then_some(2 + end + 1)
}

/// Characters that let text appear in another order than it has (Unicode Standard Annex 9, §2).
const fn turns_around(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const LONGEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_tabs_and_colours_stay_and_everything_else_is_written_out() {
        for (line, expected) in [
            (&b"plain\ttext"[..], "plain\ttext"),
            ("gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
            (b"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m\x1b[0m"),
            (b"\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
            (b"over\rwritten\x08", "over\\x0dwritten\\x08"),
            (b"\xff\xfe", "\\xff\\xfe"),
            ("\u{9b}31m\u{202e}".as_bytes(), "\\u{9b}31m\\u{202e}"),
            (b"\x1b[", "\\x1b["),
        ] {
            assert_eq!(shown(line), expected, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_is_left_but_colours(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let shown = shown(&line);
            let mut rest = shown.as_str();
            while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
                rest = &rest[at..];
                let length = colour(rest);
                prop_assert!(length.is_some(), "{:?}", rest);
                rest = &rest[length.unwrap_or(1)..];
            }
        }
    }
}
