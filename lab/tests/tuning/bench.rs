//! What the experiments share: requests, connections that end, and segments of one's own making.

use lastack_lab::link::{HERE, OtherHost, THERE};
use lastack_lab::program::undisturbed;
use lastack_lab::sockets;
use lastack_lab::states::{self, on_port, wait_for, wait_until};
use lastack_model::bind::{Options, Request};
use lastack_model::facts::{Family, Kind, Socket, Transport};
use lastack_model::ids::{Port, Uid};
use lastack_model::state::State;
use lastack_model::tune::Counters;
use lastack_os::sock_diag::{Detail, Filter, fold};
use rustix::fd::OwnedFd;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(crate) const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A request of root's without options.
pub(crate) fn request(address: impl Into<IpAddr>, port: u16) -> Request {
    Request {
        transport: Transport::Tcp,
        address: address.into(),
        port: Port(port),
        options: Options::default(),
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

/// The same with `SO_REUSEADDR`.
pub(crate) fn reusing(address: impl Into<IpAddr>, port: u16) -> Request {
    let options = Options { reuse_address: true, ..Options::default() };
    Request { options, ..request(address, port) }
}

pub(crate) fn local(port: u16) -> SocketAddr {
    (LOCAL, port).into()
}

/// A `bind()` as requested, undone at once.
pub(crate) fn bind(request: &Request) -> sockets::Answer {
    let socket = sockets::prepare(request);
    let answer = sockets::bind(&socket, sockets::address(request));
    undisturbed(|| drop(socket));
    answer
}

/// A `connect()` whose port the kernel chooses.
pub(crate) fn connect(to: SocketAddr) -> (OwnedFd, sockets::Answer) {
    let socket = sockets::open(Transport::Tcp, Family::V4);
    let answer = sockets::connect(&socket, to);
    (socket, answer)
}

/// Connects to a listener here and closes first: `TIME_WAIT` on the port that the kernel chose, or that was bound.
pub(crate) fn leave_time_wait(client: OwnedFd, listener: &OwnedFd) -> u16 {
    let port = sockets::local(&client).port();
    wait_for(port, |socket| socket.state == State::Established);
    let accepted = sockets::accept(listener, Uid(0)).expect("an accepted connection");
    undisturbed(|| drop(client));
    wait_for(port, |socket| socket.state == State::FinWait2);
    undisturbed(|| drop(accepted));
    wait_for(port, |socket| socket.state == State::TimeWait);
    port
}

/// The one socket in this state on the port.
pub(crate) fn only(port: u16, state: State) -> Socket {
    let mut found = on_port(port);
    found.retain(|socket| socket.state == state);
    assert_eq!(found.len(), 1, "{port} {state}: {:?}", on_port(port));
    found.remove(0)
}

/// The present retransmission timeout of the socket on a port.
pub(crate) fn timeout_ms(port: u16) -> u32 {
    let filter = Filter::on_port(Transport::Tcp, Port(port)).with(Detail::Traffic);
    let found = fold(&filter, Vec::<Socket>::push).expect("a dump").folded;
    found.iter().find_map(|socket| socket.traffic).expect("tcp_info of the socket").rto_ms
}

pub(crate) fn half_open(port: u16) -> Vec<Socket> {
    let mut found = on_port(port);
    found.retain(|socket| socket.kind == Kind::Request);
    found
}

pub(crate) fn counters() -> Counters {
    lastack_os::host::counts().expect("the kernel's counters").0.counters
}

/// A connection to a listener on the other host, from a port here.
pub(crate) fn client_of(host: &OtherHost, port: u16) -> (OwnedFd, OwnedFd) {
    let listener = host.run(|_| states::listening(&request(THERE, 0)));
    let client = states::bound(&request(HERE, port));
    sockets::connect(&client, sockets::local(&listener)).expect("a connection");
    wait_for(port, |socket| socket.state == State::Established);
    (client, listener)
}

/// Sends one byte.
pub(crate) fn send(socket: &OwnedFd) {
    net::send(socket, b"x", SendFlags::NOSIGNAL).expect("a byte is sent");
}

/// Waits until the socket on the port has been sent again so often without an answer.
pub(crate) fn wait_for_retransmits(port: u16, count: u8) -> Socket {
    wait_until("a segment is sent again", || {
        on_port(port).iter().any(|socket| socket.timer.retransmits >= count)
    });
    let found = on_port(port);
    found.into_iter().find(|socket| socket.timer.retransmits >= count).expect("it is still there")
}

/// Sees every segment that arrives in the namespace, and can send resets of its own.
#[derive(Debug)]
pub(crate) struct Wire(OwnedFd);

impl Wire {
    pub(crate) fn tap() -> Self {
        let socket = net::socket_with(
            AddressFamily::INET,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(ipproto::TCP),
        );
        Self(socket.expect("a raw socket (needs CAP_NET_RAW)"))
    }

    /// The sequence number after the FIN that went from one port to the other.
    pub(crate) fn after_fin(&self, from: u16, to: u16) -> u32 {
        let mut packet = [0_u8; 2048];
        while let Ok((length, _)) = net::recv(&self.0, &mut packet[..], RecvFlags::empty()) {
            let header = usize::from(packet[0] & 0x0f) * 4;
            let segment = &packet[header..length];
            let number = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
            let is_fin = segment[13] & FIN != 0;
            if (number(0), number(2), is_fin) == (from, to, true) {
                let data = segment.len() - usize::from(segment[12] >> 4) * 4;
                let sequence = u32::from_be_bytes([segment[4], segment[5], segment[6], segment[7]]);
                return sequence
                    .wrapping_add(u32::try_from(data).expect("a segment"))
                    .wrapping_add(1);
            }
        }
        panic!("no FIN went from {from} to {to}");
    }

    /// Sends a reset with this sequence number, on loopback.
    pub(crate) fn reset(&self, from: u16, to: u16, sequence: u32) {
        let mut segment = Vec::with_capacity(20);
        segment.extend(from.to_be_bytes());
        segment.extend(to.to_be_bytes());
        segment.extend(sequence.to_be_bytes());
        segment.extend([0, 0, 0, 0, 5 << 4, RST, 0, 0, 0, 0, 0, 0]);
        let checksum = checksum(&segment).to_be_bytes();
        segment[16..18].copy_from_slice(&checksum);
        let to = SocketAddr::from((LOCAL, 0));
        net::sendto(&self.0, &segment, SendFlags::empty(), &to).expect("a reset is sent");
    }
}

/// The checksum of a segment from loopback to loopback (RFC 9293 §3.1).
fn checksum(segment: &[u8]) -> u16 {
    let length = u16::try_from(segment.len()).expect("a segment").to_be_bytes();
    let mut bytes = [LOCAL.octets(), LOCAL.octets(), [0, 6, length[0], length[1]]].concat();
    bytes.extend(segment);
    let sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("16 bits")
}

const FIN: u8 = 1;
const RST: u8 = 4;
