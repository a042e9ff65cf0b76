//! What a change to `TIME_WAIT` and `FIN_WAIT_2` would do here.

use super::{bytes, counted, seconds};
use crate::tune::here::Here;
use crate::tune::plan::Change;
use crate::tune::setting::Key;

pub(super) fn effects(change: &Change, here: &Here, after: &Here) -> Vec<String> {
    let number = change.wanted.number().unwrap_or_default();
    let waits = here_now(here.counts.time_wait);
    match change.key {
        Key::FinTimeout => fin_timeout(number, here),
        Key::MaxTwBuckets => max_tw_buckets(number, here),
        Key::TwReuse => tw_reuse(number, here, after),
        Key::TwReuseDelay => vec![format!(
            "connect() may take over a TIME_WAIT older than {}, as far as tcp_tw_reuse ({}) allows; {waits}",
            seconds(number),
            after.number(Key::TwReuse).unwrap_or_default()
        )],
        Key::Rfc1337 if number == 0 => vec![format!(
            "a reset with the exact sequence number ends a TIME_WAIT at once; {waits}"
        )],
        Key::Rfc1337 => vec![format!("no reset ends a TIME_WAIT before its time; {waits}")],
        _ => vec![
            match number {
                0 => "connections made from now on go without timestamps".into(),
                _ => "connections made from now on carry timestamps".into(),
            },
            format!(
                "{} and {} here: untouched",
                counted(here.counts.live, "live connection", "live connections"),
                counted(here.counts.time_wait, "TIME_WAIT", "TIME_WAITs")
            ),
        ],
    }
}

fn fin_timeout(number: u64, here: &Here) -> Vec<String> {
    let (orphans, held) = (here.counts.fin_wait_2_orphans, here.counts.fin_wait_2_held);
    let keep = match orphans {
        0 => "",
        1 => ": it keeps the time it began with",
        _ => ": they keep the time they began with",
    };
    let mut said = vec![
        format!(
            "FIN_WAIT_2 without a process lasts {number} s, for connections that close from now on"
        ),
        format!("{}{keep}", here_now(orphans)),
        format!(
            "TIME_WAIT stays at 60 s; {} here: untouched",
            counted(here.counts.time_wait, "TIME_WAIT", "TIME_WAITs")
        ),
    ];
    if held > 0 {
        said.push(format!(
            "{held} in FIN_WAIT_2 held by a process: untouched, nothing limits them"
        ));
    }
    said
}

fn max_tw_buckets(number: u64, here: &Here) -> Vec<String> {
    let now = here.counts.minisocks();
    let mut said = vec![match number.checked_sub(now) {
        Some(room) if room > 0 => format!("{now} of {number} are in use now: room for {room} more"),
        _ => format!(
            "{now} are in use now: none is removed, and none is made before there are fewer than {number}"
        ),
    }];
    if let Some(each) = here.counts.time_wait_bytes {
        let all = bytes(each.saturating_mul(number));
        said.push(format!("all {number} would take {all} of kernel memory"));
    }
    said.push(format!(
        "TCPTimeWaitOverflow stands at {}: so many connections got no TIME_WAIT since the namespace was made",
        here.counts.counters.time_wait_overflow
    ));
    said
}

fn tw_reuse(number: u64, here: &Here, after: &Here) -> Vec<String> {
    let delay = seconds(after.number(Key::TwReuseDelay).unwrap_or(1000));
    let waits = here_now(here.counts.time_wait);
    let connect = match number {
        0 => format!("connect() leaves a TIME_WAIT alone for its 60 s; {waits}"),
        1 => format!(
            "connect() may take over a TIME_WAIT that is older than {delay} and carries timestamps; {waits}"
        ),
        _ => format!(
            "connect() may take over a TIME_WAIT on loopback that is older than {delay} and carries timestamps; {waits}"
        ),
    };
    vec![
        connect,
        "bind() and servers: no difference, they need SO_REUSEADDR".into(),
        format!("TWRecycled stands at {}", here.counts.counters.time_wait_recycled),
    ]
}

fn here_now(count: u64) -> String {
    match count {
        0 => "none is here now".into(),
        1 => "1 is here now".into(),
        n => format!("{n} are here now"),
    }
}
