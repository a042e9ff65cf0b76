//! How long a socket goes on holding its port, when nobody acts.
//!
//! The kernel shows a timer, not an end: what follows the timer depends on the peer. So every answer is a span, and
//! says whether it was read from a timer or worked out from the retransmission settings.

use crate::facts::{Expiry, Host, Kind, Socket, SocketGroup, Sysctls, TimerKind};
use crate::state::State;

/// How long a group of alike sockets holds its port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Lifetime {
    /// It ends by itself.
    Ends(Span),
    /// It lasts as long as a program keeps it open.
    WhileHeld,
    /// A program keeps it open, but the connection itself is being given up: the peer does not answer.
    WhileHeldPeerSilent(Span),
    /// Nothing ends it: no timer runs and no program can close it.
    Never,
}

/// A span of time until something ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Span {
    /// Milliseconds: not before, as far as the timer shows.
    pub least_ms: u64,
    /// Milliseconds: not after.
    pub most_ms: u64,
    /// Where the numbers come from.
    pub source: SpanSource,
    /// What may happen before the end and prolong it, `most_ms` included.
    pub prolonged_by: Option<Prolonged>,
}

/// Where a span comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SpanSource {
    /// The kernel's own timer.
    Timer,
    /// Worked out from the retransmission settings: an estimate. Where the network reports the peer as unreachable, the
    /// back-off is taken back (RFC 6069) and the end comes sooner.
    Retransmission,
}

/// What prolongs a span.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Prolonged {
    /// The peer closes before the end: a full `TIME_WAIT` starts then.
    PeerCloses,
    /// The peer acknowledges: `FIN_WAIT_2` and perhaps `TIME_WAIT` follow.
    PeerAcknowledges,
}

/// How long this group holds its port on that host.
pub fn lifetime(group: &SocketGroup, host: &Host) -> Lifetime {
    let socket = &group.example;
    let settings = &host.sysctls;
    match socket.kind {
        Kind::Minisock | Kind::Request => minisock(socket, group.expiry),
        Kind::Full if socket.is_orphan() => orphan(socket, group.expiry, settings),
        Kind::Full => held(socket, settings),
    }
}

fn minisock(socket: &Socket, expiry: Option<Expiry>) -> Lifetime {
    let last = u64::from(expiry.map_or(0, |expiry| expiry.last_ms));
    let (prolonged_by, extra) = match socket.state {
        State::FinWait2 => (Some(Prolonged::PeerCloses), TIME_WAIT_MS),
        _ => (None, 0),
    };
    Lifetime::Ends(Span {
        least_ms: last,
        most_ms: last + extra + TIMER_SLACK_MS,
        source: SpanSource::Timer,
        prolonged_by,
    })
}

/// A full socket that its program has closed.
fn orphan(socket: &Socket, expiry: Option<Expiry>, settings: &Sysctls) -> Lifetime {
    let timer = u64::from(expiry.map_or(0, |expiry| expiry.last_ms));
    match socket.state {
        // tcp_keepalive_timer: what exceeds a minute is spent as a full socket, the last minute as a minisock.
        State::FinWait2 => Lifetime::Ends(Span {
            least_ms: timer,
            most_ms: timer + 2 * TIME_WAIT_MS + TIMER_SLACK_MS,
            source: SpanSource::Timer,
            prolonged_by: Some(Prolonged::PeerCloses),
        }),
        State::FinWait1 | State::Closing => {
            let after = u64::from(settings.fin_timeout_s) * 1000 + TIME_WAIT_MS;
            gives_up(socket, orphan_limit(settings), Some(Prolonged::PeerAcknowledges), after)
        }
        State::LastAck => gives_up(socket, orphan_limit(settings), None, 0),
        State::SynSent => gives_up(socket, syn_limit(settings), None, 0),
        // Accepted by the kernel, waiting in the queue of a listener: ends with it.
        State::Established | State::CloseWait | State::SynReceived => Lifetime::WhileHeld,
        State::TimeWait => minisock(socket, expiry),
        State::Listen | State::Closed => Lifetime::Never,
    }
}

