//! What lives around the holders: who else would end with them, and whether that is the one who asks.

use super::hindrance::Hindrance;
use super::means::UserManager;
use super::{Actor, Means, Stop};
use crate::facts::{Process, Service};
use crate::ids::{Inode, Pid};

/// What is known around the holders. Empty where nobody would act, as when only commands are to be named.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Around {
    /// Who would act.
    pub actor: Actor,
    /// Processes that the person named: these may be ended even if one is the first process or an ancestor.
    pub named: Vec<Pid>,
    /// Every visible process.
    pub processes: Vec<Running>,
    /// The socket units whose sockets a service manager holds.
    pub activators: Vec<Activator>,
}

/// A process, as far as its place among the others goes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Running {
    /// Its pid.
    pub pid: Pid,
    /// Its short name.
    pub name: String,
    /// Its parent.
    pub parent: Pid,
    /// The path of its control group, in the hierarchy that names its service.
    pub group: Option<String>,
    /// Whether it has a controlling terminal.
    pub has_terminal: bool,
}

/// A unit whose socket a service manager listens on until somebody connects.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Activator {
    /// The socket.
    pub inode: Inode,
    /// The service manager that holds it.
    pub manager: Pid,
    /// The socket unit.
    pub unit: String,
    /// The user whose service manager it is; `None` for the system's.
    pub user: Option<UserManager>,
}

/// A process that would end although it holds nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Companion {
    /// Its pid.
    pub pid: Pid,
    /// Its short name.
    pub name: String,
}

impl Around {
    /// What ends with the holders: the rest of the unit or container, the rest of the supervised program.
    pub(super) fn companions(&self, stop: &Stop) -> Vec<Companion> {
        let is_holder = |pid: Pid| stop.processes.iter().any(|process| process.pid == pid);
        let ends = |running: &&Running| match &stop.means {
            Means::Terminate | Means::SocketUnit { .. } => false,
            Means::SystemUnit(_) | Means::UserUnit { .. } | Means::Docker(_) | Means::Podman(_) => {
                self.shares_service(running, stop)
            }
            Means::Watcher { pid, .. } => running.pid == *pid || self.descends(running.pid, *pid),
            Means::Supervisord { .. }
            | Means::Pm2 { .. }
            | Means::Runit(_)
            | Means::S6(_)
            | Means::Daemontools(_) => self.shares_program(running, stop),
        };
        self.processes
            .iter()
            .filter(|running| !is_holder(running.pid))
            .filter(ends)
            .map(|running| Companion { pid: running.pid, name: running.name.clone() })
            .collect()
    }

    /// Whether the one who acts would end with the others. Units are ruled out before; this is for supervised programs.
    pub(super) fn ourselves_among(&self, also: &[Companion], means: &Means) -> Option<Hindrance> {
        if matches!(means, Means::Terminate | Means::SocketUnit { .. }) {
            return None;
        }
        let ours = also.iter().find(|companion| {
            self.actor.is_or_descends_from(companion.pid) && !self.named.contains(&companion.pid)
        })?;
        Some(Hindrance::Ourselves { pid: ours.pid, name: ours.name.clone() })
    }

    /// Whether the one who acts is in the same unit or container as this process.
    pub(super) fn we_live_in(&self, process: &Process, service: &Service) -> bool {
        let root = self.group(process.pid).and_then(|group| service_root(group, &service.name));
        let ours = self.group(self.actor.pid);
        matches!((root, ours), (Some(root), Some(ours)) if is_below(ours, root))
    }

    /// Whether somebody started this process at a terminal: no service manager gives its services one.
    pub(super) fn is_at_terminal(&self, process: &Process) -> bool {
        self.running(process.pid).is_some_and(|running| running.has_terminal)
    }

    fn shares_service(&self, running: &Running, stop: &Stop) -> bool {
        let Some(group) = &running.group else { return false };
        stop.processes.iter().any(|process| {
            let name = process.service.as_ref().map(|service| service.name.as_str());
            let root = self.group(process.pid).zip(name);
            root.and_then(|(group, name)| service_root(group, name))
                .is_some_and(|root| is_below(group, root))
        })
    }

    /// The program is what the supervisor started: its child, and all below that.
    fn shares_program(&self, running: &Running, stop: &Stop) -> bool {
        stop.processes.iter().any(|process| {
            let supervisor = process.supervisor.as_ref().and_then(|supervisor| supervisor.pid);
            supervisor
                .and_then(|supervisor| self.child_toward(supervisor, process.pid))
                .is_some_and(|top| running.pid == top || self.descends(running.pid, top))
        })
    }

    /// The child of `ancestor` that is `pid` or an ancestor of it.
    fn child_toward(&self, ancestor: Pid, pid: Pid) -> Option<Pid> {
        let mut at = pid;
        // Parents were read one after the other, so a circle is possible; the number of processes bounds the climb.
        for _ in 0..self.processes.len() {
            let parent = self.parent(at)?;
            if parent == ancestor {
                return Some(at);
            }
            at = parent;
        }
        None
    }

    fn descends(&self, pid: Pid, ancestor: Pid) -> bool {
        self.child_toward(ancestor, pid).is_some()
    }

    fn parent(&self, pid: Pid) -> Option<Pid> {
        self.running(pid).map(|running| running.parent)
    }

    fn group(&self, pid: Pid) -> Option<&str> {
        self.running(pid)?.group.as_deref()
    }

    fn running(&self, pid: Pid) -> Option<&Running> {
        self.processes.iter().find(|running| running.pid == pid)
    }
}

/// The path of the control group that a service's name stands for: up to the part that holds the name.
pub(super) fn service_root<'a>(group: &'a str, name: &str) -> Option<&'a str> {
    let mut end = 0;
    let mut found = None;
    for part in group.split('/') {
        end += part.len();
        if part == name || is_container(part, name) {
            found = group.get(..end);
        }
        end += 1;
    }
    found
}

/// A container's group carries its id, between other words.
fn is_container(part: &str, id: &str) -> bool {
    id.len() == CONTAINER_ID && part.contains(id)
}

fn is_below(group: &str, root: &str) -> bool {
    group.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// How many hexadecimal digits a container's id has.
const CONTAINER_ID: usize = 64;
