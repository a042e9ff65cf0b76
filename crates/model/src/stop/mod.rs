//! How to stop the processes that hold a socket "the way they were started", or why it cannot be done from here.
//!
//! A unit is stopped by its service manager, a container by its engine, a supervised program by its supervisor; only
//! what nobody manages gets a signal. All holders or none: one that cannot be stopped hinders all, because the socket
//! stays as long as anyone holds it. Nothing here acts, and nothing here allows: that is for a person.

mod actor;
mod hindrance;
mod means;
mod nature;
mod scope;

pub use actor::{Actor, may_signal};
pub use hindrance::Hindrance;
pub use means::{Invocation, Means, UserManager};
pub use nature::{interpreted_supervisor, known_supervisor};
pub use scope::{Activator, Around, Companion, Running};

use crate::facts::{Descriptor, Holder, Process, RestartPolicy, Service, ServiceKind, Supervisor};
use crate::ids::Pid;
use nature::Nature;

/// One way to stop processes that hold sockets: all of them, or none.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stop {
    /// How.
    pub means: Means,
    /// The holders that it ends.
    pub processes: Vec<Process>,
    /// What else ends with them: the harm beyond the holders.
    pub also: Vec<Companion>,
}

/// How to stop these holders, each once, alike ones together; or everything that stands against it.
///
/// Socket units come first: a service that is stopped before its socket unit would be started by the next connection.
pub fn stops(holders: &[Holder], around: &Around) -> Result<Vec<Stop>, Vec<Hindrance>> {
    let mut stops: Vec<Stop> = Vec::new();
    let mut hindrances: Vec<Hindrance> = Vec::new();
    for holder in holders {
        match means(holder, around) {
            Ok(means) => add(&mut stops, means, &holder.process),
            Err(hindrance) if hindrances.contains(&hindrance) => {}
            Err(hindrance) => hindrances.push(hindrance),
        }
    }
    for stop in &mut stops {
        stop.also = around.companions(stop);
        hindrances.extend(around.ourselves_among(&stop.also, &stop.means));
    }
    stops.sort_by_key(|stop| !matches!(stop.means, Means::SocketUnit { .. }));
    if hindrances.is_empty() { Ok(stops) } else { Err(hindrances) }
}

fn add(stops: &mut Vec<Stop>, means: Means, process: &Process) {
    let at = stops.iter().position(|stop| stop.means == means).unwrap_or_else(|| {
        stops.push(Stop { means, processes: Vec::new(), also: Vec::new() });
        stops.len() - 1
    });
    if stops[at].processes.iter().all(|known| known.pid != process.pid) {
        stops[at].processes.push(process.clone());
    }
}

/// How one holder is stopped.
fn means(holder: &Holder, around: &Around) -> Result<Means, Hindrance> {
    let process = &holder.process;
    match holder.descriptor {
        Descriptor::InFlight { carrier } => {
            let (pid, name) = (process.pid, process.name.clone());
            return Err(Hindrance::InFlight { pid, name, carrier });
        }
        Descriptor::Open { number, .. } if process.pid == around.actor.pid => {
            return Err(Hindrance::Itself { descriptor: number });
        }
        Descriptor::Open { .. } => {}
    }
    if let Some(activator) = around
        .activators
        .iter()
        .find(|known| known.inode == holder.inode && known.manager == process.pid)
    {
        let Activator { unit, user, .. } = activator.clone();
        return Ok(Means::SocketUnit { unit, inode: holder.inode, user });
    }
    let is_named = around.named.contains(&process.pid);
    if process.pid == FIRST && !is_named {
        return Err(Hindrance::Init { name: process.name.clone() });
    }
    if around.actor.is_or_descends_from(process.pid) && !is_named {
        return Err(Hindrance::Ourselves { pid: process.pid, name: process.name.clone() });
    }
    if nature::own_nature(process) == Some(Nature::Keeper) && !is_named {
        return Err(Hindrance::Keeper { pid: process.pid, name: process.name.clone() });
    }
    managed(process, around)
}