fn held(socket: &Socket, settings: &Sysctls) -> Lifetime {
    let silent = socket.timer.retransmits > 0
        && matches!(socket.timer.kind, TimerKind::Retransmit | TimerKind::Probe);
    let limit = match socket.state {
        State::SynSent => syn_limit(settings),
        _ => limit(settings.retries2, RTO_MIN_MS, settings),
    };
    match gives_up(socket, limit, None, 0) {
        Lifetime::Ends(span) if silent => Lifetime::WhileHeldPeerSilent(span),
        _ => Lifetime::WhileHeld,
    }
}

/// How long the kernel retransmits without an answer.
#[derive(Clone, Copy)]
struct Limit {
    retries: u8,
    /// Once the interval has reached its maximum, the peer counts as dead (`tcp_orphan_retries`).
    dead_at_maximum: bool,
    base_ms: u64,
    /// `tcp_rto_max`.
    longest_ms: u64,
}

fn orphan_limit(settings: &Sysctls) -> Limit {
    match settings.orphan_retries {
        0 => Limit { dead_at_maximum: true, ..limit(8, RTO_MIN_MS, settings) },
        retries => limit(retries, RTO_MIN_MS, settings),
    }
}

fn syn_limit(settings: &Sysctls) -> Limit {
    let retries = settings.syn_retries.saturating_add(settings.syn_linear_timeouts);
    limit(retries, SYN_RTO_MS, settings)
}

/// The kernel takes no `tcp_rto_max_ms` below a second; a file of facts may hold any.
fn limit(retries: u8, base_ms: u64, settings: &Sysctls) -> Limit {
    let longest_ms = u64::from(settings.rto_max_ms).max(base_ms);
    Limit { retries, dead_at_maximum: false, base_ms, longest_ms }
}

/// When retransmission without an answer ends (`tcp_write_timeout`, `retransmits_timed_out`).
///
/// The kernel gives up at the first timeout at which `tcp_model_timeout` has passed since the first retransmission.
/// When that was is not shown; the intervals double, so it follows from the present one and their number.
fn gives_up(
    socket: &Socket,
    limit: Limit,
    prolonged_by: Option<Prolonged>,
    after_ms: u64,
) -> Lifetime {
    let budget = model_timeout_ms(limit);
    let sent = u32::from(socket.timer.retransmits);
    let first = limit.base_ms;
    let mut interval = socket
        .traffic
        .map_or_else(|| first << sent.min(16), |traffic| u64::from(traffic.rto_ms))
        .clamp(1, limit.longest_ms);
    let mut left = u64::from(socket.timer.remaining_ms);
    let mut elapsed = elapsed_at_timeout(interval, sent, limit);
    loop {
        let dead = limit.dead_at_maximum && interval >= limit.longest_ms;
        let retransmitted = sent > 0 || elapsed > 0;
        if retransmitted && (dead || elapsed >= budget) {
            break;
        }
        interval = (interval * 2).min(limit.longest_ms);
        elapsed += interval;
        left += interval;
    }
    Lifetime::Ends(Span {
        least_ms: left,
        most_ms: left + left / WHEEL_LATENESS + after_ms + TIMER_SLACK_MS,
        source: SpanSource::Retransmission,
        prolonged_by,
    })
}

/// Milliseconds from the first retransmission to the next timeout, which ends the present interval.
fn elapsed_at_timeout(interval: u64, sent: u32, limit: Limit) -> u64 {
    let Limit { base_ms, longest_ms, .. } = limit;
    if sent == 0 {
        0
    } else if interval < longest_ms {
        2 * (interval - (interval >> sent.min(63)))
    } else {
        (1..=sent).map(|n| (base_ms << n.min(16)).min(longest_ms)).sum()
    }
}

fn model_timeout_ms(limit: Limit) -> u64 {
    retransmission_ms(limit.retries.into(), limit.base_ms, limit.longest_ms)
}

