//! Connections chosen by what they are rather than by the port they hold: state, ends, holder, idleness.
//!
//! Conditions are joined by "and". A listener or a socket without a connection is never chosen.

use crate::facts::{Host, Kind, Socket};
use crate::ids::{Inode, InterfaceIndex, Port};
use crate::lifetime::TIME_WAIT_MS;
use crate::state::State;
use std::net::{IpAddr, SocketAddr};

/// Which connections are meant.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// In one of these states; any when empty.
    pub states: Vec<State>,
    /// Whose local end is this.
    pub local: Option<End>,
    /// Whose remote end is this.
    pub peer: Option<End>,
    /// Held by descriptors of these inodes.
    pub inodes: Option<Vec<Inode>>,
    /// On which nothing has moved for so many milliseconds.
    pub idle_ms: Option<u64>,
}

/// One end of connections: any of these addresses, and the port if one is named.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct End {
    /// Any address when empty.
    pub addresses: Vec<IpAddr>,
    /// Any port when `None`.
    pub port: Option<Port>,
    /// On this interface, where the address has a meaning only there; the kernel binds such a socket to it
    /// (`tcp_v6_connect`).
    pub interface: Option<InterfaceIndex>,
}

impl Selection {
    /// True when this connection is meant.
    pub fn includes(&self, socket: &Socket, host: &Host) -> bool {
        let Some(remote) = socket.remote else { return false };
        is_connection(socket)
            && (self.states.is_empty() || self.states.contains(&socket.state))
            && self.local.as_ref().is_none_or(|end| end.includes(socket.local, socket.device))
            && self.peer.as_ref().is_none_or(|end| end.includes(remote, socket.device))
            && self
                .inodes
                .as_ref()
                .is_none_or(|inodes| socket.inode.is_some_and(|inode| inodes.contains(&inode)))
            && self
                .idle_ms
                .is_none_or(|least| idle_ms(socket, host).is_some_and(|idle| idle >= least))
    }
}

impl End {
    /// True for an end that is meant; a mapped address is the IPv4 address it stands for.
    pub fn includes(&self, end: SocketAddr, device: Option<InterfaceIndex>) -> bool {
        let address = end.ip().to_canonical();
        let named = self.addresses.iter().any(|known| known.to_canonical() == address);
        (self.addresses.is_empty() || named)
            && self.port.is_none_or(|port| port.0 == end.port())
            && (self.interface.is_none() || self.interface == device)
    }
}

/// Milliseconds since anything moved: data sent or received, or an acknowledgement (`tcp_info`). A minisock has moved
/// last when its timer was started; for a `FIN_WAIT_2` that is inferred from `tcp_fin_timeout`, which a program may have
/// overridden (`TCP_LINGER2`) without a trace. `None` where the kernel does not tell.
pub fn idle_ms(socket: &Socket, host: &Host) -> Option<u64> {
    let left = u64::from(socket.timer.remaining_ms);
    match (socket.kind, socket.state) {
        // Before the handshake is over tcp_info counts from the boot, so that it always looks idle.
        (_, State::SynSent | State::SynReceived) | (Kind::Request, _) => None,
        (Kind::Minisock, State::FinWait2) => {
            // What exceeds a minute of tcp_fin_timeout is spent as a full socket (tcp_time_wait).
            let whole = (u64::from(host.sysctls.fin_timeout_s) * 1000).min(TIME_WAIT_MS);
            Some(whole.saturating_sub(left))
        }
        (Kind::Minisock, _) => Some(TIME_WAIT_MS.saturating_sub(left)),
        (Kind::Full, _) => socket.traffic.map(|traffic| {
            let moved = traffic.last_sent_ms.min(traffic.last_received_ms).min(traffic.last_ack_ms);
            u64::from(moved)
        }),
    }
}

/// The states that a connection can be in.
pub const STATES: [State; 9] = [
    State::SynSent,
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
    State::TimeWait,
];

