//! What systemd must be asked before and after one of its units is stopped.

use super::command::output;
use super::resistance::Resistance;
use super::{MARGIN, Stopped, Survivor, Terms, since};
use crate::process::{self, entry, parse_group};
use crate::{Error, Result};
use lastack_model::facts::Process;
use lastack_model::ids::{Inode, Pid};
use lastack_model::stop::{Invocation, Means, Stop, UserManager};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

/// Fails when the unit of this name is not the one that the processes run in: a container's own service manager has
/// units of the same names.
pub(super) fn check_identity(stop: &Stop) -> Result<()> {
    let (unit, user) = match &stop.means {
        Means::SystemUnit(unit) => (unit, None),
        Means::UserUnit { unit, user } => (unit, Some(user)),
        _ => return Ok(()),
    };
    let shown = systemctl(&["show", "--property=ControlGroup", "--value", "--", unit], user)?;
    let group = shown.trim();
    for process in &stop.processes {
        let text = fs::read_to_string(entry(process.pid, "cgroup")).unwrap_or_default();
        let is_below = parse_group(&text).and_then(|theirs| theirs.strip_prefix(group));
        let is_member = is_below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if (group.is_empty() || !is_member) && process::stat(process.pid).is_some() {
            let cause = format!(
                "the unit that this service manager knows is another one: {} (pid {}) does not run in it",
                process.name, process.pid
            );
            return Err(Error::new(
                "stop",
                unit,
                io::Error::new(io::ErrorKind::InvalidInput, cause),
            )
            .with_remedy("stop it from inside its container"));
        }
    }
    Ok(())
}

/// Stops a socket unit. Its service manager lives on, so what counts is that it has let the socket go.
pub(super) fn let_go(stop: &Stop, inode: Inode, terms: &Terms) -> Result<Stopped> {
    let began = Instant::now();
    let Some(manager) = stop.processes.iter().find(|manager| holds(manager.pid, inode)) else {
        return Ok(Stopped::GoneBefore);
    };
    let refusal = match stop.means.invocation() {
        Some(invocation) => super::command::run(&invocation, began + terms.grace + MARGIN)?,
        None => None,
    };
    // The command waits for the job to end; the descriptor is closed in it.
    match (holds(manager.pid, inode), refusal) {
        (false, _) => Ok(Stopped::Ended { after_ms: since(began) }),
        (true, Some(refusal)) => Err(refusal),
        (true, None) => Ok(Stopped::StillRuns(vec![survivor(manager)])),
    }
}

fn survivor(manager: &Process) -> Survivor {
    let resistance = Resistance::TakesItsTime;
    Survivor { pid: manager.pid, name: manager.name.clone(), resistance }
}

fn holds(pid: Pid, inode: Inode) -> bool {
    let wanted = format!("socket:[{inode}]");
    let entries = fs::read_dir(entry(pid, "fd")).into_iter().flatten().flatten();
    entries
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .any(|link| link.as_os_str().to_str() == Some(wanted.as_str()))
}

/// The table of all socket units, or nothing where the service manager does not answer.
pub(in crate::act) fn list_socket_units(user: Option<&UserManager>) -> Option<String> {
    systemctl(&["list-sockets", "--all", "--full", "--plain", "--no-legend", "--no-pager"], user)
        .ok()
}

fn systemctl(arguments: &[&str], user: Option<&UserManager>) -> Result<String> {
    let mut all = vec!["systemctl".to_owned()];
    all.extend(user.map(|_| "--user".to_owned()));
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let environment = user.map(|user| ("XDG_RUNTIME_DIR", user.directory.clone()));
    let invocation = Invocation {
        arguments: all,
        environment: environment.into_iter().collect(),
        user: user.map(|user| user.uid),
    };
    let ran = output(&invocation, Instant::now() + ANSWER)?;
    match ran.status {
        Some(status) if status.success() => Ok(ran.said),
        _ => {
            let said = ran.said.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            Err(Error::new("ask", "systemctl", io::Error::other(said))
                .with_remedy("is systemd running here? nothing was stopped"))
        }
    }
}

/// How long a service manager has to answer a question.
const ANSWER: Duration = Duration::from_secs(10);
