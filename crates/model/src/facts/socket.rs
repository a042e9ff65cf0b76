//! One socket as the kernel shows it, and the groups that alike sockets are folded into.

use crate::ids::{CgroupId, Cookie, Inode, InterfaceIndex, Port, Uid};
use crate::state::State;
use crate::transport::{Family, Transport};
use crate::truth::Truth;
use std::net::{IpAddr, SocketAddr};

/// What the kernel keeps for the socket.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Kind {
    /// A whole socket, with or without a process that holds it.
    Full,
    /// The small remainder of a closed connection (`inet_timewait_sock`): `TIME_WAIT`, or an orphaned
    /// `FIN_WAIT_2`. No process holds it and it carries no uid.
    Minisock,
    /// A handshake that is not complete (`request_sock`). It owns no port.
    Request,
}

/// Which timer of a socket runs (`idiag_timer`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TimerKind {
    /// None.
    #[default]
    Off,
    /// Retransmission, or the probes that stand in for it.
    Retransmit,
    /// Keepalive, or the wait of an orphaned `FIN_WAIT_2` that is still a full socket.
    Keepalive,
    /// The end of a minisock.
    TimeWait,
    /// Zero-window probe.
    Probe,
}

/// A socket's running timer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Timer {
    /// Which.
    pub kind: TimerKind,
    /// Milliseconds until it fires.
    pub remaining_ms: u32,
    /// Retransmissions or probes already sent without an answer.
    pub retransmits: u8,
}

/// How data moves on a connection, from `tcp_info` (only when it was asked for).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Traffic {
    /// Present retransmission timeout in milliseconds, back-off included (`tcpi_rto`).
    pub rto_ms: u32,
    /// Milliseconds since data was last sent (`tcpi_last_data_sent`).
    pub last_sent_ms: u32,
    /// Milliseconds since data last arrived (`tcpi_last_data_recv`).
    pub last_received_ms: u32,
    /// Milliseconds since an ACK last arrived (`tcpi_last_ack_recv`).
    pub last_ack_ms: u32,
    /// True when both sides use timestamps (`TCPI_OPT_TIMESTAMPS`).
    pub timestamps: bool,
}

/// Options of a socket that no dump shows; read with `getsockopt` on a duplicate of its descriptor.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct SocketOptions {
    /// `SO_REUSEADDR`.
    pub reuse_address: Truth,
    /// `SO_REUSEPORT`.
    pub reuse_port: Truth,
    /// `IPV6_V6ONLY`.
    pub v6only: Truth,
}

/// Options that a dump shows for full sockets (`INET_DIAG_SOCKOPT`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct ShownOptions {
    /// `IP_FREEBIND`: bound to an address that need not be local.
    pub free_bind: Truth,
    /// `IP_TRANSPARENT`: may carry addresses of others.
    pub transparent: Truth,
    /// `IP_BIND_ADDRESS_NO_PORT`: its port is chosen by `connect()`.
    pub bind_address_no_port: Truth,
}

/// One socket, or minisock, or half-open handshake.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Socket {
    /// TCP or UDP.
    pub transport: Transport,
    /// The family of the socket, which a mapped address does not change.
    pub family: Family,
    /// Local address and port; a mapped address stays in its IPv6 form.
    pub local: SocketAddr,
    /// Remote address and port, when there is one.
    pub remote: Option<SocketAddr>,
    /// The interface it is bound to (`SO_BINDTODEVICE`).
    pub device: Option<InterfaceIndex>,
    /// Connection state. A bound socket that never listened is `Closed`.
    pub state: State,
    /// What the kernel keeps for it.
    pub kind: Kind,
    /// The timer that runs.
    pub timer: Timer,
    /// The uid the rules compare; `None` where the kernel does not say (minisocks, requests).
    pub uid: Option<Uid>,
    /// Link to the descriptors that hold it; `None` for minisocks, orphans and queued children.
    pub inode: Option<Inode>,
    /// The kernel's identity of the socket.
    pub cookie: Cookie,
    /// The control group it was made in.
    pub cgroup: Option<CgroupId>,
    /// `IPV6_V6ONLY`, which the kernel shows only for some states.
    pub v6only: Truth,
    /// Options the dump shows.
    pub shown: ShownOptions,
    /// Options the dump does not show.
    pub options: SocketOptions,
    /// Whether the port was named in `bind()` (`SOCK_BINDPORT_LOCK`) rather than chosen.
    pub port_named: Truth,
    /// Bytes received and not read; for a listener, connections in its accept queue.
    pub receive_queue: u32,
    /// Bytes not yet acknowledged; for a listener, its backlog.
    pub send_queue: u32,
    /// Movement of data, when it was asked for.
    pub traffic: Option<Traffic>,
}

