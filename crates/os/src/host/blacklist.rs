//! `/etc/bindresvport.blacklist`: reserved ports that programs leave alone when they choose one themselves.
//!
//! libtirpc and the C library of some systems read it; those that do not lend out the ports of services that start later.

use crate::{Error, Result};
use lastack_model::ids::Port;
use std::collections::BTreeSet;
use std::io;

/// What the file says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Blacklist {
    /// Ports to leave alone.
    pub ports: BTreeSet<Port>,
    /// Lines that say nothing that could be understood, counted from 1, made printable. They are left out.
    pub ignored: Vec<(usize, String)>,
}

/// Reads the file of this host; one that is missing says nothing.
pub fn blacklist() -> Result<Blacklist> {
    match std::fs::read(BLACKLIST) {
        Ok(octets) => Ok(parse_blacklist(&String::from_utf8_lossy(&octets))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Blacklist::default()),
        Err(cause) => Err(Error::new("read", BLACKLIST, cause)),
    }
}

/// One port a line; `#` begins a comment. A number with a leading 0 would be octal to libtirpc (`load_blacklist` calls
/// `strtoul` with base 0) and decimal to its author, so it counts as not understood.
pub fn parse_blacklist(text: &str) -> Blacklist {
    let mut list = Blacklist::default();
    for (index, line) in text.lines().enumerate() {
        let said = line.split('#').next().unwrap_or_default().trim();
        if said.is_empty() {
            continue;
        }
        let is_decimal = said.bytes().all(|octet| octet.is_ascii_digit()) && !said.starts_with('0');
        match said.parse() {
            Ok(port) if is_decimal => {
                list.ports.insert(Port(port));
            }
            _ => {
                let printable = said.escape_debug().take(LONGEST).collect();
                list.ignored.push((index + 1, printable));
            }
        }
    }
    list
}

/// The file.
pub const BLACKLIST: &str = "/etc/bindresvport.blacklist";
const LONGEST: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ports_comments_blanks_and_what_is_neither_are_told_apart() {
        let text = "# services\n631\t# cups\n\n  993  \r\n0631\n0x10\n65536\nhttp\n-1\n631\n";
        let list = parse_blacklist(text);
        assert_eq!(list.ports, [Port(631), Port(993)].into());
        let lines: Vec<usize> = list.ignored.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [5, 6, 7, 8, 9]);
        assert_eq!(list.ignored[3].1, "http");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ports in proptest::collection::btree_set(1..u16::MAX, 0..20)) {
            let lines: Vec<String> = ports.iter().map(|port| format!("{port} # a service")).collect();
            let text = lines.join("\n");
            let list = parse_blacklist(&text);
            prop_assert_eq!(list.ports, ports.into_iter().map(Port).collect());
            prop_assert_eq!(list.ignored, []);
        }

        #[test]
        fn no_text_makes_the_reader_panic_and_each_line_counts_once(text in "\\PC{0,60}|[0-9#\n ]{0,60}") {
            let list = parse_blacklist(&text);
            prop_assert!(list.ports.len() + list.ignored.len() <= text.lines().count());
        }
    }
}