/// How a process is stopped by what manages it: the container around it, the supervisor above it, its unit; else by a
/// signal.
fn managed(process: &Process, around: &Around) -> Result<Means, Hindrance> {
    let container = process.service.as_ref().filter(|service| service.kind.is_container());
    if let Some(container) = container.filter(|service| !around.we_live_in(process, service)) {
        return contained(process, container);
    }
    if let Some(published) = publisher(process) {
        return published;
    }
    let unit = process.service.as_ref().filter(|service| is_own_service(process, service, around));
    let above = process
        .supervisor
        .as_ref()
        .and_then(|supervisor| Some((supervisor, supervisor.pid?, Nature::of(&supervisor.name)?)));
    match (above, unit) {
        (Some((supervisor, _, Nature::Keeper)), _) => {
            Means::of_keeper(supervisor).ok_or_else(|| Hindrance::restarted(process, supervisor))
        }
        (_, Some(unit)) => of_unit(process, unit, around),
        (Some((supervisor, pid, Nature::Watcher)), None) => {
            Ok(Means::Watcher { pid, name: supervisor.name.clone() })
        }
        (None, None) => Ok(Means::Terminate),
    }
}

/// From outside, a container is stopped as a whole, unless something in it would have to be told first.
fn contained(process: &Process, container: &Service) -> Result<Means, Hindrance> {
    let keeper = process.supervisor.as_ref().filter(|supervisor| {
        supervisor.pid.is_some() && Nature::of(&supervisor.name) == Some(Nature::Keeper)
    });
    match (container.kind, keeper) {
        (ServiceKind::Docker | ServiceKind::Podman, Some(keeper)) => {
            Err(Hindrance::KeptInContainer {
                pid: process.pid,
                name: process.name.clone(),
                container: container.clone(),
                by: Box::new(keeper.clone()),
            })
        }
        (ServiceKind::Docker, None) => Ok(Means::Docker(container.name.clone())),
        (ServiceKind::Podman, None) => Ok(Means::Podman(container.name.clone())),
        _ => Err(Hindrance::Kubernetes {
            pid: process.pid,
            name: process.name.clone(),
            container: container.name.clone(),
        }),
    }
}

/// Helpers of container engines hold the published ports of containers: ending one ends no container. `conmon` has the
/// container's id among its arguments (`-c`).
fn publisher(process: &Process) -> Option<Result<Means, Hindrance>> {
    let option = |name: &str| {
        let at = process.command.iter().position(|argument| argument == name)?;
        process.command.get(at + 1).cloned()
    };
    let published = |engine: &str, port| {
        let (pid, name) = (process.pid, process.name.clone());
        Some(Err(Hindrance::Published { pid, name, engine: engine.into(), port }))
    };
    match process.name.as_str() {
        "docker-proxy" => published("docker", option("-host-port")),
        "rootlessport" | "rootlessport-chi" => published("podman", None),
        "conmon" => match option("-c").or_else(|| option("--cid")) {
            Some(id) => Some(Ok(Means::Podman(id))),
            None => published("podman", None),
        },
        _ => None,
    }
}

/// Whether the unit was made to run this process. A scope wraps what somebody started by hand, and a service that lets
/// people in (`sshd`, `cron`, a terminal in the browser) has their programs in its group: neither is to be stopped for
/// them.
fn is_own_service(process: &Process, service: &Service, around: &Around) -> bool {
    matches!(service.kind, ServiceKind::SystemUnit | ServiceKind::UserUnit)
        && service.name.ends_with(".service")
        && !around.is_at_terminal(process)
        && !process.ancestors.iter().any(|ancestor| nature::starts_sessions(&ancestor.name))
}

fn of_unit(process: &Process, unit: &Service, around: &Around) -> Result<Means, Hindrance> {
    if around.we_live_in(process, unit) {
        let restarts = process
            .supervisor
            .as_ref()
            .filter(|supervisor| matches!(supervisor.policy, RestartPolicy::Restarts(_)));
        return match restarts {
            Some(supervisor) => Err(Hindrance::restarted(process, supervisor)),
            None => Ok(Means::Terminate),
        };
    }
    if unit.kind == ServiceKind::SystemUnit {
        return Ok(Means::SystemUnit(unit.name.clone()));
    }
    let manager: Option<&Supervisor> =
        process.supervisor.as_ref().filter(|supervisor| supervisor.name == USER_MANAGER);
    let uid = manager.and_then(|manager| manager.uid).unwrap_or(process.uid);
    let directory = manager
        .and_then(|manager| manager.control.clone())
        .unwrap_or_else(|| format!("/run/user/{uid}"));
    Ok(Means::UserUnit { unit: unit.name.clone(), user: UserManager { uid, directory } })
}

/// The first process of a PID namespace, which no signal ends from within it (`sig_task_ignored`).
const FIRST: Pid = Pid(1);

/// What [`Supervisor::name`] is for a user's service manager.
const USER_MANAGER: &str = "systemd --user";

#[cfg(test)]
mod tests;
