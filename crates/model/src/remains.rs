//! What remains of closed connections, and what ending it early risks.
//!
//! `TIME_WAIT` answers a peer that missed the last acknowledgement and keeps late segments of the old connection out of
//! the next one between the same addresses and ports (RFC 9293 §3.6.1, RFC 1337). Whether that is needed depends on the
//! path and on the peer, which no dump shows; so a [`Risk`] says what is known and names what is not. It never says
//! that nothing can happen.

use crate::facts::{Host, Kind, Socket, SocketGroup};
use crate::lifetime::TIME_WAIT_MS;
use crate::state::State;
use std::net::{IpAddr, SocketAddr};

/// What ending a group of alike sockets early risks; the later in this list, the worse.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Risk {
    /// `TIME_WAIT` whose both ends are addresses of this host. Shown by
    /// `lab/tests/early_end/harmless.rs::on_one_host_nothing_is_left_that_could_be_late`.
    BothEndsHere,
    /// `TIME_WAIT` toward another host, with timestamps in use here: a late segment is refused if the peer uses them
    /// too. Shown by `lab/tests/early_end/late.rs::with_timestamps_the_late_segment_is_refused`.
    TimestampsHere,
    /// `TIME_WAIT` toward another host, with timestamps off here: a late segment can be taken for data of the next
    /// connection. Shown by
    /// `lab/tests/early_end/late.rs::a_late_segment_is_read_as_data_of_the_next_connection`.
    NoTimestamps,
    /// `FIN_WAIT_2` without a process: the peer has not closed. Shown by
    /// `lab/tests/early_end/fin_wait_2.rs::a_peer_that_closes_later_is_reset`.
    PeerHasNotClosed,
    /// The same while it is still a whole socket, as with `tcp_fin_timeout` above 60 s. Shown by
    /// `lab/tests/early_end/fin_wait_2.rs::a_peer_of_a_whole_socket_is_reset_at_once`.
    PeerIsResetAtOnce,
    /// Not the remains of a closed connection, so this module knows nothing of it.
    NotRemains,
}

/// What ending these sockets early risks on that host. Where the members of a group differ in what can be seen, or not
/// all of their remote ends were kept, the answer is the one of the worst.
pub fn risk(group: &SocketGroup, host: &Host) -> Risk {
    let socket = &group.example;
    match socket.kind {
        Kind::Minisock => minisock(group, host),
        Kind::Full if socket.is_orphan() && socket.state == State::FinWait2 => {
            Risk::PeerIsResetAtOnce
        }
        Kind::Full | Kind::Request => Risk::NotRemains,
    }
}

/// Milliseconds that every `TIME_WAIT` of the group has lasted at least, or `None` for other sockets.
///
/// Each segment that the peer repeats starts the wait anew (`tcp_timewait_state_process`), so it may be longer since
/// the connection ended. A segment that was sent before and is later than this can still arrive.
pub fn waited_ms(group: &SocketGroup) -> Option<u64> {
    let socket = &group.example;
    let waits = socket.kind == Kind::Minisock && socket.state == State::TimeWait;
    let expiry = group.expiry.filter(|_| waits)?;
    Some(TIME_WAIT_MS.saturating_sub(u64::from(expiry.last_ms)))
}

impl Risk {
    /// What may happen when they are ended now.
    pub const fn words(self) -> &'static str {
        match self {
            Self::BothEndsHere => {
                "both ends are on this host, where no segment is late unless something on it \
                 holds one back"
            }
            Self::TimestampsHere => {
                "a peer that missed the last acknowledgement is reset; a late segment is kept out \
                 of the next connection between the same addresses and ports by timestamps, if \
                 the peer uses them too"
            }
            Self::NoTimestamps => {
                "a peer that missed the last acknowledgement is reset; timestamps are off here, so \
                 a late segment can be taken for data of the next connection between the same \
                 addresses and ports"
            }
            Self::PeerHasNotClosed => {
                "the peer has not closed: when it does, it is reset instead of acknowledged; data \
                 it sends is refused either way"
            }
            Self::PeerIsResetAtOnce => {
                "the peer has not closed and is reset at once; data it sends is refused either way"
            }
            Self::NotRemains => "it is no remains of a closed connection",
        }
    }

    /// What would have to be known to say more, and does not show.
    pub const fn unseen(self) -> Option<&'static str> {
        match self {
            Self::BothEndsHere => Some("whether the other end is gone was not looked at"),
            Self::TimestampsHere => Some(
                "whether the closed connection used timestamps, and how late a segment can be, \
                 does not show",
            ),
            Self::NoTimestamps => Some("how late a segment can be does not show"),
            Self::PeerHasNotClosed | Self::PeerIsResetAtOnce => {
                Some("whether the peer is still there does not show")
            }
            Self::NotRemains => None,
        }
    }

    /// Where the rule comes from.
    pub const fn source(self) -> &'static str {
        match self {
            Self::BothEndsHere | Self::NoTimestamps => "RFC 9293 §3.6.1, RFC 1337 §1",
            Self::TimestampsHere => "RFC 7323 §5, RFC 6191 §2, tcp_paws_discard",
            Self::PeerHasNotClosed => "tcp_timewait_state_process, tcp_v4_send_reset",
            Self::PeerIsResetAtOnce => "tcp_abort, tcp_need_reset",
            Self::NotRemains => "inet_timewait_sock",
        }
    }
}

fn minisock(group: &SocketGroup, host: &Host) -> Risk {
    match group.example.state {
        State::TimeWait if both_ends_here(group, host) => Risk::BothEndsHere,
        State::TimeWait if host.sysctls.timestamps == 0 => Risk::NoTimestamps,
        State::TimeWait => Risk::TimestampsHere,
        State::FinWait2 => Risk::PeerHasNotClosed,
        // The kernel keeps no minisock in any other state (`tcp_time_wait`).
        State::Listen
        | State::SynSent
        | State::SynReceived
        | State::Established
        | State::FinWait1
        | State::CloseWait
        | State::Closing
        | State::LastAck
        | State::Closed => Risk::NotRemains,
    }
}

/// True only when it is certain for every member: a group keeps a few of its remote ends.
fn both_ends_here(group: &SocketGroup, host: &Host) -> bool {
    let Socket { local, device, .. } = &group.example;
    // Bound to an interface it may speak to another host that bears the same address (VRF).
    if device.is_some() {
        return false;
    }
    // What is sent from a loopback address cannot leave the host (RFC 1122 §3.2.1.3 (g), RFC 4291 §2.5.3).
    if canonical(*local).is_loopback() {
        return true;
    }
    let all_kept = group.remotes.len() as u64 == group.count;
    let own = host.own_addresses();
    let is_ours = |remote: &SocketAddr| {
        let address = canonical(*remote);
        address.is_loopback() || own.contains(&address)
    };
    all_kept && group.remotes.iter().all(is_ours)
}

fn canonical(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}

#[cfg(test)]
mod tests;
