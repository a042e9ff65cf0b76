//! `#ifdef NAME`, `#ifndef NAME`, `#else`, `#endif`: what does not apply is blanked, so that places stay what they were.

use super::{Error, Place};

/// One condition that is open.
struct Open {
    applies: bool,
    outer_applies: bool,
    line: usize,
}

/// The text without what does not apply under these names.
pub(super) fn applied(text: &str, defined: &[&str]) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    let mut open: Vec<Open> = Vec::new();
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let applies = open.last().is_none_or(|open| open.applies && open.outer_applies);
        let mut words = line.split_whitespace();
        let directive = words.next().unwrap_or("");
        match directive {
            "#ifdef" | "#ifndef" => {
                let name = words.next().ok_or_else(|| wrong(at, "this condition names nothing"))?;
                let wanted = directive == "#ifdef";
                let is_defined = defined.contains(&name);
                open.push(Open { applies: is_defined == wanted, outer_applies: applies, line: at });
            }
            "#else" => {
                let last = open.last_mut().ok_or_else(|| wrong(at, "#else without #ifdef"))?;
                last.applies = !last.applies;
            }
            "#endif" => {
                open.pop().ok_or_else(|| wrong(at, "#endif without #ifdef"))?;
            }
            _ if applies => {
                out.push_str(line);
                continue;
            }
            _ => {}
        }
        if line.ends_with('\n') {
            out.push('\n');
        }
    }
    match open.first() {
        Some(open) => Err(wrong(open.line, "this condition has no #endif")),
        None => Ok(out),
    }
}

fn wrong(line: usize, what: &str) -> Error {
    Error { place: Place { line: line as u32 + 1, column: 1 }, what: what.to_owned() }
}
