//! What the kernel knows of a connection that this process holds: its state, and what the peer has not acknowledged.
//!
//! One system call each, no search through other sockets. The calls that end a connection differently from a plain
//! close are here too.

use crate::sys;
use lastack_model::facts::PortRange;
use lastack_model::state::State;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::{self, RecvAncillaryBuffer, RecvFlags};
use std::io;
use std::time::Duration;

/// What `TCP_INFO` says of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Info {
    /// Its state. `CLOSED` also once `TIME_WAIT` has begun: the kernel keeps that apart from the socket.
    pub state: State,
    /// The smoothed round-trip time; zero when none was measured.
    pub round_trip: Duration,
    /// How often in a row something was sent again, or asked of a peer that takes nothing, and not answered.
    pub unanswered: u32,
    /// How long ago the last acknowledgement came.
    pub last_acknowledged: Duration,
}

/// Asks the kernel about a connection (`tcp_get_info`).
pub fn info(socket: &impl AsFd) -> io::Result<Info> {
    let mut bytes = [0; ROUND_TRIP_AT + 4];
    sys::tcp_info(socket, &mut bytes)?;
    let unknown = || io::Error::other(format!("no state has the number {}", bytes[0]));
    let state = state(bytes[0]).ok_or_else(unknown)?;
    let number = |at: usize| bytes[at..].first_chunk().map_or(0, |four| u32::from_ne_bytes(*four));
    Ok(Info {
        state,
        round_trip: Duration::from_micros(number(ROUND_TRIP_AT).into()),
        unanswered: u32::from(bytes[RETRANSMITS_AT]) + u32::from(bytes[PROBES_AT]),
        last_acknowledged: Duration::from_millis(number(LAST_ACK_AT).into()),
    })
}

/// How many sequence numbers were sent or wait to be sent and are not acknowledged (`SIOCOUTQ`: `write_seq - snd_una`).
/// A FIN counts as one.
pub fn unacknowledged(socket: &impl AsFd) -> io::Result<u32> {
    sys::unacknowledged(socket)
}

/// Throws away what the kernel has to tell beside the octets: that `MSG_ZEROCOPY` is done with a buffer, time stamps, the
/// errors of `IP_RECVERR` (`MSG_ERRQUEUE`). As long as any of it is there, `poll()` says `POLLERR` at once (`tcp_poll`).
pub fn clear_error_queue(socket: &impl AsFd) -> io::Result<()> {
    let flags = RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT;
    loop {
        match net::recvmsg(socket, &mut [], &mut RecvAncillaryBuffer::default(), flags) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// From now on closing the descriptor resets the connection (`SO_LINGER` of 0 s; `tcp_close`, `tcp_disconnect`).
pub fn reset_on_close(socket: &impl AsFd) -> io::Result<()> {
    sys::set_linger(socket, true, 0)
}

/// From now on `bind()` to port 0 takes no port: `connect()` chooses one that is free toward its destination
/// (`IP_BIND_ADDRESS_NO_PORT`, Linux 4.2). Of either family.
pub fn choose_port_late(socket: &impl AsFd) -> io::Result<()> {
    sys::set_number(socket, (libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT), 1)
}

/// From now on the kernel chooses a port from these for this socket (`IP_LOCAL_PORT_RANGE`, Linux 6.3; `ENOPROTOOPT`
/// before). It heeds a bound of the range only where that lies in `net.ipv4.ip_local_port_range`
/// (`inet_sk_get_local_port_range`). Of either family.
pub fn limit_ports(socket: &impl AsFd, range: PortRange) -> io::Result<()> {
    let both = u32::from(range.high.0) << 16 | u32::from(range.low.0);
    sys::set_number(socket, (libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE), both.cast_signed())
}

/// The state that the kernel gives this number (`include/net/tcp_states.h`). `TCP_NEW_SYN_RECV` is a request,
/// `TCP_BOUND_INACTIVE` is reported as closed.
pub(crate) const fn state(number: u8) -> Option<State> {
    Some(match number {
        1 => State::Established,
        2 => State::SynSent,
        3 | 12 => State::SynReceived,
        4 => State::FinWait1,
        5 => State::FinWait2,
        6 => State::TimeWait,
        7 | 13 => State::Closed,
        8 => State::CloseWait,
        9 => State::LastAck,
        10 => State::Listen,
        11 => State::Closing,
        _ => return None,
    })
}

/// `include/uapi/linux/in.h`.
const IP_LOCAL_PORT_RANGE: i32 = 51;
/// Where `struct tcp_info` counts retransmissions without an answer (`include/uapi/linux/tcp.h`).
const RETRANSMITS_AT: usize = 2;
/// The same of window probes and keepalive.
const PROBES_AT: usize = 3;
/// Where it has the time since the last acknowledgement, in milliseconds.
const LAST_ACK_AT: usize = 56;
/// Where it has its round-trip time, in microseconds.
const ROUND_TRIP_AT: usize = 68;

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    /// `include/uapi/linux/net_tstamp.h`: when an octet was acknowledged, told without its packet.
    const TELL_OF_ACKNOWLEDGEMENTS: u32 = 1 << 4 | 1 << 7 | 1 << 9 | 1 << 11;

    #[test]
    fn an_error_queue_is_emptied_and_what_was_received_stays() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let mut ours =
            TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (mut peer, _) = listener.accept().expect("accepted");
        let option = (libc::SOL_SOCKET, libc::SO_TIMESTAMPING);
        sys::set_number(&ours, option, TELL_OF_ACKNOWLEDGEMENTS.cast_signed()).expect("the option");
        let flags = |wait: i64| {
            let mut sockets = [PollFd::new(&ours, PollFlags::empty())];
            poll(&mut sockets, Some(&Timespec { tv_sec: wait, tv_nsec: 0 })).expect("a look");
            sockets[0].revents()
        };
        (&ours).write_all(b"first").expect("sent");
        assert!(flags(10).contains(PollFlags::ERR), "nothing was told");
        peer.write_all(b"answer").expect("sent");
        clear_error_queue(&ours).expect("emptied");
        assert_eq!(flags(0), PollFlags::empty());
        let mut answer = [0; 6];
        io::Read::read_exact(&mut ours, &mut answer).expect("read");
        assert_eq!(&answer, b"answer");
    }
}
