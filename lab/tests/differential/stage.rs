//! One port of a namespace and the sockets that a random walk puts on it.
//!
//! Beside the sockets it keeps what a tool cannot see afterwards: the options of connections whose descriptors are gone,
//! and which users have bound with `SO_REUSEPORT`. That is how the test knows more than the product.

use crate::bench::Bench;
use lastack_lab::random::Random;
use lastack_lab::sockets;
use lastack_model::bind::{Options, Request};
use lastack_model::facts::{Family, Kind, Socket, SocketOptions, Transport};
use lastack_model::ids::{Cookie, Inode, Port, Uid};
use lastack_model::state::State;
use lastack_model::truth::Truth;
use lastack_os::sock_diag::{Detail, Filter, fold};
use rustix::fd::OwnedFd;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Both ends of a connection, IPv4 in its plain form.
type Tuple = (IpAddr, SocketAddr);

/// The port and everything on it.
pub(crate) struct Stage<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) random: Random,
    pub(crate) transport: Transport,
    pub(crate) port: u16,
    /// Sockets on the port that are open.
    pub(crate) ours: Vec<OwnedFd>,
    /// The other ends of their connections.
    pub(crate) peers: Vec<OwnedFd>,
    /// What was done, for the report of a failure.
    pub(crate) story: Vec<String>,
    odds: Odds,
    options_seen: HashMap<Tuple, SocketOptions>,
    reuse_port_users: HashSet<Uid>,
}

/// How likely each option is on the sockets of one stage, in eighths: alike sockets share more often than mixed ones.
#[derive(Clone, Copy, Debug)]
struct Odds {
    reuse_address: usize,
    reuse_port: usize,
    v6only: usize,
}

