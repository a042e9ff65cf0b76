//! What a change of a setting would act on: sockets by state, the kernel's counters, and the memory of a `TIME_WAIT`.
//!
//! One dump of the sockets and three small files. What a user may not read is left out and said.

use crate::sock_diag::{self, Filter};
use crate::{Error, Result};
use lastack_model::facts::{Transport, Unseen};
use lastack_model::tune::{Counters, Counts};
use std::fs;
use std::io::ErrorKind;

/// Counts the sockets of the calling thread's network namespace, and what else the kernel says of them.
pub fn counts() -> Result<(Counts, Vec<Unseen>)> {
    let dump = sock_diag::fold(&Filter::all(Transport::Tcp), |counts: &mut Counts, socket| {
        counts.add(&socket);
    })?;
    let (mut counts, mut unseen) = (dump.folded, dump.unseen);
    let sockstat = own_table("sockstat")?;
    counts.orphans_on_host = field(&sockstat, "TCP:", "orphan");
    let page = rustix::param::page_size() as u64;
    counts.memory = field(&sockstat, "TCP:", "mem").map(|pages| pages.saturating_mul(page));
    counts.counters = counters(&own_table("netstat")?);
    match fs::read_to_string(SLABS) {
        Ok(slabs) => counts.time_wait_bytes = time_wait_bytes(&slabs),
        Err(cause) => unseen.push(Unseen {
            what: "the memory that one TIME_WAIT takes".into(),
            why: match cause.kind() {
                ErrorKind::PermissionDenied => format!("{SLABS} is readable by root only"),
                _ => format!("{SLABS}: {cause}"),
            },
            remedy: "run as root".into(),
        }),
    }
    Ok((counts, unseen))
}

fn own_table(name: &str) -> Result<String> {
    let path = format!("/proc/thread-self/net/{name}");
    fs::read_to_string(&path).map_err(|cause| Error::new("read", path, cause))
}

/// A number of `/proc/net/sockstat`, whose lines are `TCP: inuse 1 orphan 0 ...`.
fn field(table: &str, line: &str, name: &str) -> Option<u64> {
    let words = table.lines().find_map(|text| text.strip_prefix(line))?;
    let mut words = words.split_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

fn counters(netstat: &str) -> Counters {
    let count = |name| counter(netstat, "TcpExt:", name).unwrap_or_default();
    Counters {
        time_wait_overflow: count("TCPTimeWaitOverflow"),
        time_wait_recycled: count("TWRecycled"),
        listen_overflows: count("ListenOverflows"),
        given_up: count("TCPAbortOnTimeout"),
        aborted_for_memory: count("TCPAbortOnMemory"),
        migrated: count("TCPMigrateReqSuccess"),
        not_migrated: count("TCPMigrateReqFailure"),
    }
}

/// A number of `/proc/net/netstat`, where a line of names stands above a line of numbers.
fn counter(table: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = table.lines().filter_map(|line| line.strip_prefix(group));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|word| word == name)?;
    numbers.split_whitespace().nth(at)?.parse().ok()
}

/// The larger of what a `TIME_WAIT` of either family takes: `tw_sock_TCP ACTIVE ALL SIZE ...`.
fn time_wait_bytes(slabs: &str) -> Option<u64> {
    let size = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().filter(|name| name.starts_with("tw_sock_TCP"))?;
        words.nth(2)?.parse().ok()
    };
    slabs.lines().filter_map(size).max()
}

const SLABS: &str = "/proc/slabinfo";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::namespace::enter_fresh_network;
    use proptest::prelude::*;

    #[test]
    fn the_counts_are_those_of_the_calling_threads_namespace() {
        enter_fresh_network();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let (counts, unseen) = counts().expect("counts");
        let port = listener.local_addr().expect("an address").port();
        assert_eq!(counts.listening.iter().map(|port| port.0).collect::<Vec<_>>(), [port]);
        assert_eq!((counts.listeners, counts.time_wait), (1, 0));
        assert_eq!(counts.counters, Counters::default());
        assert!(counts.orphans_on_host.is_some() && counts.memory.is_some());
        let each = counts.time_wait_bytes.unwrap_or_else(|| panic!("root reads it: {unseen:?}"));
        assert!((100..1000).contains(&each), "{each}");
    }

    #[test]
    fn the_tables_are_read_by_their_names() {
        let sockstat = "sockets: used 13\nTCP: inuse 1 orphan 4 tw 2 alloc 1 mem 83\n";
        assert_eq!(field(sockstat, "TCP:", "orphan"), Some(4));
        assert_eq!(field(sockstat, "TCP:", "mem"), Some(83));
        assert_eq!(field(sockstat, "UDP:", "mem"), None);
        let netstat = "TcpExt: A TCPTimeWaitOverflow\nTcpExt: 1 7\nIpExt: A\nIpExt: 2\n";
        assert_eq!(counters(netstat).time_wait_overflow, 7);
        let slabs = "tw_sock_TCPv6  144 224 264 16 1 : x\ntw_sock_TCP  240 304 256 16 1 : x\n";
        assert_eq!(time_wait_bytes(slabs), Some(264));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in "(TCP: |TcpExt:|tw_sock_TCP |[a-z0-9 \n]){0,30}") {
            let _ = field(&text, "TCP:", "mem");
            let _ = time_wait_bytes(&text);
            prop_assert_eq!(counters(&text).migrated, counters(&text).migrated);
        }
    }
}
