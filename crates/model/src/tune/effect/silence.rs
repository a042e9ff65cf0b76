//! What a change to the kernel's patience would do here.

use super::{PAGE, bytes, counted, instead, seconds};
use crate::lifetime::retransmission_ms;
use crate::tune::here::Here;
use crate::tune::plan::Change;
use crate::tune::setting::Key;
use crate::tune::value::Value;

pub(super) fn effects(change: &Change, here: &Here, after: &Here) -> Vec<String> {
    let counts = &here.counts;
    let number = change.wanted.number().unwrap_or_default();
    let data = instead(&data(after), &data(here));
    let live = counted(counts.live, "live connection", "live connections");
    match change.key {
        Key::Retries2 => vec![
            format!(
                "a connection whose data is not answered is given up after {data} or a little more"
            ),
            format!(
                "{} unanswered data here now; each follows it at its next timeout",
                counted(counts.unanswered, "connection has", "connections have")
            ),
        ],
        Key::OrphanRetries => vec![
            format!(
                "a closed connection whose data or FIN is not answered is given up after {}",
                instead(&orphan(after), &orphan(here))
            ),
            format!(
                "{} here now; each follows it at its next timeout",
                counted(counts.orphans, "orphan is", "orphans are")
            ),
        ],
        Key::MaxOrphans => vec![match counts.orphans_on_host {
            Some(now) => format!("the host has {now} orphans now, of {number}"),
            None => format!("above {number} orphans on the whole host, more are reset"),
        }],
        Key::Memory => vec![memory(&change.wanted, here)],
        Key::SynRetries | Key::SynLinearTimeouts => vec![
            format!(
                "connect() toward a host that is silent fails after {}",
                instead(&connecting(after), &connecting(here))
            ),
            format!(
                "{} under way here now; each follows it at its next timeout",
                counted(counts.connecting, "attempt is", "attempts are")
            ),
        ],
        Key::RtoMin => vec![
            format!(
                "on sockets made from now on a lost FIN is sent again after {number} us or more"
            ),
            "how long a silent connection lasts does not follow it".into(),
        ],
        _ => vec![
            format!(
                "on sockets made from now on the pause between retransmissions grows to {} at most",
                seconds(number)
            ),
            format!("for these tcp_retries2 lasts {data}"),
            format!("{live}: untouched"),
        ],
    }
}

/// How long data goes unanswered.
fn data(at: &Here) -> String {
    seconds(at.unanswered_ms(at.number(Key::Retries2).unwrap_or(15)))
}

/// The same without a process: 0 stands for 8 (`tcp_orphan_retries`).
fn orphan(at: &Here) -> String {
    let retries = at.number(Key::OrphanRetries).filter(|retries| *retries > 0).unwrap_or(8);
    seconds(at.unanswered_ms(retries))
}

fn connecting(at: &Here) -> String {
    let linear = at.number(Key::SynLinearTimeouts).unwrap_or_default();
    seconds(connecting_ms(at.number(Key::SynRetries).unwrap_or(6), linear))
}

fn memory(wanted: &Value, here: &Here) -> String {
    match (here.counts.memory, wanted) {
        (Some(used), Value::Triple([_, _, most])) => format!(
            "TCP uses {} on the whole host now; the limit is {}",
            bytes(used),
            bytes(most.saturating_mul(PAGE))
        ),
        _ => "what TCP uses now could not be read".into(),
    }
}

/// When `connect()` gives up (`tcp_write_timeout`, `tcp_retransmit_timer`): timeouts 1 s apart until the linear ones are
/// spent, doubling then.
fn connecting_ms(retries: u64, linear: u64) -> u64 {
    let model = retransmission_ms(retries.min(127) as u32, 1000, LONGEST_MS);
    let (mut passed, mut pause, mut sent) = (1000, 1000, 0);
    while sent == 0 || (sent < retries + linear && passed < model) {
        sent += 1;
        if sent > linear {
            pause = (pause * 2).min(LONGEST_MS);
        }
        passed += pause;
    }
    passed
}

/// `TCP_RTO_MAX`.
const LONGEST_MS: u64 = 120_000;