/// How much is known of the sockets on the port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Knowledge {
    /// What a dump shows.
    Dump,
    /// The options of sockets with a descriptor as well.
    Descriptors,
    /// The options of all, remembered from before their descriptors were closed.
    Everything,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(
        bench: &'a Bench,
        mut random: Random,
        transport: Transport,
        port: u16,
    ) -> Self {
        let odds = Odds {
            reuse_address: random.pick(&[1, 4, 7]),
            reuse_port: random.pick(&[1, 3, 7]),
            v6only: random.pick(&[1, 4]),
        };
        Self {
            odds,
            bench,
            random,
            transport,
            port,
            ours: Vec::new(),
            peers: Vec::new(),
            story: Vec::new(),
            options_seen: HashMap::new(),
            reuse_port_users: HashSet::new(),
        }
    }

    /// A random request for this port, of a kind that programs make.
    pub(crate) fn request(&mut self, addresses: &[IpAddr]) -> Request {
        let address = self.random.pick(addresses);
        let is_v6 = address.is_ipv6();
        let options = Options {
            reuse_address: self.random.below(8) < self.odds.reuse_address,
            reuse_port: self.random.below(8) < self.odds.reuse_port,
            v6only: is_v6 && self.random.below(8) < self.odds.v6only,
            device: self.random.pick(&self.bench.devices),
            free_bind: false,
        };
        Request {
            transport: self.transport,
            address,
            port: Port(self.port),
            options,
            uid: self.random.pick(&USERS),
            may_bind_reserved: true,
        }
    }

    /// Keeps what would be forgotten: to be called after everything that is done to the sockets.
    pub(crate) fn remember(&mut self) {
        for socket in &self.ours {
            if let Some(remote) = sockets::remote(socket) {
                let tuple = tuple(sockets::local(socket).ip(), remote);
                self.options_seen.insert(tuple, sockets::options(socket));
            }
        }
    }

    /// Keeps the options that a connection in the queue has from its listener, if there is no doubt which.
    pub(crate) fn remember_queued(&mut self, to: IpAddr, peer: SocketAddr) {
        let listening = |socket: &&OwnedFd| {
            rustix::net::sockopt::socket_acceptconn(socket).is_ok_and(|listens| listens)
        };
        let mut options = self.ours.iter().filter(listening).map(sockets::options);
        if let Some(first) = options.next()
            && options.all(|other| other == first)
        {
            self.options_seen.insert(tuple(to, peer), first);
        }
    }

    /// Keeps who has bound or listened with `SO_REUSEPORT`.
    pub(crate) fn remember_bound(&mut self, socket: &OwnedFd) {
        if sockets::options(socket).reuse_port == Truth::Yes {
            self.reuse_port_users.insert(owner(socket));
        }
    }

    /// Whether the port may remember a `SO_REUSEPORT` bind of this user.
    pub(crate) fn may_remember(&self, user: Uid) -> bool {
        self.reuse_port_users.contains(&user)
    }

    /// The sockets on the port as a dump shows them.
    pub(crate) fn dump(&self) -> Vec<Socket> {
        self.dump_with(Detail::PortNamed)
    }

    /// The same, without what costs a second walk of the kernel's tables.
    pub(crate) fn glance(&self) -> Vec<Socket> {
        self.dump_with(Detail::Plain)
    }

    fn dump_with(&self, detail: Detail) -> Vec<Socket> {
        let filter = Filter::on_port(self.transport, Port(self.port)).with(detail);
        fold(&filter, Vec::push).expect("a dump of the port").folded
    }

    /// Waits until no connection is about to go on by itself: a FIN on its way is acknowledged within a moment, unless
    /// data that the peer does not take stands before it.
    pub(crate) fn settle(&self) {
        let on_its_way = |socket: &Socket| {
            matches!(socket.state, State::FinWait1 | State::LastAck | State::Closing)
                && socket.kind == Kind::Full
                && socket.send_queue <= 1
        };
        let deadline = Instant::now() + DELAYED_ACK;
        while Instant::now() < deadline && self.glance().iter().any(on_its_way) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The options of every socket with a descriptor.
    pub(crate) fn options_by_inode(&self) -> HashMap<Inode, SocketOptions> {
        let both = |socket| (sockets::inode(socket), sockets::options(socket));
        self.ours.iter().map(both).collect()
    }

    /// The sockets with as much known of them.
    pub(crate) fn informed(&self, dump: &[Socket], knowledge: Knowledge) -> Vec<Socket> {
        let by_inode = self.options_by_inode();
        let learn = |socket: &Socket| {
            let held = socket.inode.and_then(|inode| by_inode.get(&inode)).copied();
            let known = match knowledge {
                Knowledge::Dump => None,
                Knowledge::Descriptors => held,
                Knowledge::Everything => held.or_else(|| self.remembered(socket, dump)),
            };
            known.map_or_else(|| socket.clone(), |options| with_options(socket, options))
        };
        dump.iter().map(learn).collect()
    }

    /// A descriptor of ours by its cookie.
    pub(crate) fn by_cookie(&self, cookie: Cookie) -> Option<&OwnedFd> {
        self.ours.iter().find(|socket| sockets::cookie(socket) == cookie)
    }

    /// Two connections with one four-tuple (on different devices) cannot be told apart.
    fn remembered(&self, socket: &Socket, dump: &[Socket]) -> Option<SocketOptions> {
        let wanted = tuple(socket.local.ip(), socket.remote?);
        let same = |other: &&Socket| {
            other.remote.is_some_and(|remote| tuple(other.local.ip(), remote) == wanted)
        };
        let alone = dump.iter().filter(same).count() == 1;
        self.options_seen.get(&wanted).copied().filter(|_| alone)
    }
}

/// The socket with these options known, as the product learns them.
pub(crate) fn with_options(socket: &Socket, options: SocketOptions) -> Socket {
    let v6only = socket.v6only.or(options.v6only);
    let v6only = if v6only == Truth::Unknown { options.v6only } else { v6only };
    Socket { options, v6only, ..socket.clone() }
}

/// The user that a socket belongs to (`sk_uid` follows the inode's owner).
pub(crate) fn owner(socket: &OwnedFd) -> Uid {
    Uid(rustix::fs::fstat(socket).expect("fstat of a socket").st_uid)
}

/// True when the socket can hold IPv6 addresses.
pub(crate) fn family(socket: &OwnedFd) -> Family {
    if sockets::local(socket).is_ipv6() { Family::V6 } else { Family::V4 }
}

fn tuple(local: IpAddr, remote: SocketAddr) -> Tuple {
    (local.to_canonical(), SocketAddr::new(remote.ip().to_canonical(), remote.port()))
}

/// The longest that an acknowledgement of a FIN is put off (`TCP_DELACK_MAX`).
const DELAYED_ACK: Duration = Duration::from_millis(200);
pub(crate) const USERS: [Uid; 4] = [Uid(0), Uid(0), Uid(1000), Uid(1001)];
