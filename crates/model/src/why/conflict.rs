//! The sockets that stand in the way: what each of them is, who holds it, and for how long it stays.

use super::Need;
use super::judgement::Judgement;
use crate::bind::{Barrier, Overlap, Rules, relation};
use crate::facts::{Facts, Holder, Host, Kind, Service, Socket, SocketGroup, Transport};
use crate::ids::{Inode, Pid};
use crate::lifetime::{Lifetime, lifetime};
use crate::state::State;
use crate::truth::Truth;
use std::collections::HashSet;

/// Sockets that stand against a bind.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Conflict {
    /// The sockets.
    pub sockets: SocketGroup,
    /// What they are.
    pub role: Role,
    /// The processes that hold them, one entry a process.
    pub holders: Vec<Holder>,
    /// The service that made them, from their control group.
    pub service: Option<Service>,
    /// Which of the wanted binds they stand against, and why.
    pub against: Vec<Against>,
    /// How long they stay.
    pub lifetime: Lifetime,
}

/// How a conflict stands against one wanted bind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Against {
    /// The position of the wanted bind.
    pub request: usize,
    /// Why the addresses overlap.
    pub overlap: Option<Overlap>,
    /// Why they may not share.
    pub barrier: Barrier,
    /// Whether it certainly stands in the way.
    pub certain: Truth,
}

/// What a socket is, in the life of a server or client; those that say most come first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Role {
    /// Accepts connections.
    Listener,
    /// Bound, and never listened: invisible to most tools.
    BoundOnly,
    /// Its connection is dead and the descriptor was not closed.
    Dead,
    /// A UDP socket.
    Udp,
    /// The peer has closed and the program has not: a leak unless it closes soon.
    CloseWait,
    /// Half-closed by the program, which still holds it.
    HalfClosed,
    /// A connection that a server accepted.
    Accepted,
    /// A connection on a port that the kernel lends to outgoing connections: a client's, as far as can be inferred.
    Outgoing,
    /// A connection waiting to be accepted.
    Queued,
    /// Closed by its program, not acknowledged by the peer yet.
    OrphanUnacknowledged,
    /// Closed by its program, acknowledged; the peer has not closed.
    OrphanFinWait2,
    /// The wait that follows an active close.
    TimeWait,
}

impl Conflict {
    /// True when it certainly stands in the way of some wanted bind.
    pub fn is_certain(&self) -> bool {
        self.against.iter().any(|against| against.certain == Truth::Yes)
    }
}

impl Role {
    /// True when no process can release it, because none holds it.
    pub const fn is_unheld(self) -> bool {
        match self {
            Self::Queued | Self::OrphanUnacknowledged | Self::OrphanFinWait2 | Self::TimeWait => {
                true
            }
            Self::Listener
            | Self::BoundOnly
            | Self::Dead
            | Self::Accepted
            | Self::Outgoing
            | Self::CloseWait
            | Self::HalfClosed
            | Self::Udp => false,
        }
    }
}

/// Every group that stands against some wanted bind: the certain ones first, and what says most.
pub(super) fn conflicts(judgements: &[Judgement], facts: &Facts, rules: Rules) -> Vec<Conflict> {
    let groups = facts.sockets.groups();
    let has_listener = groups.iter().any(|group| group.example.state == State::Listen);
    let mut conflicts: Vec<Conflict> = (0..groups.len())
        .filter_map(|at| {
            let against = stands_against(at, judgements, &groups[at].example, rules);
            (!against.is_empty()).then(|| Conflict {
                role: role(&groups[at].example, &facts.host, has_listener),
                holders: holders(&groups[at], facts),
                service: service(&groups[at].example, facts),
                lifetime: lifetime(&groups[at], &facts.host),
                against,
                sockets: groups[at].clone(),
            })
        })
        .collect();
    conflicts.sort_by_key(|conflict| (!conflict.is_certain(), conflict.role));
    conflicts
}

