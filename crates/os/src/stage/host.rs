//! One of the two hosts: a network namespace of its own, whose only wire is a TUN device of this program.
//!
//! One thread plays both hosts. It enters a host's namespace where that matters, which is when a socket is made; after
//! that a socket is in its own namespace whoever calls.

use crate::live::ground;
use crate::sock_diag::{self, Filter};
use crate::tun::Tun;
use crate::{Error, Result, namespace};
use lastack_model::facts::{Socket, Transport};
use lastack_model::ladder::{Side, index};
use lastack_model::state::State;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) side: Side,
    pub(super) tun: Tun,
    namespace: File,
}

impl Host {
    /// A new one, in which nothing ever happened. The calling thread stays in it.
    pub(super) fn new(side: Side, fin_timeout: FinTimeout) -> Result<Self> {
        namespace::enter_new()?;
        let namespace =
            File::open(OWN_NAMESPACE).map_err(|cause| Error::new("open", OWN_NAMESPACE, cause))?;
        for (name, value) in ground::SETTINGS.iter().chain(&PATIENCE) {
            ground::set(name, value)?;
        }
        if fin_timeout == FinTimeout::Short {
            ground::set("net.ipv4.tcp_fin_timeout", "2")?;
        }
        let tun = Tun::new("story")?;
        tun.bring_up(*address(side).ip(), *address(side.other()).ip())?;
        Ok(Self { side, tun, namespace })
    }

    /// Lets the calling thread be on this host.
    pub(super) fn enter(&self) -> Result<()> {
        move_into_link_name_space(self.namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|cause| Error::new("enter", "the network namespace of a story", cause))
    }

    /// Every TCP socket on it.
    pub(super) fn sockets(&self) -> Result<Vec<Socket>> {
        self.enter()?;
        let add = |all: &mut Vec<Socket>, socket| all.push(socket);
        sock_diag::fold(&Filter::all(Transport::Tcp), add).map(|dump| dump.folded)
    }

    /// Its socket of the connection, of those that it has; one that is closed and held counts only by itself.
    pub(super) fn connection(&self, sockets: &[Socket]) -> Option<Socket> {
        let peer = Some(address(self.side.other()).into());
        let is =
            |socket: &&Socket| socket.local == address(self.side).into() && socket.remote == peer;
        sockets.iter().filter(is).max_by_key(|socket| socket.state != State::Closed).cloned()
    }
}

/// How long a `FIN_WAIT_2` lasts that no program holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FinTimeout {
    /// As usual: longer than the story.
    Usual,
    /// So short that it can be waited for.
    Short,
}

/// Where an end of the connection is: addresses from blocks for documentation (RFC 5737).
pub(super) const fn address(side: Side) -> SocketAddrV4 {
    [
        SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 40_000),
        SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 1), 8080),
    ][index(side)]
}

/// What is waited for is made short where the kernel lets it.
const PATIENCE: [(&str, &str); 5] = [
    ("net.ipv4.tcp_fin_timeout", "60"),
    ("net.ipv4.tcp_orphan_retries", "3"),
    ("net.ipv4.tcp_retries2", "3"),
    ("net.ipv4.tcp_syn_retries", "2"),
    ("net.ipv4.tcp_synack_retries", "1"),
];
const OWN_NAMESPACE: &str = "/proc/thread-self/ns/net";
