//! `/proc/PID/stat` and `/proc/PID/status`, read by pure functions.

use super::Capability;
use lastack_model::ids::Pid;

/// The fields of `/proc/PID/stat` that tell one process from another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stat {
    /// The short name, which may hold spaces and parentheses.
    pub name: String,
    /// The parent.
    pub parent: Pid,
    /// The process group.
    pub group: Pid,
    /// The session.
    pub session: Pid,
    /// Whether it has a controlling terminal: somebody sits there, or did when it was started.
    pub has_terminal: bool,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// Who a process is to the permission checks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Credentials {
    /// The filesystem uid, which new sockets carry.
    pub uid: u32,
    /// The filesystem gid.
    pub gid: u32,
    /// The effective capabilities, as a mask.
    pub capabilities: u64,
}

impl Credentials {
    /// True when it has the capability.
    pub const fn has(&self, capability: Capability) -> bool {
        self.capabilities & (1 << capability as u64) != 0
    }
}

/// Reads the line of `/proc/PID/stat`.
pub fn parse_stat(text: &str) -> Option<Stat> {
    let open = text.find('(')?;
    let close = text.rfind(')')?;
    let name = text.get(open + 1..close)?.to_owned();
    let mut fields = text.get(close + 1..)?.split_ascii_whitespace();
    let parent = Pid(fields.nth(1)?.parse().ok()?);
    let group = Pid(fields.next()?.parse().unwrap_or_default());
    let session = Pid(fields.next()?.parse().unwrap_or_default());
    let has_terminal = fields.next()? != "0";
    let start_ticks = fields.nth(14)?.parse().ok()?;
    Some(Stat { name, parent, group, session, has_terminal, start_ticks })
}

/// Reads `/proc/PID/status`.
pub fn parse_credentials(text: &str) -> Option<Credentials> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let filesystem = |name: &str| field(name)?.split_ascii_whitespace().nth(3)?.parse().ok();
    Some(Credentials {
        uid: filesystem("Uid:")?,
        gid: filesystem("Gid:")?,
        capabilities: u64::from_str_radix(field("CapEff:")?.trim(), 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) b (c)) S 7 40 39 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 9 9";
        let stat = parse_stat(line).expect("a line of stat");
        assert_eq!(stat.name, "a) b (c)");
        assert_eq!((stat.parent, stat.group, stat.session), (Pid(7), Pid(40), Pid(39)));
        assert_eq!((stat.has_terminal, stat.start_ticks), (false, 987_654));
        let line = line.replace(" 39 0 ", " 39 34816 ");
        assert!(parse_stat(&line).expect("a line of stat").has_terminal);
    }

    #[test]
    fn the_filesystem_user_is_the_fourth() {
        let text = "Name:\tx\nUid:\t0\t1\t2\t1000\nGid:\t0\t0\t0\t100\nCapEff:\t0000000000000400\n";
        let credentials = parse_credentials(text).expect("a status");
        assert_eq!((credentials.uid, credentials.gid), (1000, 100));
        assert!(credentials.has(Capability::NetBindService));
        assert!(!credentials.has(Capability::NetAdmin));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "[0-9a-zA-Z() :\t\n-]{0,200}") {
            let _ = parse_stat(&text);
            let _ = parse_credentials(&text);
        }
    }
}
