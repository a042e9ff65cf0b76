//! What a change would do on this host now, from its own counts: who is touched, who is not, and from when on.

mod after_close;
mod silence;

use super::here::Here;
use super::plan::Change;
use super::setting::Key;
use crate::lifetime::TIME_WAIT_MS;

/// What the change would do. Never empty.
pub(super) fn effects(change: &Change, here: &Here, after: &Here) -> Vec<String> {
    match change.key {
        Key::FinTimeout
        | Key::MaxTwBuckets
        | Key::TwReuse
        | Key::TwReuseDelay
        | Key::Rfc1337
        | Key::Timestamps => after_close::effects(change, here, after),
        Key::Retries2
        | Key::OrphanRetries
        | Key::MaxOrphans
        | Key::Memory
        | Key::SynRetries
        | Key::SynLinearTimeouts
        | Key::RtoMin
        | Key::RtoMax => silence::effects(change, here, after),
        Key::KeepaliveTime | Key::KeepaliveInterval | Key::KeepaliveProbes => idle(here, after),
        Key::SynAckRetries | Key::AbortOnOverflow | Key::MigrateRequests | Key::ListenLimit => {
            listening(change, here)
        }
        Key::PortRange | Key::ReservedPorts | Key::UnprivilegedPortStart | Key::AutobindReuse => {
            ports(change, here, after)
        }
    }
}

fn idle(here: &Here, after: &Here) -> Vec<String> {
    let found = |at: &Here| {
        let number = |key, default| at.number(key).unwrap_or(default);
        let pause = number(Key::KeepaliveInterval, 75);
        let probes = number(Key::KeepaliveProbes, 9).saturating_mul(pause);
        seconds(number(Key::KeepaliveTime, 7200).saturating_add(probes).saturating_mul(1000))
    };
    vec![
        format!(
            "a dead peer of an idle connection is found after {}",
            instead(&found(after), &found(here))
        ),
        format!(
            "{} a keepalive timer here now: it fires as it was set, and follows then",
            counted(here.counts.keepalive, "connection has", "connections have")
        ),
    ]
}

fn listening(change: &Change, here: &Here) -> Vec<String> {
    let counts = &here.counts;
    let number = change.wanted.number().unwrap_or_default();
    let overflows = format!(
        "ListenOverflows stands at {}: so often a handshake met a full queue",
        counts.counters.listen_overflows
    );
    match change.key {
        Key::SynAckRetries => vec![
            format!("a handshake that the client does not finish is dropped after {}",
                seconds(((2 << number.min(32)) - 1) * 1000)),
            format!("{} here now; each follows it at its next timeout",
                counted(counts.half_open, "half-open connection is", "half-open connections are")),
        ],
        Key::AbortOnOverflow if number == 0 => {
            vec!["a client that meets a full queue is kept waiting, and tries again".into(), overflows]
        }
        Key::AbortOnOverflow => vec!["a client that meets a full queue is reset".into(), overflows],
        Key::MigrateRequests => vec![
            match number {
                0 => "when a listener closes, the connections in its queue are reset".into(),
                _ => "when a listener closes, the connections in its queue move to another of its SO_REUSEPORT group; \
                      without one they are reset".into(),
            },
            format!("{} in the queues of {} now",
                counted(counts.queued, "connection is", "connections are"),
                counted(counts.listeners, "listener", "listeners")),
            format!("moved so far {}, lost in moving {}", counts.counters.migrated, counts.counters.not_migrated),
        ],
        _ => vec![
            format!("listeners from now on get a queue of {number} at most; the {} here keep theirs until they call \
                     listen() again", counted(counts.listeners, "listener", "listeners")),
            overflows,
        ],
    }
}

fn ports(change: &Change, here: &Here, after: &Here) -> Vec<String> {
    let ((usable, used), (usable_now, used_now)) = (after.budget(), here.budget());
    match change.key {
        Key::PortRange | Key::ReservedPorts => {
            let rate = |ports: u64| (ports / (TIME_WAIT_MS / 1000)).to_string();
            vec![
                format!(
                    "{} ports can be lent; of these {} are in use",
                    instead(&usable.to_string(), &usable_now.to_string()),
                    instead(&used.to_string(), &used_now.to_string())
                ),
                format!(
                    "toward one destination that bears {} new connections a second for ever when this side closes \
                         first",
                    instead(&rate(usable), &rate(usable_now))
                ),
                "connections that are there keep their ports".into(),
            ]
        }
        Key::UnprivilegedPortStart => vec![
            format!(
                "ports from {} on can be bound by anybody",
                instead(&change.wanted.to_string(), &change.present.to_string())
            ),
            "sockets that are bound stay bound".into(),
        ],
        _ => vec![format!(
            "{used_now} of {usable_now} ports that can be lent are in use now: it matters only when all are"
        )],
    }
}

/// A figure, with what it is now where that differs.
fn instead(after: &str, now: &str) -> String {
    if after == now { after.to_owned() } else { format!("{after} (now {now})") }
}

/// `1 TIME_WAIT`, `2 TIME_WAITs`.
pub(super) fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A length of time as people say it.
pub(super) fn seconds(ms: u64) -> String {
    match ms {
        0 => "0 s".into(),
        1..1000 => format!("{ms} ms"),
        1000..10_000 => match ms % 1000 / 100 {
            0 => format!("{} s", ms / 1000),
            tenths => format!("{}.{tenths} s", ms / 1000),
        },
        10_000..120_000 => format!("{} s", ms / 1000),
        120_000..7_200_000 => match ms / 1000 % 60 {
            0 => format!("{} min", ms / 60_000),
            rest => format!("{} min {rest} s", ms / 60_000),
        },
        _ => match ms / 60_000 % 60 {
            0 => format!("{} h", ms / 3_600_000),
            rest => format!("{} h {rest} min", ms / 3_600_000),
        },
    }
}

/// An amount of memory as people say it.
fn bytes(count: u64) -> String {
    match count {
        0..10_240 => format!("{count} bytes"),
        10_240..10_485_760 => format!("{} KiB", count / 1024),
        _ => format!("{} MiB", count / 1_048_576),
    }
}

/// What `tcp_mem` counts in, on nearly every machine.
pub(super) const PAGE: u64 = 4096;
