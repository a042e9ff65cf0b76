//! Reads Rust source just well enough to find names in it: comments and literals are blanked, the rest is words.
//!
//! It is no parser. Macros are taken as they are written, and a name is found wherever it stands.

/// A word or a piece of punctuation, and its line, counted from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The source with comments and literals turned into spaces; lines keep their numbers.
pub(crate) fn without_comments_and_literals(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source;
    while !rest.is_empty() {
        let word = word_length(rest);
        let hidden = match &rest[..word] {
            "r" | "br" | "cr" => raw_string_length(&rest[word..]),
            "" => hidden_length(rest),
            _ => 0,
        };
        let shown = if word == 0 && hidden == 0 { first_length(rest) } else { word };
        kept.push_str(&rest[..shown]);
        let blanked = &rest[shown..shown + hidden];
        kept.extend(blanked.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[shown + hidden..];
    }
    kept
}

/// Words, `::` and single characters of blanked source.
pub(crate) fn tokens(blanked: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (index, mut rest) in blanked.lines().enumerate() {
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                break;
            }
            let length = match word_length(rest) {
                0 if rest.starts_with("::") => 2,
                0 => first_length(rest),
                word => word,
            };
            found.push(Token { text: &rest[..length], line: index + 1 });
            rest = &rest[length..];
        }
    }
    found
}

/// Every path below `std`, use-trees expanded: `std::{fs, net::IpAddr}` is `fs` and `net::IpAddr`.
pub(crate) fn std_paths(tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if text_at(tokens, at) == "std" && text_at(tokens, at + 1) == "::" {
            expand(tokens, at + 2, "", &mut found);
        }
    }
    found
}

/// Adds the paths of the use-tree at `at` and returns the place after it.
fn expand(
    tokens: &[Token<'_>],
    at: usize,
    prefix: &str,
    found: &mut Vec<(usize, String)>,
) -> usize {
    let Some(token) = tokens.get(at) else { return at };
    if token.text == "{" {
        return expand_group(tokens, at + 1, prefix, found);
    }
    let path =
        if prefix.is_empty() { token.text.into() } else { format!("{prefix}::{}", token.text) };
    if text_at(tokens, at + 1) == "::" {
        return expand(tokens, at + 2, &path, found);
    }
    found.push((token.line, path));
    at + 1
}

fn expand_group(
    tokens: &[Token<'_>],
    mut at: usize,
    prefix: &str,
    found: &mut Vec<(usize, String)>,
) -> usize {
    while at < tokens.len() && text_at(tokens, at) != "}" {
        at = match text_at(tokens, at) {
            "," => at + 1,
            // A renaming, `io as other`: the name itself was already added.
            "as" => at + 2,
            _ => expand(tokens, at, prefix, found),
        };
    }
    at + 1
}

fn text_at<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

fn first_length(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// The length of the comment or literal that starts here, 0 when none does.
fn hidden_length(text: &str) -> usize {
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        block_comment_length(text)
    } else if let Some(inside) = text.strip_prefix('"') {
        1 + quoted_length(inside, '"')
    } else if let Some(inside) = text.strip_prefix('\'') {
        let closes = inside.chars().nth(1) == Some('\'');
        // Otherwise it is a lifetime or a label.
        if inside.starts_with('\\') || closes { 1 + quoted_length(inside, '\'') } else { 0 }
    } else {
        0
    }
}

/// Block comments nest in Rust.
fn block_comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += first_length(rest);
        }
    }
    text.len()
}

fn quoted_length(inside: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    inside.len()
}

fn raw_string_length(text: &str) -> usize {
    let hashes = text.len() - text.trim_start_matches('#').len();
    if !text[hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = &text[hashes + 1..];
    inside.find(&end).map_or(text.len(), |at| hashes + 1 + at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        let blanked = without_comments_and_literals(source);
        tokens(&blanked).iter().map(|token| token.text.to_owned()).collect()
    }

    fn paths(source: &str) -> Vec<String> {
        std_paths(&tokens(source)).into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn comments_and_literals_hide_what_they_say() {
        assert_eq!(words("a // unsafe\nb /* x /* unsafe */ y */ c"), ["a", "b", "c"]);
        assert_eq!(words(r#"a "unsafe \" unsafe" b"#), ["a", "b"]);
        assert_eq!(words("r##\"unsafe \"# unsafe\"## b"), ["r", "b"]);
        assert_eq!(words(r"'u' '\'' '\u{1F600}' b"), ["b"]);
        assert_eq!(words("b\"unsafe\" c"), ["b", "c"]);
    }

    #[test]
    fn lifetimes_and_raw_names_hide_nothing() {
        assert_eq!(words("fn f<'a>(x: &'a str) {}").last().unwrap(), "}");
        assert!(words("&'a T, unsafe, 'b").contains(&"unsafe".to_owned()));
        assert!(words("r#type unsafe").contains(&"unsafe".to_owned()));
    }

    #[test]
    fn lines_keep_their_numbers_across_blanked_text() {
        let blanked = without_comments_and_literals("/* one\ntwo */ \"three\n\" four");
        assert_eq!(tokens(&blanked), [Token { text: "four", line: 3 }]);
    }

    #[test]
    fn use_trees_are_expanded() {
        assert_eq!(
            paths("use std::{fs, net::{IpAddr, TcpStream}, time::*};"),
            ["fs", "net::IpAddr", "net::TcpStream", "time::*"]
        );
        assert_eq!(paths("std::env::var(x)"), ["env::var"]);
        assert_eq!(paths("use std::{io as other, fmt};"), ["io", "fmt"]);
    }

    #[test]
    fn an_unfinished_file_ends() {
        assert_eq!(paths("use std::{fs, net::{"), ["fs"]);
        assert_eq!(words("a \"never closed"), ["a"]);
        assert_eq!(words("a /* never closed"), ["a"]);
    }
}