/// Every group as what it is, though nobody asked to bind beside it.
pub fn connections(facts: &Facts) -> Vec<Conflict> {
    let describe = |group: &SocketGroup| Conflict {
        // Whether a server accepted it shows only beside its listener, which is not looked for here.
        role: role(&group.example, &facts.host, false),
        holders: holders(group, facts),
        service: service(&group.example, facts),
        lifetime: lifetime(group, &facts.host),
        against: Vec::new(),
        sockets: group.clone(),
    };
    let mut all: Vec<Conflict> = facts.sockets.groups().iter().map(describe).collect();
    all.sort_by_key(|connection| connection.role);
    all
}

fn stands_against(
    at: usize,
    judgements: &[Judgement],
    socket: &Socket,
    rules: Rules,
) -> Vec<Against> {
    let mut against = Vec::new();
    for (request, judgement) in judgements.iter().enumerate() {
        let certain = if judgement.certain.contains(&at) {
            Truth::Yes
        } else if judgement.possible.contains(&at) {
            Truth::Unknown
        } else {
            continue;
        };
        let relation = relation(&judgement.request, socket, rules);
        against.push(Against {
            request,
            overlap: relation.overlap,
            barrier: relation.barrier,
            certain,
        });
    }
    against
}

fn service(socket: &Socket, facts: &Facts) -> Option<Service> {
    let cgroup = socket.cgroup?;
    facts.services.iter().find(|(id, _)| *id == cgroup).map(|(_, service)| service.clone())
}

/// One entry per process, whichever of the group's sockets it holds.
pub(super) fn holders(group: &SocketGroup, facts: &Facts) -> Vec<Holder> {
    let inodes: HashSet<Inode> = group.inodes.iter().copied().collect();
    let mut pids: HashSet<Pid> = HashSet::new();
    let of_group = facts.holders.iter().filter(|holder| inodes.contains(&holder.inode));
    of_group.filter(|holder| pids.insert(holder.process.pid)).cloned().collect()
}

/// Asks for the holders of conflicting sockets that were not looked for yet.
pub(super) fn holders_needed(conflicts: &[Conflict], facts: &Facts) -> Option<Need> {
    let sought: HashSet<Inode> = facts.holders_sought.iter().copied().collect();
    let inodes = conflicts.iter().flat_map(|conflict| conflict.sockets.inodes.iter().copied());
    let unsought: Vec<Inode> = inodes.filter(|inode| !sought.contains(inode)).collect();
    (!unsought.is_empty()).then_some(Need::Holders(unsought))
}

/// What this socket is.
pub(super) fn role(socket: &Socket, host: &Host, has_listener: bool) -> Role {
    if socket.transport == Transport::Udp {
        return Role::Udp;
    }
    match (socket.kind, socket.state) {
        (Kind::Minisock, State::FinWait2) => Role::OrphanFinWait2,
        (Kind::Minisock, _) | (_, State::TimeWait) => Role::TimeWait,
        (_, State::Listen) => Role::Listener,
        (_, State::Closed) if socket.remote.is_some() => Role::Dead,
        (_, State::Closed) => Role::BoundOnly,
        (_, State::CloseWait) if !socket.is_orphan() => Role::CloseWait,
        (_, State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck)
            if !socket.is_orphan() =>
        {
            Role::HalfClosed
        }
        (_, State::FinWait2) => Role::OrphanFinWait2,
        (_, State::FinWait1 | State::Closing | State::LastAck) => Role::OrphanUnacknowledged,
        (_, State::Established | State::SynSent | State::SynReceived | State::CloseWait) => {
            connection_role(socket, host, has_listener)
        }
    }
}

fn connection_role(socket: &Socket, host: &Host, has_listener: bool) -> Role {
    let lent = host.sysctls.local_port_range.contains(socket.port());
    if socket.is_orphan() && has_listener {
        Role::Queued
    } else if socket.state == State::SynSent || (lent && !has_listener) {
        Role::Outgoing
    } else {
        Role::Accepted
    }
}
