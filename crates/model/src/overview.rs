//! The overview of a host: who listens, what is ending, and what looks wrong.
//!
//! Sockets are counted as they stream in; nothing is kept of a connection but its place in the counts.

use crate::facts::{Family, Host, Kind, PortRange, Socket, SocketGroup};
use crate::ids::{Inode, Port};
use crate::ports::Strain;
use crate::state::State;
use crate::truth::Truth;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    listeners: Vec<SocketGroup>,
    listening_ports: HashSet<Port>,
    states: BTreeMap<State, u64>,
    orphans: u64,
    time_waits_served: HashMap<Port, u64>,
    time_waits_toward: HashMap<SocketAddr, u64>,
    live_toward: HashMap<SocketAddr, Live>,
    close_waits: Vec<Inode>,
}

/// The connections to one destination that are not in `TIME_WAIT`.
#[derive(Clone, Debug, Default)]
struct Live {
    count: u64,
    inodes: Vec<Inode>,
}

/// The overview.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Overview {
    /// Listeners, by port.
    pub listeners: Vec<SocketGroup>,
    /// Connections by state.
    pub states: BTreeMap<State, u64>,
    /// Connections whose program has closed them and whose peer has not answered.
    pub orphans: u64,
    /// The destinations with most `TIME_WAIT` on this side, and how near each is to the limit.
    pub destinations: Vec<Destination>,
    /// The listening ports with most `TIME_WAIT`: their clients do not close first.
    pub served: Vec<(Port, u64)>,
    /// What looks wrong.
    pub problems: Vec<Problem>,
}

/// One destination of outgoing connections.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Destination {
    /// Where to.
    pub address: SocketAddr,
    /// Connections to it in `TIME_WAIT`.
    pub time_waits: u64,
    /// Connections to it in all.
    pub connections: u64,
    /// How near the local ports toward it are to their end.
    pub strain: Strain,
    /// Some of the live connections to it: whoever holds them probably made the others too, which is inferred.
    pub live: Vec<Inode>,
}