/// Sockets that the bind rules cannot tell apart.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct SocketGroup {
    /// The first one seen; it stands for the rest.
    pub example: Socket,
    /// How many there are.
    pub count: u64,
    /// When their timers run out, first and last.
    pub expiry: Option<Expiry>,
    /// The inodes of those that have one.
    pub inodes: Vec<Inode>,
    /// A few of the remote ends.
    pub remotes: Vec<SocketAddr>,
    /// Unacknowledged bytes of all together.
    pub unacknowledged: u64,
    /// What sets those apart that a descriptor identifies, in the order of `inodes`. A saved file does not have it.
    #[cfg_attr(feature = "serde", serde(skip))]
    members: Vec<Member>,
}

/// What one member of a group has to itself.
#[derive(Clone, Copy, Debug)]
struct Member {
    inode: Inode,
    cookie: Cookie,
    remote: Option<SocketAddr>,
    send_queue: u32,
}

/// The span in which a group's timers run out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Expiry {
    /// Milliseconds until the first.
    pub first_ms: u32,
    /// Milliseconds until the last.
    pub last_ms: u32,
}

/// What makes two sockets alike for the rules and for the reader.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Likeness {
    transport: Transport,
    family: Family,
    local: SocketAddr,
    device: Option<InterfaceIndex>,
    state: State,
    kind: Kind,
    uid: Option<Uid>,
    held: Held,
    cgroup: Option<CgroupId>,
    v6only: Truth,
    options: SocketOptions,
    port_named: Truth,
    timer: TimerKind,
}

/// Whether a socket has a descriptor; a listener is never folded, each is worth its own line.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Held {
    Nobody,
    Somebody,
    Listener(Cookie),
}

impl Socket {
    /// A full socket without a connection, of which nothing else is known.
    pub const fn closed(transport: Transport, local: SocketAddr) -> Self {
        Self {
            transport,
            family: match local {
                SocketAddr::V4(_) => Family::V4,
                SocketAddr::V6(_) => Family::V6,
            },
            local,
            remote: None,
            device: None,
            state: State::Closed,
            kind: Kind::Full,
            timer: Timer { kind: TimerKind::Off, remaining_ms: 0, retransmits: 0 },
            uid: None,
            inode: None,
            cookie: Cookie(0),
            cgroup: None,
            v6only: Truth::Unknown,
            shown: ShownOptions {
                free_bind: Truth::Unknown,
                transparent: Truth::Unknown,
                bind_address_no_port: Truth::Unknown,
            },
            options: SocketOptions {
                reuse_address: Truth::Unknown,
                reuse_port: Truth::Unknown,
                v6only: Truth::Unknown,
            },
            port_named: Truth::Unknown,
            receive_queue: 0,
            send_queue: 0,
            traffic: None,
        }
    }

    /// The local port.
    pub const fn port(&self) -> Port {
        Port(self.local.port())
    }

    /// True for a full socket that no descriptor refers to: closed by its program, not yet over.
    pub fn is_orphan(&self) -> bool {
        self.kind == Kind::Full && self.inode.is_none()
    }

    /// Bytes sent and not acknowledged; a listener counts its backlog in the same field.
    fn unacknowledged(&self) -> u64 {
        if self.state == State::Listen { 0 } else { u64::from(self.send_queue) }
    }

    /// True when it counts among the owners of its port (`inet_bind2_bucket` owners).
    pub fn owns_port(&self) -> bool {
        self.kind != Kind::Request
    }

