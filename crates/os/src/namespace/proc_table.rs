//! One line of `/proc/PID/net/{tcp,udp}{,6}`, read by a pure function that survives any text.
//!
//! The poor relative of a dump: no cookie, control group, device or `V6ONLY`, and no bound socket that is neither
//! connected nor listening.

use crate::connection;
use lastack_model::facts::{Family, Kind, Socket, Timer, TimerKind, Transport};
use lastack_model::ids::{Inode, Uid};
use lastack_model::state::State;
use lastack_model::truth::Truth;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One of the four tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Table {
    transport: Transport,
    family: Family,
}

impl Table {
    /// Both tables of a transport.
    pub const fn of(transport: Transport) -> [Self; 2] {
        [Self { transport, family: Family::V4 }, Self { transport, family: Family::V6 }]
    }

    /// Where it lies below `/proc/PID`.
    pub const fn file(self) -> &'static str {
        match (self.transport, self.family) {
            (Transport::Tcp, Family::V4) => "net/tcp",
            (Transport::Tcp, Family::V6) => "net/tcp6",
            (Transport::Udp, Family::V4) => "net/udp",
            (Transport::Udp, Family::V6) => "net/udp6",
        }
    }

    pub(super) const fn is_v6(self) -> bool {
        matches!(self.family, Family::V6)
    }
}

/// Reads one line (`tcp4_seq_show`, `udp4_seq_show` and their IPv6 forms); the heading and damaged lines are `None`.
pub fn parse_line(table: Table, line: &str) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace();
    let local = endpoint(table.family, fields.nth(1)?)?;
    let remote = endpoint(table.family, fields.next()?)?;
    // An unconnected UDP socket is shown as closed.
    let state = connection::state(u8::from_str_radix(fields.next()?, 16).ok()?)?;
    let (send_queue, receive_queue) = pair(fields.next()?)?;
    let (timer, expires) = pair(fields.next()?)?;
    let retransmits = u32::from_str_radix(fields.next()?, 16).ok()?;
    let uid = fields.next()?.parse().ok()?;
    let inode = Some(fields.nth(1)?.parse().ok()?).filter(|inode| *inode != 0).map(Inode);
    let timer = Timer {
        kind: timer_kind(table.transport, timer),
        remaining_ms: expires.saturating_mul(MS_PER_TICK),
        retransmits: u8::try_from(retransmits).unwrap_or(u8::MAX),
    };
    let kind = kind(state, timer.kind, inode);
    let has_remote = remote.port() != 0 || !remote.ip().is_unspecified();
    Some(Socket {
        family: table.family,
        remote: has_remote.then_some(remote),
        state,
        kind,
        timer,
        uid: (kind == Kind::Full).then_some(Uid(uid)),
        inode,
        v6only: if table.is_v6() { Truth::Unknown } else { Truth::No },
        receive_queue,
        send_queue,
        ..Socket::closed(table.transport, local)
    })
}

/// `0100007F:1F90`: the address in words of 32 bits, each in the host's byte order, and the port.
fn endpoint(family: Family, text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match (family, address.len()) {
        (Family::V4, 8) => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        (Family::V6, 32) => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Two numbers with a colon between.
fn pair(text: &str) -> Option<(u32, u32)> {
    let (first, second) = text.split_once(':')?;
    Some((u32::from_str_radix(first, 16).ok()?, u32::from_str_radix(second, 16).ok()?))
}

/// What it is by the fields of the line: a request has a timer but no inode (`get_openreq4`), a minisock the timer 3.
const fn kind(state: State, timer: TimerKind, inode: Option<Inode>) -> Kind {
    match (state, timer) {
        (_, TimerKind::TimeWait) => Kind::Minisock,
        (State::SynReceived, _) if inode.is_none() => Kind::Request,
        _ => Kind::Full,
    }
}

/// UDP has no timers.
const fn timer_kind(transport: Transport, raw: u32) -> TimerKind {
    match (transport, raw) {
        (Transport::Tcp, 1) => TimerKind::Retransmit,
        (Transport::Tcp, 2) => TimerKind::Keepalive,
        (Transport::Tcp, 3) => TimerKind::TimeWait,
        (Transport::Tcp, 4) => TimerKind::Probe,
        _ => TimerKind::Off,
    }
}

/// The kernel prints times in units of `USER_HZ`, which is 100 on every architecture but alpha.
const MS_PER_TICK: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TCP: Table = Table::of(Transport::Tcp)[0];
    const TCP6: Table = Table::of(Transport::Tcp)[1];
    const LISTENER: &str = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn a_listener_is_read_with_its_owner_and_queue() {
        let socket = parse_line(TCP, LISTENER).expect("a socket");
        assert_eq!(socket.local, "127.0.0.1:8080".parse().expect("an address"));
        assert_eq!((socket.remote, socket.state, socket.kind), (None, State::Listen, Kind::Full));
        assert_eq!((socket.uid, socket.inode), (Some(Uid(1000)), Some(Inode(12345))));
        assert_eq!((socket.send_queue, socket.receive_queue), (0, 3));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_time_wait_has_its_time_left_and_no_owner() {
        let line = "  1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:C350 06 00000000:00000000 03:000010CC 00000000     0        0 0 3 0000000000000000";
        let socket = parse_line(TCP6, line).expect("a socket");
        assert_eq!(socket.local, "[::ffff:127.0.0.1]:8080".parse().expect("an address"));
        assert_eq!((socket.kind, socket.uid, socket.inode), (Kind::Minisock, None, None));
        assert_eq!((socket.timer.kind, socket.timer.remaining_ms), (TimerKind::TimeWait, 43_000));
    }

    #[test]
    fn a_heading_a_line_cut_short_or_one_of_the_other_family_is_no_socket() {
        let heading =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid";
        assert!(parse_line(TCP, heading).is_none());
        assert!(parse_line(TCP6, LISTENER).is_none());
        for end in 0..LISTENER.find("12345").expect("the inode") {
            assert!(parse_line(TCP, &LISTENER[..end]).is_none(), "{}", &LISTENER[..end]);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\PC|[0-9A-F:é ]|[0-9A-F]{8}:[0-9A-F]{4} ){0,60}") {
            let _ = parse_line(TCP, &text);
            let _ = parse_line(TCP6, &text);
        }
    }
}
