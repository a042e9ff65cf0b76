//! One record of a dump, decoded (`struct inet_diag_msg` and its attributes). Pure: any bytes are survived.

use crate::connection;
use crate::netlink::{Attributes, u32_at};
use lastack_model::facts::{
    Family, Kind, ShownOptions, Socket, Timer, TimerKind, Traffic, Transport,
};
use lastack_model::ids::{CgroupId, Cookie, Inode, InterfaceIndex, Uid};
use lastack_model::state::State;
use lastack_model::truth::Truth;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A record that is too short, or names a family or state that does not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

/// Reads one record.
pub fn decode(transport: Transport, record: &[u8]) -> Result<Socket, Malformed> {
    if record.len() < RECORD {
        return Err(Malformed);
    }
    let family = family(record[0])?;
    let state = connection::state(record[1]).ok_or(Malformed)?;
    let timer = Timer {
        kind: timer_kind(record[2]),
        retransmits: record[3],
        remaining_ms: word(record, 52)?,
    };
    let inode = Some(u64::from(word(record, 68)?)).filter(|inode| *inode != 0).map(Inode);
    let kind = kind(state, timer.kind, inode);
    let remote = endpoint(family, record, 6, 24)?;
    // A failed connect() leaves the address behind, but no port.
    let has_remote = remote.port() != 0;
    let mut socket = Socket {
        family,
        remote: has_remote.then_some(remote),
        device: Some(word(record, 40)?).filter(|index| *index != 0).map(InterfaceIndex),
        state,
        kind,
        timer,
        uid: match kind {
            Kind::Full => Some(Uid(word(record, 64)?)),
            Kind::Minisock | Kind::Request => None,
        },
        inode,
        cookie: Cookie(u64::from(word(record, 44)?) | u64::from(word(record, 48)?) << 32),
        receive_queue: word(record, 56)?,
        send_queue: word(record, 60)?,
        ..Socket::closed(transport, endpoint(family, record, 4, 8)?)
    };
    if family == Family::V4 {
        socket.v6only = Truth::No;
    }
    let mut is_full = false;
    for attribute in Attributes::of(&record[RECORD..]) {
        let (kind, value) = attribute.map_err(|_| Malformed)?;
        is_full |= kind == INET_DIAG_SHUTDOWN;
        learn(&mut socket, kind, value);
    }
    if socket.kind == Kind::Request && is_full {
        socket.kind = Kind::Full;
        socket.uid = Some(Uid(word(record, 64)?));
    }
    Ok(socket)
}

fn learn(socket: &mut Socket, attribute: u16, value: &[u8]) {
    match attribute {
        INET_DIAG_SKV6ONLY => {
            socket.v6only = value.first().map_or(Truth::Unknown, |flag| Truth::from(*flag != 0));
        }
        INET_DIAG_CGROUP_ID => {
            let id = value.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
            socket.cgroup = id.filter(|id| *id != 0).map(CgroupId);
        }
        INET_DIAG_SOCKOPT => {
            if let Some([first, second]) = value.first_chunk() {
                socket.shown = shown_options(*first, *second);
            }
        }
        INET_DIAG_INFO if socket.state != State::Listen => socket.traffic = traffic(value),
        _ => {}
    }
}

/// The bits of `struct inet_diag_sockopt`, which start at the low end on little-endian machines.
fn shown_options(first: u8, second: u8) -> ShownOptions {
    let bit = |byte: u8, number: u32| {
        let at = if cfg!(target_endian = "little") { number } else { 7 - number };
        Truth::from(byte & (1 << at) != 0)
    };
    ShownOptions {
        free_bind: bit(first, 2),
        transparent: bit(first, 5),
        bind_address_no_port: bit(second, 0),
    }
}

/// The fields of `struct tcp_info` that tell how alive a connection is.
fn traffic(info: &[u8]) -> Option<Traffic> {
    Some(Traffic {
        timestamps: info.get(5)? & TCPI_OPT_TIMESTAMPS != 0,
        rto_ms: u32_at(info, 8)? / 1000,
        last_sent_ms: u32_at(info, 44)?,
        last_received_ms: u32_at(info, 52)?,
        last_ack_ms: u32_at(info, 56)?,
    })
}

/// What it is by the fixed fields alone; a whole socket in `SYN_RECV` (fast open, simultaneous open) tells itself
/// from a request by its attributes, of which `INET_DIAG_SHUTDOWN` is never missing (`inet_diag_msg_attrs_fill`).
const fn kind(state: State, timer: TimerKind, inode: Option<Inode>) -> Kind {
    match (state, timer) {
        (_, TimerKind::TimeWait) => Kind::Minisock,
        (State::SynReceived, _) if inode.is_none() => Kind::Request,
        _ => Kind::Full,
    }
}

fn endpoint(
    family: Family,
    record: &[u8],
    port_at: usize,
    address_at: usize,
) -> Result<SocketAddr, Malformed> {
    let port = u16::from_be_bytes([record[port_at], record[port_at + 1]]);
    let bytes = record.get(address_at..address_at + 16).ok_or(Malformed)?;
    let octets: [u8; 16] = bytes.try_into().map_err(|_| Malformed)?;
    let ip = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(octets)),
    };
    Ok(SocketAddr::new(ip, port))
}

fn word(record: &[u8], at: usize) -> Result<u32, Malformed> {
    u32_at(record, at).ok_or(Malformed)
}

const fn family(raw: u8) -> Result<Family, Malformed> {
    match raw as i32 {
        libc::AF_INET => Ok(Family::V4),
        libc::AF_INET6 => Ok(Family::V6),
        _ => Err(Malformed),
    }
}

const fn timer_kind(raw: u8) -> TimerKind {
    match raw {
        1 => TimerKind::Retransmit,
        2 => TimerKind::Keepalive,
        3 => TimerKind::TimeWait,
        4 => TimerKind::Probe,
        _ => TimerKind::Off,
    }
}

/// The length of `struct inet_diag_msg`.
const RECORD: usize = 72;
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_SHUTDOWN: u16 = 8;
const INET_DIAG_SKV6ONLY: u16 = 11;
const INET_DIAG_CGROUP_ID: u16 = 21;
const INET_DIAG_SOCKOPT: u16 = 22;
const TCPI_OPT_TIMESTAMPS: u8 = 1;
