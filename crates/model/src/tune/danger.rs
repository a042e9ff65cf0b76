//! Values that should not be set: each refusal names its reason, and many depend on what is on the host now.

use super::effect::{PAGE, counted, seconds};
use super::here::Here;
use super::plan::Change;
use super::setting::Key;
use super::value::Value;
use crate::ids::Port;

/// Why the change should not be made. Empty: nothing known stands against it.
pub(super) fn dangers(change: &Change, here: &Here, after: &Here) -> Vec<String> {
    let number = change.wanted.number().unwrap_or_default();
    let reason = match change.key {
        Key::FinTimeout => few_seconds(number),
        Key::MaxTwBuckets => too_few_minisocks(number, here),
        Key::Timestamps => (number == 0).then(|| without_timestamps(after)),
        Key::Retries2 | Key::RtoMax => short_of_r2(change.key, after),
        Key::OrphanRetries => hasty_orphans(number, after),
        Key::MaxOrphans => too_few_orphans(number, here),
        Key::Memory => too_little_memory(&change.wanted, here),
        Key::KeepaliveProbes => (number == 0).then(|| {
            "with 0 probes the kernel resets an idle connection without asking the peer once".into()
        }),
        Key::SynAckRetries => (number == 0)
            .then(|| "with 0 a client whose first answer is lost is dropped after a second".into()),
        Key::AbortOnOverflow => (number == 1).then(|| overflowing(here)).flatten(),
        Key::ListenLimit => (number == 0).then(|| {
            "with 0 a listener started from now on holds one connection in its queue".into()
        }),
        Key::PortRange | Key::ReservedPorts => too_few_ports(here, after),
        Key::UnprivilegedPortStart => exposed(change, here, number),
        Key::TwReuse
        | Key::TwReuseDelay
        | Key::Rfc1337
        | Key::SynRetries
        | Key::SynLinearTimeouts
        | Key::RtoMin
        | Key::KeepaliveTime
        | Key::KeepaliveInterval
        | Key::MigrateRequests
        | Key::AutobindReuse => None,
    };
    reason.into_iter().collect()
}

/// What the kernel's counters say of a present value.
pub(super) fn troubles(key: Key, here: &Here) -> Option<String> {
    let counters = &here.counts.counters;
    match key {
        Key::MaxTwBuckets if counters.time_wait_overflow > 0 => Some(format!(
            "{} closed without a TIME_WAIT since the namespace was made (TCPTimeWaitOverflow)",
            counted(counters.time_wait_overflow, "connection", "connections")
        )),
        Key::MaxOrphans if counters.aborted_for_memory > 0 => Some(format!(
            "{} reset here for the number of orphans, or for want of memory (TCPAbortOnMemory)",
            counted(counters.aborted_for_memory, "connection was", "connections were")
        )),
        _ => None,
    }
}

/// A lost FIN of the peer is sent again after a second, and again after two more.
fn few_seconds(number: u64) -> Option<String> {
    (number < 3).then(|| {
        format!(
            "in {number} s a peer whose FIN is lost may not have sent it again: it would be reset instead of being \
             answered"
        )
    })
}

fn too_few_minisocks(number: u64, here: &Here) -> Option<String> {
    let now = here.counts.minisocks();
    if number == 0 {
        return Some(
            "with 0 no connection gets a TIME_WAIT any more: late segments of a closed connection can reach the next \
             one (RFC 1337)"
                .into(),
        );
    }
    (number <= now).then(|| {
        format!(
            "there are {now} now (TIME_WAIT and FIN_WAIT_2): until they are fewer than {number}, every connection that \
             closes gets no TIME_WAIT, and late segments can reach the next one (RFC 1337)"
        )
    })
}

fn without_timestamps(after: &Here) -> String {
    let reuse = match after.number(Key::TwReuse) {
        Some(0) => "",
        _ => "; tcp_tw_reuse would be without effect, it needs them",
    };
    format!(
        "without timestamps a client that connects again from the same port is refused for a minute, and old segments \
         are not told from new ones{reuse}"
    )
}

/// RFC 9293 §3.8.3 and RFC 1122 §4.2.3.5: R2 shall be at least 100 s.
fn short_of_r2(key: Key, after: &Here) -> Option<String> {
    let lasts = after.unanswered_ms(after.number(Key::Retries2)?);
    let advice = match key {
        Key::RtoMax => "; set tcp_retries2 higher with it",
        _ => "",
    };
    (lasts < R2_MS).then(|| {
        format!(
            "connections would be given up after {} without an answer; the standard asks for 100 s at least (RFC 9293 \
             §3.8.3){advice}",
            seconds(lasts)
        )
    })
}

fn hasty_orphans(number: u64, after: &Here) -> Option<String> {
    let lasts = after.unanswered_ms(number);
    (number > 0 && lasts < 10_000).then(|| {
        format!(
            "what a program wrote before close() would be thrown away after {} without an answer, and nobody is told",
            seconds(lasts)
        )
    })
}