/// `tcp_model_timeout`: the sum of so many intervals that double from the first up to the longest, and one more.
pub const fn retransmission_ms(retries: u32, first_ms: u64, longest_ms: u64) -> u64 {
    let doublings = match (longest_ms / first_ms).checked_ilog2() {
        Some(doublings) => doublings,
        None => 0,
    };
    if retries <= doublings {
        ((2 << retries) - 1) * first_ms
    } else {
        ((2 << doublings) - 1) * first_ms + (retries - doublings) as u64 * longest_ms
    }
}

/// `TCP_TIMEWAIT_LEN`.
pub const TIME_WAIT_MS: u64 = 60_000;
/// How far a minisock may outlive the expiry it shows: the timer wheel's slack on a minute's timer, as measured.
pub const TIMER_SLACK_MS: u64 = 3_000;
/// `TCP_RTO_MIN`.
const RTO_MIN_MS: u64 = 200;
/// A timer of the wheel fires late by up to an eighth of its length.
const WHEEL_LATENESS: u64 = 8;
/// `TCP_TIMEOUT_INIT`.
const SYN_RTO_MS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Timer, Traffic, Transport};

    fn unanswered(retransmits: u8, rto_ms: u32, remaining_ms: u32) -> Socket {
        let local = "10.0.0.1:80".parse().expect("an address");
        let timer = Timer { kind: TimerKind::Retransmit, remaining_ms, retransmits };
        let traffic = Some(Traffic { rto_ms, ..Traffic::default() });
        Socket { state: State::FinWait1, timer, traffic, ..Socket::closed(Transport::Tcp, local) }
    }

    fn about(lifetime: Lifetime) -> u64 {
        match lifetime {
            Lifetime::Ends(span) => span.least_ms,
            other => panic!("{other:?} does not end by itself"),
        }
    }

    #[test]
    fn the_modelled_timeouts_are_the_documented_ones() {
        let settings = Sysctls::default();
        let timeout = |retries, base_ms| model_timeout_ms(limit(retries, base_ms, &settings));
        assert_eq!(timeout(15, RTO_MIN_MS), 924_600, "tcp_retries2 = 15");
        assert_eq!(timeout(8, RTO_MIN_MS), 102_200, "eight retries of an orphan");
        assert_eq!(timeout(6, SYN_RTO_MS), 127_000, "tcp_syn_retries = 6");
    }

    #[test]
    fn an_orphan_whose_fin_is_never_acknowledged_ends_after_about_105_s() {
        let fresh = gives_up(&unanswered(0, 204, 204), orphan_limit(&Sysctls::default()), None, 0);
        assert_eq!(about(fresh), 204 * 511, "measured as 106.6 s in all");
    }

    #[test]
    fn what_is_left_shrinks_as_retransmissions_pass() {
        let settings = Sysctls { orphan_retries: 2, ..Sysctls::default() };
        let at = |sent, rto| {
            about(gives_up(&unanswered(sent, rto, rto), orphan_limit(&settings), None, 0))
        };
        assert_eq!(at(0, 204), 204 + 408 + 816 + 1632);
        assert_eq!(at(1, 408), 408 + 816 + 1632);
        assert_eq!(at(3, 1632), 1632);
    }

    #[test]
    fn a_shorter_longest_interval_ends_retransmission_sooner() {
        let settings = Sysctls { rto_max_ms: 1_000, ..Sysctls::default() };
        let orphan = gives_up(&unanswered(0, 200, 200), orphan_limit(&settings), None, 0);
        assert_eq!(about(orphan), 200 + 400 + 800 + 1_000, "it counts as dead at the longest");
        let none = Sysctls { rto_max_ms: 0, ..Sysctls::default() };
        gives_up(&unanswered(0, 200, 200), orphan_limit(&none), None, 0);
    }

    #[test]
    fn an_orphan_at_the_longest_interval_ends_at_its_next_timeout() {
        let late =
            gives_up(&unanswered(12, 120_000, 7_000), orphan_limit(&Sysctls::default()), None, 0);
        assert_eq!(about(late), 7_000);
    }
}