fn is_connection(socket: &Socket) -> bool {
    match socket.state {
        State::SynSent
        | State::Established
        | State::FinWait1
        | State::FinWait2
        | State::CloseWait
        | State::Closing
        | State::LastAck
        | State::TimeWait => true,
        // A handshake of the kernel's own: it has no owner and ends by itself.
        State::SynReceived => socket.kind == Kind::Full,
        State::Listen | State::Closed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Timer, TimerKind, Traffic};
    use crate::transport::Transport;

    fn connection(state: State) -> Socket {
        let mut socket = Socket::closed(Transport::Tcp, address("[::ffff:127.0.0.1]:8080"));
        socket.remote = Some(address("[::ffff:10.0.0.7]:40000"));
        socket.state = state;
        socket
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn end(ip: &str, port: Option<u16>) -> End {
        let addresses = vec![ip.parse().expect("an address")];
        End { addresses, port: port.map(Port), interface: None }
    }

    #[test]
    fn a_mapped_end_is_the_address_it_stands_for() {
        let host = Host::default();
        let socket = connection(State::Established);
        let of = |peer| Selection { peer: Some(peer), ..Selection::default() };
        assert!(of(end("10.0.0.7", None)).includes(&socket, &host));
        assert!(of(end("10.0.0.7", Some(40000))).includes(&socket, &host));
        assert!(!of(end("10.0.0.7", Some(40001))).includes(&socket, &host));
        assert!(!of(end("10.0.0.8", None)).includes(&socket, &host));
    }

    #[test]
    fn what_is_no_connection_is_never_chosen() {
        let host = Host::default();
        for state in [State::Listen, State::Closed] {
            assert!(!Selection::default().includes(&connection(state), &host), "{state}");
        }
        let unconnected = Socket { remote: None, ..connection(State::SynSent) };
        assert!(!Selection::default().includes(&unconnected, &host));
    }

    #[test]
    fn the_last_thing_that_moved_counts() {
        let host = Host::default();
        let traffic = Traffic {
            last_sent_ms: 700_000,
            last_received_ms: 800_000,
            last_ack_ms: 600_000,
            ..Traffic::default()
        };
        let socket = Socket { traffic: Some(traffic), ..connection(State::Established) };
        assert_eq!(idle_ms(&socket, &host), Some(600_000));
        assert_eq!(idle_ms(&connection(State::Established), &host), None);
    }

    #[test]
    fn an_end_on_one_interface_is_not_the_same_address_on_another() {
        let host = Host::default();
        let peer = End { interface: Some(InterfaceIndex(2)), ..end("10.0.0.7", None) };
        let selection = Selection { peer: Some(peer), ..Selection::default() };
        let on = |index| Socket { device: index, ..connection(State::Established) };
        assert!(selection.includes(&on(Some(InterfaceIndex(2))), &host));
        assert!(!selection.includes(&on(Some(InterfaceIndex(3))), &host));
        assert!(!selection.includes(&on(None), &host));
    }

    #[test]
    fn every_state_of_a_connection_can_be_chosen_and_no_other() {
        for state in State::ALL {
            let socket = connection(state);
            assert_eq!(is_connection(&socket), STATES.contains(&state), "{state}");
        }
        let request = Socket { kind: Kind::Request, ..connection(State::SynReceived) };
        assert!(!is_connection(&request), "a handshake of the kernel's own");
    }

    #[test]
    fn what_is_not_yet_connected_is_never_called_idle() {
        let host = Host::default();
        let since_boot = u32::MAX;
        let traffic = Traffic {
            last_sent_ms: since_boot,
            last_received_ms: since_boot,
            last_ack_ms: since_boot,
            ..Traffic::default()
        };
        for state in [State::SynSent, State::SynReceived] {
            let socket = Socket { traffic: Some(traffic), ..connection(state) };
            assert_eq!(idle_ms(&socket, &host), None, "{state}");
        }
    }

    #[test]
    fn a_minisock_is_idle_since_its_timer_was_started() {
        let host = Host::default();
        let timer = Timer { kind: TimerKind::TimeWait, remaining_ms: 45_000, retransmits: 0 };
        let socket = Socket { kind: Kind::Minisock, timer, ..connection(State::TimeWait) };
        assert_eq!(idle_ms(&socket, &host), Some(15_000));
    }
}
