//! Why `connect()` fails with `EADDRNOTAVAIL`: the four-tuple is taken, or no local port is left.
//!
//! The error has nothing to do with addresses: it is what `__inet_hash_connect` returns when the port bound
//! beforehand already has a connection to that destination, or when it finds no port at all.

use crate::facts::{Host, Kind, Socket};
use crate::ids::{InterfaceIndex, Port};
use crate::state::State;
use crate::truth::Truth;
use std::net::{IpAddr, SocketAddr};

/// A connection somebody wants to make.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Connect {
    /// Where to.
    pub destination: SocketAddr,
    /// The address it leaves from.
    pub source: IpAddr,
    /// The interface it is bound to.
    pub device: Option<InterfaceIndex>,
}

/// A connection that occupies the wanted four-tuple, and whether the kernel would replace it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FourTuple {
    /// Its position in the slice asked about.
    pub at: usize,
    /// Whether it is recycled at once.
    pub recycled: Truth,
}

/// What the rules say of a connect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnectRuling {
    /// Nothing occupies the four-tuple.
    Free,
    /// A minisock occupies it and is replaced at once.
    Recycles(FourTuple),
    /// Taken: `EADDRNOTAVAIL`.
    Taken(FourTuple),
    /// It turns on whether the connection that ended used timestamps, which a minisock does not show.
    DependsOnTimestamps(FourTuple),
}

/// What stands against letting `connect()` choose one port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PortUse {
    /// No owner at all.
    Unused,
    /// Only connections whose port nobody named, none of them to this destination. If `connect()` gave it to all of
    /// them, it gives it once more; but connections that a server accepted, or that were bound to port 0, look the same.
    PerhapsShared,
    /// Holds a connection to this destination, which may be recycled or not.
    Occupied(Truth),
    /// Some owner took the port by `bind()` or `listen()`.
    Bound,
    /// Some owner named the port in `bind()` and connected then. That keeps `connect()` away, unless it moved the
    /// owner from the wildcard to an address that `connect()` had used on this port before: the address goes on
    /// counting as `connect()`'s (`inet_bhash2_update_saddr`), and once only such are left so does the port.
    BoundThenConnected,
}

impl PortUse {
    /// Whether `connect()` may choose the port.
    pub const fn usable(self) -> Truth {
        match self {
            Self::Unused => Truth::Yes,
            Self::Bound | Self::Occupied(Truth::No) => Truth::No,
            Self::PerhapsShared
            | Self::BoundThenConnected
            | Self::Occupied(Truth::Yes | Truth::Unknown) => Truth::Unknown,
        }
    }
}

/// Would `connect()` from this bound port succeed? Only the four-tuple counts (`__inet_check_established`).
///
/// A minisock is recycled when its connection used timestamps, whatever `tcp_tw_reuse` says.
pub fn connect_from(
    connect: &Connect,
    port: Port,
    sockets: &[&Socket],
    timestamps: Truth,
) -> ConnectRuling {
    let Some(at) = sockets.iter().position(|socket| occupies(connect, port, socket)) else {
        return ConnectRuling::Free;
    };
    let recycled = match sockets[at].kind {
        Kind::Minisock => timestamps,
        Kind::Full | Kind::Request => Truth::No,
    };
    let tuple = FourTuple { at, recycled };
    match recycled {
        Truth::Yes => ConnectRuling::Recycles(tuple),
        Truth::No => ConnectRuling::Taken(tuple),
        Truth::Unknown => ConnectRuling::DependsOnTimestamps(tuple),
    }
}

/// May `connect()` choose this port for that destination? (`__inet_hash_connect` without a port.)
///
/// One `bind()` anywhere on the port takes it out of the pool, whatever its address: for as long as such an owner is
/// there, and before Linux 6.17 until the port has no owner at all (`inet_bind_bucket_destroy`). A socket without a
/// connection is such an owner, since one that `connect()` gave the port to loses it with its connection
/// (`tcp_set_state`). Who gave a connection its port is not visible.
///
/// A `TIME_WAIT` to the same destination gives way if it used timestamps, is older than `tcp_tw_reuse_delay`, and
/// `tcp_tw_reuse` is 1, or 2 and the address is loopback (`tcp_twsk_unique`).
pub fn connect_without_port(
    connect: &Connect,
    port: Port,
    sockets: &[&Socket],
    host: &Host,
    timestamps: Truth,
) -> PortUse {
    let owners = || sockets.iter().filter(|socket| socket.port() == port && socket.owns_port());
    // A connection that ended keeps its remote address; its socket may have moved as a connected one does.
    let stays_bound = |socket: &Socket| {
        socket.state == State::Listen || (socket.state == State::Closed && socket.remote.is_none())
    };
    let was_named =
        |socket: &Socket| socket.state == State::Closed || socket.port_named == Truth::Yes;
    if owners().next().is_none() {
        return PortUse::Unused;
    }
    if owners().any(|socket| stays_bound(socket)) {
        return PortUse::Bound;
    }
    match owners().find(|socket| occupies(connect, port, socket)) {
        Some(socket) => PortUse::Occupied(reusable(connect, socket, host, timestamps)),
        None if owners().any(|socket| was_named(socket)) => PortUse::BoundThenConnected,
        None => PortUse::PerhapsShared,
    }
}

