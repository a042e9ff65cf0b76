//! News of destroyed sockets, as the kernel sends them to whoever asks (`sock_diag_broadcast_destroy`).
//!
//! No privilege is needed. There is no news of minisocks, which end by their timers. What is heard is a hint to look,
//! never an answer.

use crate::netlink::{Channel, Netlink};
use crate::{Error, Result, sys};
use lastack_model::facts::Transport;
use lastack_model::ids::Port;
use rustix::fd::{AsFd, BorrowedFd};

/// Hears of the sockets on one port, in the network namespace of the thread that made it.
#[derive(Debug)]
pub struct Destroyed {
    netlink: Netlink,
}

/// Whether a socket on the port was destroyed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum News {
    /// At least one was.
    Some,
    /// None was, as far as the kernel tells.
    None,
}

impl Destroyed {
    /// Begins to listen. The kernel passes on nothing about other ports, so that a busy host does not wake the listener.
    pub fn on_port(transport: Transport, port: Port) -> Result<Self> {
        let netlink = Netlink::open(Channel::SockDiag)?;
        netlink.bind()?;
        let failed = |cause| Error::new("hear of", "destroyed sockets", cause);
        sys::attach_filter(&netlink, &mut only(port)).map_err(failed)?;
        let groups = match transport {
            Transport::Tcp => [SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY],
            Transport::Udp => [SKNLGRP_INET_UDP_DESTROY, SKNLGRP_INET6_UDP_DESTROY],
        };
        for group in groups {
            sys::join_netlink_group(&netlink, group).map_err(failed)?;
        }
        Ok(Self { netlink })
    }

    /// Takes in all the news there are: whether there were any. News that the kernel had to drop count as well.
    pub fn take_in(&mut self) -> Result<News> {
        let mut news = News::None;
        while self.netlink.discard()? {
            news = News::Some;
        }
        Ok(news)
    }
}

impl AsFd for Destroyed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

/// Passes messages whose `inet_diag_msg` has this local port.
fn only(port: Port) -> [libc::sock_filter; 4] {
    let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    [
        op(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, LOCAL_PORT_AT),
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::from(port.0)),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ]
}

/// After `struct nlmsghdr` (16 bytes) and four bytes of `struct inet_diag_msg`; in network byte order, as BPF reads.
const LOCAL_PORT_AT: u32 = 20;
/// `enum sknetlink_groups`.
const SKNLGRP_INET_TCP_DESTROY: u32 = 1;
const SKNLGRP_INET_UDP_DESTROY: u32 = 2;
const SKNLGRP_INET6_TCP_DESTROY: u32 = 3;
const SKNLGRP_INET6_UDP_DESTROY: u32 = 4;

#[cfg(test)]
mod tests;
