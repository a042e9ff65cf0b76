//! What may differ between two runs of one scenario: lengths of time, clock times, and the kernel's version.

/// The text with each of these replaced by a word of the same meaning.
pub(crate) fn masked(text: &str) -> String {
    text.lines().map(|line| masked_line(line) + "\n").collect()
}

fn masked_line(line: &str) -> String {
    let mut out = String::new();
    let mut pieces = line.split_inclusive(' ').peekable();
    while let Some(piece) = pieces.next() {
        let (word, _) = split(piece);
        if is_number(word) && pieces.peek().is_some_and(|next| is_unit(split(next).0)) {
            let unit = pieces.next().unwrap_or_default();
            // `1 min 3 s` is one length of time.
            if !out.ends_with("LENGTH ") {
                out.push_str("LENGTH");
                out.push_str(split(unit).1);
            } else if !split(unit).1.starts_with(' ') {
                out.truncate(out.len() - 1);
                out.push_str(split(unit).1);
            }
        } else if is_clock(word) {
            out.push_str("CLOCK");
            out.push_str(split(piece).1);
        } else if out.ends_with("Linux ") && word.contains(|c: char| c.is_ascii_digit()) {
            out.push_str("VERSION");
        } else {
            out.push_str(piece);
        }
    }
    out
}

/// A word, and what follows it: punctuation and the space.
fn split(piece: &str) -> (&str, &str) {
    let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != ':').unwrap_or(piece.len());
    piece.split_at(end)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_unit(word: &str) -> bool {
    matches!(word, "ms" | "s" | "min" | "h")
}

fn is_clock(word: &str) -> bool {
    let parts: Vec<&str> = word.split(':').collect();
    parts.len() == 3 && parts.iter().all(|part| part.len() == 2 && is_number(part))
}
