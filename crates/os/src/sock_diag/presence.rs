//! Whether one known socket is still there: a look-up by its addresses and cookie, which costs the same however many
//! others there are (`inet_diag_dump_one_icsk`, `udp_dump_one`).
//!
//! Sockets that are only bound are in none of the tables that are searched so.

use super::filter::SOCK_DIAG_BY_FAMILY;
use crate::Result;
use crate::act::destroy;
use crate::netlink::{Channel, Netlink};
use lastack_model::facts::{Family, Socket, Transport};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Keeps an eye on one socket, in the network namespace of the thread that made it.
#[derive(Debug)]
pub struct Sentry {
    netlink: Netlink,
    request: Vec<u8>,
}

/// Whether a socket is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// It is.
    Here,
    /// It is not found. Beside others that share its port by `SO_REUSEPORT` it may be there all the same: the kernel
    /// then looks up any one of them.
    Gone,
}

impl Sentry {
    /// Watches over this socket.
    pub fn over(socket: &Socket) -> Result<Self> {
        let request = match (socket.transport, socket.remote) {
            (Transport::Tcp, _) => destroy::request(socket),
            // `udp_dump_one` takes the two ends the other way round, "for historical reasons".
            (Transport::Udp, remote) => destroy::request(&Socket {
                local: remote.unwrap_or_else(|| nowhere(socket.family)),
                remote: Some(socket.local),
                ..socket.clone()
            }),
        };
        Ok(Self { netlink: Netlink::open(Channel::SockDiag)?, request })
    }

    /// Looks.
    pub fn look(&mut self) -> Result<Presence> {
        let answers = self.netlink.act(SOCK_DIAG_BY_FAMILY, std::slice::from_ref(&self.request))?;
        let here = answers.iter().all(std::result::Result::is_ok);
        Ok(if here { Presence::Here } else { Presence::Gone })
    }
}

const fn nowhere(family: Family) -> SocketAddr {
    match family {
        Family::V4 => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        Family::V6 => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    }
}
