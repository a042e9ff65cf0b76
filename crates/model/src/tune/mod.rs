//! Every setting that touches how TCP connections end: what it really does, and what changing it would do on one host.
//!
//! The settings are one table of data ([`all`]), each row with its source and the test that proves it. What a change
//! would do ([`plan`]) follows from the host's own counts ([`Here`]). Values are checked here; nothing is read, written
//! or asked here.

mod conf;
mod danger;
mod effect;
mod elsewhere;
mod here;
mod linux;
mod plan;
mod setting;
mod sockets;
mod undo;
mod value;

pub use conf::{Conf, MARK};
pub use here::{Counters, Counts, Here};
pub use plan::{Change, Plan, concerns, plan, standing};
pub use setting::{Group, Key, Myth, Place, Proof, Scope, Setting, System};
pub use undo::{Recorded, Undo, undo};
pub use value::{Format, Invalid, Value};

/// Every setting, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    linux::tables().chain(sockets::TABLE).chain(elsewhere::TABLE)
}

/// The settings of that name: `tcp_fin_timeout`, `net.ipv4.tcp_fin_timeout`, `net/ipv4/tcp_fin_timeout`, the path in
/// `/proc/sys`, or a socket option. Several only where systems share a name. The case counts only where it tells two
/// apart (`ip_local_port_range`, `IP_LOCAL_PORT_RANGE`).
pub fn named(text: &str) -> Vec<&'static Setting> {
    let plain = plain(text);
    let exact: Vec<_> = all().filter(|row| row.names().any(|name| name == plain)).collect();
    if !exact.is_empty() {
        return exact;
    }
    all().filter(|row| row.names().any(|name| name.eq_ignore_ascii_case(&plain))).collect()
}

/// The setting whose name is nearest to a misspelt one, if any is near.
pub fn nearest(text: &str) -> Option<&'static Setting> {
    let plain = plain(text).to_lowercase();
    let near = |row: &&Setting| {
        row.names().map(|name| distance(&plain, &name.to_lowercase())).min().unwrap_or(usize::MAX)
    };
    all().min_by_key(near).filter(|row| near(row) <= 1 + plain.len() / 5)
}

/// The name without the ways in which it can be written.
fn plain(text: &str) -> String {
    let text = text.trim().trim_start_matches("/proc/sys/");
    text.trim_matches('/').replace('/', ".")
}

/// How many letters must be changed, added or taken away (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, theirs) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *theirs);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests;