/// Only connections stand in `ehash`. A listener or a closed socket may still show the address of an earlier `connect()`.
fn occupies(connect: &Connect, port: Port, socket: &Socket) -> bool {
    let same_device = socket.device.is_none() || socket.device == connect.device;
    socket.port() == port
        && socket.local.ip().to_canonical() == connect.source.to_canonical()
        && socket.remote.is_some_and(|remote| canonical(remote) == canonical(connect.destination))
        && !matches!(socket.state, State::Closed | State::Listen)
        && same_device
}

fn reusable(connect: &Connect, socket: &Socket, host: &Host, timestamps: Truth) -> Truth {
    let loopback = connect.destination.ip().to_canonical().is_loopback()
        || connect.source.to_canonical().is_loopback();
    let allowed = match host.sysctls.tw_reuse {
        0 => false,
        1 => true,
        _ => loopback,
    };
    let is_time_wait = socket.kind == Kind::Minisock && socket.state == State::TimeWait;
    let age_ms = TIME_WAIT_MS.saturating_sub(socket.timer.remaining_ms);
    let old_enough = age_ms > host.sysctls.tw_reuse_delay_ms.max(1);
    timestamps.and(allowed && is_time_wait && old_enough)
}

fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// `TCP_TIMEWAIT_LEN`: compiled in, no setting changes it.
const TIME_WAIT_MS: u32 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Timer, TimerKind, Transport};

    const PORT: Port = Port(40_000);

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn connect() -> Connect {
        let source = address("127.0.0.1:0").ip();
        Connect { destination: address("127.0.0.1:443"), source, device: None }
    }

    fn connection(state: State) -> Socket {
        let closed = Socket::closed(Transport::Tcp, address("127.0.0.1:40000"));
        let remote = Some(address("127.0.0.1:443"));
        Socket { state, remote, port_named: Truth::No, ..closed }
    }

    fn elsewhere(state: State) -> Socket {
        Socket { remote: Some(address("127.0.0.1:80")), ..connection(state) }
    }

    fn chosen(sockets: &[&Socket]) -> PortUse {
        connect_without_port(&connect(), PORT, sockets, &Host::default(), Truth::Yes)
    }

    #[test]
    fn nothing_shows_that_a_port_was_never_bound() {
        assert_eq!(chosen(&[]).usable(), Truth::Yes);
        assert_eq!(chosen(&[&elsewhere(State::Established)]), PortUse::PerhapsShared);
        assert_eq!(PortUse::PerhapsShared.usable(), Truth::Unknown);
    }

    #[test]
    fn a_socket_without_a_connection_was_bound() {
        let listener = elsewhere(State::Listen);
        assert_eq!(chosen(&[&listener]).usable(), Truth::No);
        let bound = Socket { remote: None, ..elsewhere(State::Closed) };
        assert_eq!(chosen(&[&bound]).usable(), Truth::No);
    }

    #[test]
    fn a_listener_that_once_tried_to_connect_occupies_no_four_tuple() {
        let listener = connection(State::Listen);
        let ruling = connect_from(&connect(), PORT, &[&listener], Truth::Yes);
        assert_eq!(ruling, ConnectRuling::Free);
        let taken = connection(State::SynSent);
        let ruling = connect_from(&connect(), PORT, &[&taken], Truth::Yes);
        assert_eq!(ruling, ConnectRuling::Taken(FourTuple { at: 0, recycled: Truth::No }));
    }

    #[test]
    fn a_minisock_gives_its_port_back_when_it_is_old_enough() {
        let of_age = |remaining_ms| {
            let timer = Timer { kind: TimerKind::TimeWait, remaining_ms, retransmits: 0 };
            let socket = connection(State::TimeWait);
            chosen(&[&Socket { kind: Kind::Minisock, timer, ..socket }])
        };
        assert_eq!(of_age(59_500), PortUse::Occupied(Truth::No), "younger than tcp_tw_reuse_delay");
        assert_eq!(of_age(50_000), PortUse::Occupied(Truth::Yes));
    }
}