    /// Whether IPv4 bypasses it; settled for mapped addresses, which `V6ONLY` sockets cannot have.
    pub fn known_v6only(&self) -> Truth {
        match (self.family, self.local.ip()) {
            (Family::V4, _) => Truth::No,
            (Family::V6, IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_some() => Truth::No,
            (Family::V6, _) => self.v6only,
        }
    }

    fn with_inode(&self, inode: Inode) -> Self {
        Self { inode: Some(inode), ..self.clone() }
    }

    pub(crate) fn likeness(&self) -> Likeness {
        let held = match (self.state, self.inode) {
            (State::Listen, _) => Held::Listener(self.cookie),
            (_, Some(_)) => Held::Somebody,
            (_, None) => Held::Nobody,
        };
        Likeness {
            transport: self.transport,
            family: self.family,
            local: self.local,
            device: self.device,
            state: self.state,
            kind: self.kind,
            uid: self.uid,
            held,
            cgroup: self.cgroup,
            v6only: self.v6only,
            options: self.options,
            port_named: self.port_named,
            timer: self.timer.kind,
        }
    }
}

impl SocketGroup {
    /// A group of one.
    pub fn of(socket: Socket) -> Self {
        Self {
            count: 1,
            expiry: Expiry::of(socket.timer),
            inodes: socket.inode.into_iter().collect(),
            remotes: socket.remote.into_iter().collect(),
            unacknowledged: socket.unacknowledged(),
            members: Member::of(&socket).into_iter().collect(),
            example: socket,
        }
    }

    /// True for a socket that would be counted into this group: the same one where a descriptor identifies it, one of
    /// the same likeness where none does.
    pub fn covers(&self, socket: &Socket) -> bool {
        match (self.example.inode, socket.inode) {
            (Some(_), Some(inode)) => {
                self.inodes.contains(&inode) && self.example.state == socket.state
            }
            (None, None) => self.example.likeness() == socket.likeness(),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    pub(super) fn absorb(&mut self, socket: &Socket) {
        self.count += 1;
        self.inodes.extend(socket.inode);
        self.members.extend(Member::of(socket));
        self.unacknowledged += socket.unacknowledged();
        self.expiry = match (self.expiry, Expiry::of(socket.timer)) {
            (Some(a), Some(b)) => Some(Expiry {
                first_ms: a.first_ms.min(b.first_ms),
                last_ms: a.last_ms.max(b.last_ms),
            }),
            (a, b) => a.or(b),
        };
        if self.remotes.len() < REMOTES_KEPT {
            self.remotes.extend(socket.remote);
        }
    }

    /// Takes those members out of which the closure says so; each keeps what the group knows of it.
    pub(super) fn release(&mut self, leaves: impl Fn(Inode) -> bool) -> Vec<Socket> {
        let (left, kept): (Vec<Inode>, Vec<Inode>) =
            self.inodes.iter().partition(|inode| leaves(**inode));
        let (gone, stay): (Vec<Member>, Vec<Member>) =
            self.members.iter().partition(|member| leaves(member.inode));
        let released: Vec<Socket> = if gone.len() == left.len() {
            gone.iter().map(|member| member.like(&self.example)).collect()
        } else {
            left.iter().map(|inode| self.example.with_inode(*inode)).collect()
        };
        for socket in &released {
            self.unacknowledged = self.unacknowledged.saturating_sub(socket.unacknowledged());
            self.remotes.retain(|remote| Some(*remote) != socket.remote);
        }
        self.count -= released.len() as u64;
        (self.inodes, self.members) = (kept, stay);
        if self.example.inode.is_some_and(leaves) {
            self.example = match (self.members.first(), self.inodes.first()) {
                (Some(member), _) => member.like(&self.example),
                (None, Some(inode)) => self.example.with_inode(*inode),
                (None, None) => return released,
            };
        }
        released
    }
}

impl Member {
    fn of(socket: &Socket) -> Option<Self> {
        let Socket { cookie, remote, send_queue, .. } = *socket;
        socket.inode.map(|inode| Self { inode, cookie, remote, send_queue })
    }

    /// This member, which in everything else is as the group's example.
    fn like(&self, example: &Socket) -> Socket {
        let Self { inode, cookie, remote, send_queue } = *self;
        Socket { remote, cookie, send_queue, ..example.with_inode(inode) }
    }
}

impl Expiry {
    fn of(timer: Timer) -> Option<Self> {
        (timer.kind != TimerKind::Off)
            .then_some(Self { first_ms: timer.remaining_ms, last_ms: timer.remaining_ms })
    }
}

/// Remote ends kept per group: enough to recognise a peer, few enough to print.
const REMOTES_KEPT: usize = 4;
