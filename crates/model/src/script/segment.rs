//! Segments and ICMP messages as a script writes them: `< F. 1:1(0) ack 1 win 257`, `> S. 0:0(0) ack 1 <...>`,
//! `icmp unreachable port_unreachable [1:1(0)]`.

use super::cursor::Cursor;
use super::{Body, Error, Unsupported};
use crate::tcp::segment::Control;

/// A segment, with what the script leaves open left open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    /// SYN, FIN and RST.
    pub control: Control,
    /// Whether it says that it acknowledges (`.`), and what.
    pub acknowledged: Acknowledged,
    /// Its numbers.
    pub sequence: Sequence,
    /// The window that it names.
    pub window: Option<u32>,
    /// Its options.
    pub options: Options,
}

/// What a segment acknowledges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Acknowledged {
    /// Nothing: it has no ACK bit.
    Nothing,
    /// Everything before this number.
    Upto(u32),
    /// It has the bit, and the script leaves the number open.
    Open,
}

/// The numbers of a segment, relative to the first of its direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sequence {
    /// Its first; `None` when the script leaves it open (`...`).
    pub first: Option<u32>,
    /// How many octets it carries.
    pub length: u32,
}

/// The options of a segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// The words between `<` and `>`, one an option; empty where nothing, or `<...>`, is written.
    pub all: Vec<String>,
}

/// An ICMP message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Icmp {
    /// Its type, by name.
    pub kind: String,
    /// Its code, by name, and what follows it.
    pub code: String,
    /// The number of the segment that it answers.
    pub about: Option<u32>,
}

impl Options {
    /// The value behind the name of an option (`mss 1460` → `1460`).
    pub fn value(&self, name: &str) -> Option<&str> {
        self.all.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix(' '))
    }
}

/// Reads what stands after `<` or `>`.
pub(super) fn packet(cursor: &mut Cursor<'_>, arrives: bool) -> Result<Body, Error> {
    cursor.skip_on_line();
    let start = cursor.place();
    if let Some(what) = beyond(cursor) {
        cursor.take_while(|c| c != '\n');
        return Ok(Body::Unsupported(Unsupported { what, place: start }));
    }
    if cursor.next_word() == "icmp" && arrives {
        cursor.word();
        return icmp(cursor).map(Body::Icmp);
    }
    for (open, close) in [("[", "]"), ("(", ")")] {
        cursor.skip_on_line();
        if cursor.eat(open) {
            cursor.take_until(close, "this note on the IP header")?;
        }
    }
    let before = cursor.rest();
    let pattern = segment(cursor)?;
    let written = &before[..before.len() - cursor.rest().len()];
    if written.contains('!') {
        cursor.take_while(|c| c != '\n');
        let what = "numbers that do not count from the connection's first ('!')".to_owned();
        return Ok(Body::Unsupported(Unsupported { what, place: start }));
    }
    cursor.skip_on_line();
    if cursor.next_word() == "udp" || cursor.eat(",") || cursor.rest().starts_with("/udp") {
        cursor.take_while(|c| c != '\n');
        let what = "a segment inside another protocol".to_owned();
        return Ok(Body::Unsupported(Unsupported { what, place: start }));
    }
    Ok(if arrives { Body::Arrives(pattern) } else { Body::Sent(pattern) })
}

/// What is no plain TCP segment, by its first word.
fn beyond(cursor: &Cursor<'_>) -> Option<String> {
    let what = match cursor.next_word() {
        "udp" | "udplite" => "UDP",
        "sctp" => "SCTP",
        "ipv4" | "ipv6" | "gre" | "mpls" | "psp" | "encap" => "a segment inside another protocol",
        _ => return None,
    };
    Some(what.to_owned())
}

fn segment(cursor: &mut Cursor<'_>) -> Result<Pattern, Error> {
    let (control, has_ack) = flags(cursor)?;
    let sequence = sequence(cursor)?;
    let acknowledged = acknowledged(cursor, has_ack)?;
    let mut window = None;
    if eat_word(cursor, "win") {
        window = Some(cursor.number("a window")?);
    }
    if eat_word(cursor, "urg") {
        cursor.number("an urgent pointer")?;
    }
    cursor.skip_on_line();
    let options = if cursor.eat("<") { options(cursor)? } else { Options::default() };
    Ok(Pattern { control, acknowledged, sequence, window, options })
}

