//! A real connection, made and closed again at once: whether somebody answers at an address.
//!
//! The other side accepts it and reads its end; nothing is sent. In the calling thread's network namespace.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, Shutdown, SocketFlags, SocketType, sockopt};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A connection that is being made; dropped, it is given up.
#[derive(Debug)]
pub struct Attempt {
    socket: OwnedFd,
    to: SocketAddr,
}

/// What came of an attempt.
#[derive(Debug)]
pub enum Reached {
    /// Somebody answered.
    Yes,
    /// Nobody did, for this reason.
    No(io::Error),
}

impl Attempt {
    /// Sends the first segment, through this interface if one is named.
    pub fn begin(to: SocketAddr, device: Option<u32>) -> io::Result<Self> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
        if let Some(device) = device {
            crate::sys::bind_to_interface(&socket, device)?;
        }
        match net::connect(&socket, &to) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(Self { socket, to }),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Waits for the answer at most so long; none while there is none. After an answer the connection is closed.
    pub fn answer(&self, at_most: Duration) -> Option<Reached> {
        let timeout = Timespec {
            tv_sec: at_most.as_secs().cast_signed(),
            tv_nsec: i64::from(at_most.subsec_nanos()),
        };
        match poll(&mut [PollFd::new(&self.socket, PollFlags::OUT)], Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => None,
            Ok(_) => Some(match self.outcome() {
                Ok(()) => {
                    self.end();
                    Reached::Yes
                }
                Err(cause) => Reached::No(cause.into()),
            }),
            Err(cause) => Some(Reached::No(cause.into())),
        }
    }

    fn outcome(&self) -> rustix::io::Result<()> {
        sockopt::socket_error(&self.socket)??;
        if self.is_with_itself() {
            // Nobody listens: the first segment met itself (RFC 9293 §3.5, simultaneous open). A reset leaves nothing.
            sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO))?;
            return Err(Errno::CONNREFUSED);
        }
        Ok(())
    }

    /// True when the kernel chose the destination's own port for a connection within this host.
    fn is_with_itself(&self) -> bool {
        let own =
            net::getsockname(&self.socket).ok().and_then(|own| SocketAddr::try_from(own).ok());
        own.is_some_and(|own| own == self.to)
    }

    /// What the other side greeted with is read, because closing with unread data would be a reset.
    fn end(&self) {
        let _ = net::shutdown(&self.socket, Shutdown::Write);
        let mut block = [0; 4096];
        while matches!(net::recv(&self.socket, &mut block[..], RecvFlags::DONTWAIT), Ok((1.., _))) {
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::namespace::enter_fresh_network;
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener};

    fn ask(port: u16) -> Reached {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match Attempt::begin(to, None) {
            Ok(attempt) => attempt.answer(Duration::from_secs(5)).expect("an answer on loopback"),
            Err(cause) => Reached::No(cause),
        }
    }

    fn assert_refused(port: u16) {
        let Reached::No(cause) = ask(port) else { panic!("nobody is there") };
        assert_eq!(cause.raw_os_error(), Some(libc::ECONNREFUSED));
    }

    #[test]
    fn a_listener_answers_and_reads_an_orderly_end() {
        enter_fresh_network();
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        assert!(matches!(ask(listener.local_addr().expect("bound").port()), Reached::Yes));
        let (mut server, _) = listener.accept().expect("a connection");
        assert_eq!(server.read(&mut [0]).expect("no reset"), 0);
    }

    #[test]
    fn where_nobody_listens_it_is_refused() {
        enter_fresh_network();
        assert_refused(9);
    }

    /// With one lent port the kernel can choose no other local port than the destination's own.
    #[test]
    fn a_connection_with_itself_is_no_answer() {
        enter_fresh_network();
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "4001 4001").expect("a setting");
        assert_refused(4001);
        TcpListener::bind("127.0.0.1:4001").expect("and nothing is left of it");
    }
}