/// Something that looks wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Problem {
    /// Connections that the peer has closed and the program has not.
    CloseWaits {
        /// How many.
        count: u64,
        /// Some of them, to find who holds them.
        inodes: Vec<Inode>,
    },
    /// Orphans near `tcp_max_orphans`, above which the kernel resets them.
    Orphans {
        /// How many.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// `TIME_WAIT`s near `tcp_max_tw_buckets`, above which the kernel makes none.
    TimeWaits {
        /// How many.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// The local ports toward a destination are nearly spent.
    Ports(Destination),
    /// A listener on one family only: anybody may take the same port of the other family.
    OneFamily {
        /// The listener.
        listener: SocketAddr,
    },
    /// Two listeners of different users overlap, which the ordinary rules cannot produce: an alarm.
    Overlap {
        /// Where.
        address: SocketAddr,
    },
}

impl Tally {
    /// Counts a socket. The kernel lends the ports of `lent` to outgoing connections.
    pub fn add(&mut self, socket: Socket, lent: PortRange) {
        *self.states.entry(socket.state).or_default() += 1;
        match socket.state {
            State::Listen => {
                self.listening_ports.insert(socket.port());
                self.listeners.push(SocketGroup::of(socket));
                return;
            }
            State::CloseWait => self.close_waits.extend(socket.inode),
            _ => {}
        }
        let ended = matches!(
            socket.state,
            State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck
        );
        if ended && socket.is_orphan() {
            self.orphans += 1;
        }
        self.count_connection(&socket, lent);
    }

    /// Listeners come first in a dump, so a connection on a listener's port was accepted. Where no listener is left,
    /// a port outside the lent range facing one inside was a server's: inferred.
    fn count_connection(&mut self, socket: &Socket, lent: PortRange) {
        let Some(remote) = socket.remote.filter(|_| socket.kind != Kind::Request) else { return };
        let time_wait = socket.state == State::TimeWait;
        let served = self.listening_ports.contains(&socket.port())
            || (!lent.contains(socket.port()) && lent.contains(Port(remote.port())));
        if served {
            if time_wait {
                *self.time_waits_served.entry(socket.port()).or_default() += 1;
            }
            return;
        }
        if time_wait {
            *self.time_waits_toward.entry(remote).or_default() += 1;
            return;
        }
        let live = self.live_toward.entry(remote).or_default();
        live.count += 1;
        if live.inodes.len() < LIVE_KEPT {
            live.inodes.extend(socket.inode);
        }
    }

    /// What the counts say on this host.
    pub fn overview(mut self, host: &Host) -> Overview {
        self.listeners.sort_by_key(|group| (group.example.port(), group.example.local));
        let destinations = self.destinations(host);
        let mut served: Vec<(Port, u64)> = self.time_waits_served.drain().collect();
        served.sort_by_key(|(port, count)| (std::cmp::Reverse(*count), *port));
        served.truncate(SHOWN);
        Overview {
            problems: self.problems(host, &destinations),
            listeners: self.listeners,
            states: self.states,
            orphans: self.orphans,
            destinations,
            served,
        }
    }

    fn destinations(&self, host: &Host) -> Vec<Destination> {
        let usable = crate::bind::Candidates::of(host).count() as u64;
        let mut all: Vec<Destination> = self
            .time_waits_toward
            .iter()
            .map(|(&address, &time_waits)| {
                let live = self.live_toward.get(&address).cloned().unwrap_or_default();
                let connections = live.count + time_waits;
                let strain = match usable.saturating_sub(connections) {
                    0 => Strain::Spent,
                    left if left < usable / 5 => Strain::NearLimit,
                    _ => Strain::Harmless,
                };
                Destination { address, time_waits, connections, strain, live: live.inodes }
            })
            .collect();
        all.sort_by_key(|d| (std::cmp::Reverse(d.time_waits), d.address));
        all.truncate(SHOWN);
        all
    }

    fn problems(&self, host: &Host, destinations: &[Destination]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let time_waits = self.states.get(&State::TimeWait).copied().unwrap_or_default();
        problems.extend(overlaps(&self.listeners));
        if !self.close_waits.is_empty() {
            let inodes = self.close_waits.iter().take(INODES_KEPT).copied().collect();
            problems.push(Problem::CloseWaits { count: self.close_waits.len() as u64, inodes });
        }
        let limit = u64::from(host.sysctls.max_orphans);
        if self.orphans * 2 > limit {
            problems.push(Problem::Orphans { count: self.orphans, limit });
        }
        let limit = u64::from(host.sysctls.max_tw_buckets);
        if time_waits * 10 > limit * 8 {
            problems.push(Problem::TimeWaits { count: time_waits, limit });
        }
        let strained = destinations.iter().filter(|d| d.strain != Strain::Harmless);
        problems.extend(strained.cloned().map(Problem::Ports));
        if host.ipv6 {
            problems.extend(one_family(&self.listeners, host));
        }
        problems
    }
}

/// Listeners whose port in the other family is open to anybody: IPv4 alone, or `V6ONLY`, on a port without privilege.
fn one_family(listeners: &[SocketGroup], host: &Host) -> Vec<Problem> {
    let covers = |group: &SocketGroup, family: Family| {
        group.example.family == family
            || (group.example.family == Family::V6 && group.example.v6only == Truth::No)
    };
    let mut ports: Vec<Port> = Vec::new();
    let mut problems = Vec::new();
    for group in listeners {
        let port = group.example.port();
        if port.0 < host.sysctls.unprivileged_port_start || ports.contains(&port) {
            continue;
        }
        ports.push(port);
        let here = || listeners.iter().filter(|other| other.example.port() == port);
        let both = [Family::V4, Family::V6].iter().all(|f| here().any(|other| covers(other, *f)));
        if !both {
            problems.push(Problem::OneFamily { listener: group.example.local });
        }
    }
    problems
}

fn overlaps(listeners: &[SocketGroup]) -> Vec<Problem> {
    let clash = |one: &SocketGroup, other: &SocketGroup| {
        one.example.local == other.example.local
            && one.example.uid != other.example.uid
            && one.example.device == other.example.device
    };
    let mut problems = Vec::new();
    for (at, one) in listeners.iter().enumerate() {
        if listeners[at + 1..].iter().any(|other| clash(one, other)) {
            problems.push(Problem::Overlap { address: one.example.local });
        }
    }
    problems
}

/// How many destinations and ports are listed.
const SHOWN: usize = 10;
/// How many live connections are kept per destination, to tell who makes them.
const LIVE_KEPT: usize = 4;
/// How many leaked sockets are attributed.
const INODES_KEPT: usize = 256;

#[cfg(test)]
mod tests;
