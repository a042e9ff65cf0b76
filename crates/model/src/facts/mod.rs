//! What was seen of a host: sockets, their holders, the settings that touch binding. Plain data,
//! filled by `lastack-os` or read from a file, so that every answer can be replayed anywhere.
//! Nothing here judges; what could not be seen is recorded as [`Unseen`], never left out.

mod host;
mod process;
mod socket;

pub use crate::transport::{Family, Transport};
pub use host::{
    Asker, Host, Interface, Interface6Address, KernelVersion, LocalRoute, LocalRouteKind,
    PortRange, PortSet, Scope, Sysctls,
};
pub use process::{
    Ancestor, Descriptor, Holder, Inheritance, Process, RestartPolicy, Service, ServiceKind,
    Supervisor,
};
pub use socket::{
    Expiry, Kind, ShownOptions, Socket, SocketGroup, SocketOptions, Timer, TimerKind, Traffic,
};

use crate::errno::Errno;
use crate::ids::{CgroupId, Inode, NamespaceId, Port};
use crate::request::Request;
use std::collections::HashMap;

/// Everything known about one network namespace, as far as a question needed it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Facts {
    /// Settings, addresses and the asker's rights.
    pub host: Host,
    /// The sockets asked about, alike ones folded together.
    pub sockets: Sockets,
    /// Processes that hold those sockets.
    pub holders: Vec<Holder>,
    /// The inodes whose holders were looked for, found or not.
    pub holders_sought: Vec<Inode>,
    /// The services that made sockets, by control group: visible where no process is.
    pub services: Vec<(CgroupId, Service)>,
    /// Sockets on the same ports in other network namespaces.
    pub elsewhere: Vec<Elsewhere>,
    /// The ports that were looked for there.
    pub elsewhere_sought: Vec<(Transport, Port)>,
    /// What the kernel answered when it was asked by binding.
    pub trials: Vec<Trial>,
    /// What could not be seen, why, and what would show it.
    pub unseen: Vec<Unseen>,
}

/// Sockets folded into groups while they stream in, so that 300,000 alike cost what one does.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(from = "Vec<SocketGroup>", into = "Vec<SocketGroup>"))]
pub struct Sockets {
    groups: Vec<SocketGroup>,
    index: HashMap<socket::Likeness, usize>,
    recent: Recent,
}

/// The groups that took the last sockets, which mostly take the next: looked at before anything is hashed.
#[derive(Clone, Copy, Debug, Default)]
struct Recent([usize; RECENT]);

/// A socket on an asked port, seen in another network namespace: never a conflict, often the answer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Elsewhere {
    /// The namespace's inode.
    pub namespace: NamespaceId,
    /// Its name under `/run/netns`, when it has one.
    pub name: Option<String>,
    /// A process that lives there.
    pub resident: Option<Process>,
    /// The socket seen.
    pub socket: SocketGroup,
}

/// One question put to the kernel by binding a socket and closing it again.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Trial {
    /// The bind that was tried.
    pub request: Request,
    /// What came of it.
    pub outcome: TrialOutcome,
}

/// What came of a trial bind.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TrialOutcome {
    /// The kernel let it bind; it was closed at once.
    Bound,
    /// The kernel refused.
    Refused(Errno),
    /// It could not be tried: the reason.
    NotTried(String),
}

/// Something that could not be seen.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Unseen {
    /// What stayed hidden.
    pub what: String,
    /// Why.
    pub why: String,
    /// What would show it.
    pub remedy: String,
}

impl Facts {
    /// The holders of one socket.
    pub fn holders_of(&self, inode: Inode) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(move |holder| holder.inode == inode)
    }

    /// What a trial of exactly this request answered.
    pub fn trial_of(&self, request: &Request) -> Option<&TrialOutcome> {
        self.trials.iter().find(|trial| trial.request == *request).map(|trial| &trial.outcome)
    }
}

impl Sockets {
    /// Counts one more socket into the group of its like.
    pub fn add(&mut self, socket: Socket) {
        let likeness = socket.likeness();
        let Recent(recent) = self.recent;
        let is_like = |at: &usize| {
            self.groups.get(*at).is_some_and(|group| group.example.likeness() == likeness)
        };
        if let Some(at) = recent.into_iter().find(is_like) {
            self.groups[at].absorb(&socket);
        } else if let Some(&at) = self.index.get(&likeness) {
            self.recent.push(at);
            self.groups[at].absorb(&socket);
        } else {
            self.recent.push(self.groups.len());
            self.index.insert(likeness, self.groups.len());
            self.groups.push(SocketGroup::of(socket));
        }
    }

    /// Adds the groups of another collection.
    pub fn merge(&mut self, other: Self) {
        self.groups.extend(other.groups);
        self.reindex();
    }

    /// Records the options read from some sockets, which leave their group where they set them apart.
    pub fn learn_options(&mut self, read: &HashMap<Inode, SocketOptions>) {
        let mut learned = Vec::new();
        for group in &mut self.groups {
            learned.extend(group.release(|inode| read.contains_key(&inode)));
        }
        self.groups.retain(|group| group.count > 0);
        self.reindex();
        for mut socket in learned {
            let options = socket.inode.and_then(|inode| read.get(&inode));
            socket.options = options.copied().unwrap_or(socket.options);
            if !socket.v6only.is_known() {
                socket.v6only = socket.options.v6only;
            }
            self.add(socket);
        }
    }

    /// The groups, in the order they were first seen.
    pub fn groups(&self) -> &[SocketGroup] {
        &self.groups
    }

    /// How many sockets there are in all.
    pub fn count(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }

    fn reindex(&mut self) {
        self.index = self
            .groups
            .iter()
            .enumerate()
            .map(|(at, group)| (group.example.likeness(), at))
            .collect();
    }
}

impl Recent {
    fn push(&mut self, at: usize) {
        self.0.rotate_right(1);
        self.0[0] = at;
    }
}

impl From<Vec<SocketGroup>> for Sockets {
    fn from(groups: Vec<SocketGroup>) -> Self {
        let mut sockets = Self { groups, ..Self::default() };
        sockets.reindex();
        sockets
    }
}

impl From<Sockets> for Vec<SocketGroup> {
    fn from(sockets: Sockets) -> Self {
        sockets.groups
    }
}

/// A crowd on a port has few addresses; looking at more than this costs as much as hashing.
const RECENT: usize = 4;

#[cfg(test)]
mod tests;
