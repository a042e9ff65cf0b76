//! The processes that hold sockets: who they are, how they were started, who would start them again.

use crate::ids::{Inode, Pid, Uid};
use std::fmt;

/// One process's hold on one socket.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Holder {
    /// The socket.
    pub inode: Inode,
    /// The process.
    pub process: Process,
    /// Where in the process it is held.
    pub descriptor: Descriptor,
    /// How the process came by it.
    pub inheritance: Inheritance,
}

/// Where a socket is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Descriptor {
    /// An open file descriptor of the process.
    Open {
        /// Its number.
        number: i32,
        /// Whether it is closed on `exec`.
        close_on_exec: bool,
    },
    /// Sent over a Unix socket and not received yet; the process holds that Unix socket.
    InFlight {
        /// The descriptor of the Unix socket in whose queue it waits.
        carrier: i32,
    },
}

/// How a process came by a descriptor.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Inheritance {
    /// An ancestor holds the same socket: seen.
    FromAncestor(Pid),
    /// It looks inherited: the evidence, in words. Inferred.
    Likely(String),
    /// Nothing points to inheritance.
    NotSeen,
}

/// A process, as it was when it was looked at.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Process {
    /// Its pid, in the namespace lastack runs in.
    pub pid: Pid,
    /// Its short name (`/proc/PID/comm`).
    pub name: String,
    /// Its command line; empty when redacted or not readable.
    pub command: Vec<String>,
    /// Its working directory.
    pub directory: Option<String>,
    /// When it was started, in milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// Start time in clock ticks since boot, exact: with the pid it identifies the process.
    pub start_ticks: u64,
    /// Its filesystem uid, the one its sockets carry.
    pub uid: Uid,
    /// The user's name.
    pub user: Option<String>,
    /// The service or container it belongs to, from its control group.
    pub service: Option<Service>,
    /// Its parents, nearest first.
    pub ancestors: Vec<Ancestor>,
    /// What would start it again if it ended.
    pub supervisor: Option<Supervisor>,
}

/// A parent, or a parent's parent.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Ancestor {
    /// Its pid.
    pub pid: Pid,
    /// Its short name.
    pub name: String,
}

/// What runs a process, read from its control group's path.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Service {
    /// What manages it.
    pub kind: ServiceKind,
    /// The unit's name or the container's id.
    pub name: String,
}

/// What manages a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ServiceKind {
    /// A unit of the system's service manager.
    SystemUnit,
    /// A unit of a user's service manager.
    UserUnit,
    /// A Docker container.
    Docker,
    /// A Podman container.
    Podman,
    /// A container of a Kubernetes pod.
    Kubernetes,
    /// An LXC container.
    Lxc,
    /// A control group that no known manager made.
    Cgroup,
}

/// Something that starts a process again when it ends.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Supervisor {
    /// What it is called (`nodemon`, `systemd`, `docker`).
    pub name: String,
    /// Its process, when it is one of the ancestors.
    pub pid: Option<Pid>,
    /// Whether it will.
    pub policy: RestartPolicy,
    /// What it calls the program, for a supervisor of several: `group:name` for supervisord, the number for PM2, the
    /// service's directory for runit, s6 and daemontools.
    #[cfg_attr(feature = "serde", serde(default))]
    pub program: Option<String>,
    /// Where it is reached: supervisord's server, PM2's home, the run-time directory of a user's service manager.
    #[cfg_attr(feature = "serde", serde(default))]
    pub control: Option<String>,
    /// As whom it runs, where that decides who may command it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub uid: Option<Uid>,
}

/// Whether a supervisor restarts what ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RestartPolicy {
    /// It will, by this setting.
    Restarts(String),
    /// It restarts when the program's files change or by its own rules: known of such programs.
    Usually,
    /// It will not, by this setting.
    Never(String),
    /// Its setting could not be read.
    Unknown,
}

impl ServiceKind {
    /// Whether a container engine made it.
    pub const fn is_container(self) -> bool {
        matches!(self, Self::Docker | Self::Podman | Self::Kubernetes)
    }
}

impl fmt::Display for Service {
    /// The name people know it by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_str();
        // Container tools show and take the first twelve digits of an id.
        let id = name.get(..12).unwrap_or(name);
        match self.kind {
            ServiceKind::SystemUnit => write!(f, "unit {name}"),
            ServiceKind::UserUnit => write!(f, "user unit {name}"),
            ServiceKind::Docker => write!(f, "Docker container {id}"),
            ServiceKind::Podman => write!(f, "Podman container {id}"),
            ServiceKind::Kubernetes => write!(f, "Kubernetes container {id}"),
            ServiceKind::Lxc => write!(f, "LXC container {name}"),
            ServiceKind::Cgroup => write!(f, "control group {name}"),
        }
    }
}

impl Process {
    /// The program and its arguments in one line, the short name where nothing better is known.
    pub fn command_line(&self) -> String {
        if self.command.is_empty() { self.name.clone() } else { self.command.join(" ") }
    }
}