fn too_few_orphans(number: u64, here: &Here) -> Option<String> {
    let now = here.counts.orphans_on_host?;
    (number <= now).then(|| {
        format!("the host has {now} orphans now: with {number}, more are reset with their last data unsent")
    })
}

fn too_little_memory(wanted: &Value, here: &Here) -> Option<String> {
    let Value::Triple([_, _, most]) = wanted else { return None };
    let used = here.counts.memory? / PAGE;
    (*most <= used).then(|| {
        format!(
            "TCP uses {used} pages now: above the limit connections are slowed and orphans reset"
        )
    })
}

fn overflowing(here: &Here) -> Option<String> {
    let times = here.counts.counters.listen_overflows;
    (times > 0).then(|| {
        format!(
            "queues have overflowed {times} times here (ListenOverflows): each of these could become a reset at a client"
        )
    })
}

fn too_few_ports(here: &Here, after: &Here) -> Option<String> {
    let (usable, _) = after.budget();
    let (_, used) = here.budget();
    if usable == 0 {
        return Some("no port would be left: every connect() and bind(0) would fail".into());
    }
    (usable <= used).then(|| {
        format!(
            "{used} lent ports are in use now and {usable} would be left to lend: connect() would fail with \
             EADDRNOTAVAIL toward busy destinations"
        )
    })
}

fn exposed(change: &Change, here: &Here, start: u64) -> Option<String> {
    let newly = start..change.present.number()?;
    let servers = here.counts.listening.iter().filter(|port| newly.contains(&u64::from(port.0)));
    let ports: Vec<String> = servers.map(ToString::to_string).collect();
    let (word, it) = if ports.len() == 1 { ("port", "it") } else { ("ports", "them") };
    (!ports.is_empty()).then(|| {
        let ports = ports.join(", ");
        format!("a server listens on {word} {ports}: any user could take {it} whenever it is down")
    })
}

/// What to keep in mind although nothing stands against the change.
pub(super) fn cautions(change: &Change, here: &Here, after: &Here) -> Vec<String> {
    let number = change.wanted.number().unwrap_or_default();
    let said = match change.key {
        Key::TwReuse if number > 0 && after.number(Key::Timestamps) == Some(0) => {
            "tcp_timestamps is 0: without timestamps it has no effect"
        }
        Key::TwReuse if number == 1 => {
            "it relies on timestamps: where a translator or balancer on the way strips or rewrites them, an old segment \
             can reach a new connection"
        }
        Key::KeepaliveTime | Key::KeepaliveInterval | Key::KeepaliveProbes => {
            "only sockets that set SO_KEEPALIVE follow it"
        }
        Key::RtoMax if number < 60_000 => "RFC 6298 §2.5 asks for 60 s at least",
        Key::RtoMin if number < 40_000 => {
            "peers may delay an acknowledgement by 40 ms and more: segments would be sent again that are not lost"
        }
        Key::MigrateRequests if number == 1 => {
            "a handshake that ends in the instant of the close can still be reset"
        }
        Key::SynRetries if number < 3 => {
            "a peer that is only slow, or one lost segment more, becomes a failure"
        }
        Key::UnprivilegedPortStart if number < 1024 => {
            "any user can take the ports from there on while their servers are down"
        }
        Key::PortRange => {
            return odd_range(after).into_iter().chain(lent_listeners(here, after)).collect();
        }
        _ => return Vec::new(),
    };
    vec![said.into()]
}

/// `connect()` goes through the range in pairs (`__inet_hash_connect`); the kernel's log asks for different parity.
fn odd_range(after: &Here) -> Option<String> {
    let range = after.port_range();
    let is_odd = (range.high.0 - range.low.0).is_multiple_of(2) && range.low != range.high;
    is_odd.then(|| "the number of ports is odd: each connect() leaves one of them untried".into())
}

/// Ports that are listened on and that the kernel could lend to a client while the server is down.
fn lent_listeners(here: &Here, after: &Here) -> Option<String> {
    let (range, reserved) = (after.port_range(), after.reserved());
    let lent = |port: &&Port| range.contains(**port) && !reserved.contains(**port);
    let ports: Vec<String> =
        here.counts.listening.iter().filter(lent).map(ToString::to_string).collect();
    let more = if ports.len() > 6 { ",..." } else { "" };
    (!ports.is_empty()).then(|| {
        format!(
            "{} in the range: the kernel may lend one to a client while its server is down; reserve with \
             ip_local_reserved_ports={}{more}",
            counted(ports.len() as u64, "listening port is", "listening ports are"),
            ports[..ports.len().min(6)].join(",")
        )
    })
}

/// RFC 1122 §4.2.3.5.
const R2_MS: u64 = 100_000;