/// The letters before the numbers. `P`, `U`, `E`, `W` and the bits of newer ECN say nothing about endings.
fn flags(cursor: &mut Cursor<'_>) -> Result<(Control, bool), Error> {
    cursor.skip_on_line();
    let start = cursor.clone();
    let letters = cursor.take_while(|c| !c.is_whitespace());
    let mut control = Control::NONE;
    let mut has_ack = false;
    if letters.is_empty() {
        return Err(start.expected("the flags of a segment"));
    }
    for letter in letters.chars() {
        match letter {
            'S' => control = control.with(Control::SYN),
            'F' => control = control.with(Control::FIN),
            'R' => control = control.with(Control::RST),
            '.' => has_ack = true,
            'P' | 'U' | 'E' | 'W' | 'C' | 'A' | '0'..='7' | '-' => {}
            _ => return Err(start.expected("the flags of a segment (S F R P . U E W)")),
        }
    }
    Ok((control, has_ack))
}

/// `start:end(length)`, or `...(length)` where the script leaves the numbers open.
fn sequence(cursor: &mut Cursor<'_>) -> Result<Sequence, Error> {
    cursor.skip_on_line();
    let start = cursor.clone();
    if cursor.eat("...") {
        return Ok(Sequence { first: None, length: in_brackets(cursor)? });
    }
    let first = cursor.number("sequence numbers 'start:end(length)'")?;
    cursor.must(":")?;
    let end = cursor.number("the number after the last octet")?;
    let length = in_brackets(cursor)?;
    cursor.eat("!");
    if end.wrapping_sub(first) != length {
        let real = end.wrapping_sub(first);
        return Err(
            start.error(format!("from {first} to {end} there are {real} octets, not {length}"))
        );
    }
    Ok(Sequence { first: Some(first), length })
}

fn in_brackets(cursor: &mut Cursor<'_>) -> Result<u32, Error> {
    cursor.must("(")?;
    let length = cursor.number("a length")?;
    cursor.must(")")?;
    Ok(length)
}

/// A segment with the ACK bit may leave the number out, which then is open for one that is sent. A number without the
/// bit stands in the header and means nothing.
fn acknowledged(cursor: &mut Cursor<'_>, has_ack: bool) -> Result<Acknowledged, Error> {
    if !eat_word(cursor, "ack") {
        return Ok(if has_ack { Acknowledged::Open } else { Acknowledged::Nothing });
    }
    cursor.skip_on_line();
    if cursor.eat("...") {
        return Ok(Acknowledged::Open);
    }
    let number = cursor.number("an acknowledgement number")?;
    cursor.eat("!");
    Ok(if has_ack { Acknowledged::Upto(number) } else { Acknowledged::Nothing })
}

fn options(cursor: &mut Cursor<'_>) -> Result<Options, Error> {
    let inside = cursor.take_until(">", "this list of options")?;
    let words = |option: &str| option.split_whitespace().collect::<Vec<_>>().join(" ");
    let all = inside.split(',').map(words).filter(|option| !option.is_empty() && option != "...");
    Ok(Options { all: all.collect() })
}

fn icmp(cursor: &mut Cursor<'_>) -> Result<Icmp, Error> {
    cursor.skip_on_line();
    let kind = cursor.word().to_owned();
    if kind.is_empty() {
        return Err(cursor.expected("a type of ICMP message"));
    }
    let code = cursor.take_while(|c| c != '[' && c != '\n' && c != '/').trim().to_owned();
    let mut about = None;
    if cursor.eat("[") {
        if matches!(cursor.next_word(), "udp" | "sctp" | "udplite") {
            cursor.take_until("]", "what this message is about")?;
            return Ok(Icmp { kind: "about another protocol".to_owned(), code, about });
        }
        about = sequence(cursor)?.first;
        if !cursor.take_until("]", "what this message is about")?.trim().is_empty() {
            return Ok(Icmp { kind: "about another protocol".to_owned(), code, about });
        }
    }
    Ok(Icmp { kind, code, about })
}

fn eat_word(cursor: &mut Cursor<'_>, word: &str) -> bool {
    let there = cursor.next_word() == word;
    if there {
        cursor.skip_on_line();
        cursor.word();
    }
    there
}
