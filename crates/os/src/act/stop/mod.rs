//! Stopping processes the way they were started, and seeing to it that they ended.
//!
//! Every holder is held by a pidfd and known by its start time before anything is done, so that no other process is
//! ever meant. All or none: if one of them could not be signalled, none is. A service manager's word is not enough:
//! what counts is that the held processes have ended.

mod command;
mod resistance;
mod unit;

pub use resistance::{Resistance, Survivor};
pub(super) use unit::list_socket_units;

use crate::process::{self, Ended, Handle};
use crate::{Error, Result};
use lastack_model::facts::Process;
use lastack_model::ids::Pid;
use lastack_model::stop::{Means, Stop};
use rustix::process::Signal;
use std::io;
use std::time::{Duration, Instant};

/// How far to go.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How long the processes have to end by themselves.
    pub grace: Duration,
    /// Whether they are killed after that.
    pub kill: Kill,
    /// Processes that the person named: only these may be ended although one is the first process or an ancestor.
    pub named: Vec<Pid>,
}

/// Whether processes that do not end in time are killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kill {
    /// Never.
    Never,
    /// SIGKILL when the time of grace is over.
    AfterGrace,
}

/// What came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stopped {
    /// All ended by themselves.
    Ended {
        /// How long it took.
        after_ms: u64,
    },
    /// All ended, at least one of them by SIGKILL.
    Killed {
        /// How long it took.
        after_ms: u64,
    },
    /// These run on.
    StillRuns(Vec<Survivor>),
    /// None of them was there any more; nothing was done.
    GoneBefore,
}

/// A holder and the handle that means it.
struct Target<'a> {
    process: &'a Process,
    handle: Handle,
}

/// Stops processes, waits for their end and says what happened.
///
/// # Errors
///
/// When nothing was done because something may not be done, and when a service manager refused and the processes run
/// on.
pub fn stop(stop: &Stop, terms: &Terms) -> Result<Stopped> {
    if let Means::SocketUnit { inode, .. } = stop.means {
        return unit::let_go(stop, inode, terms);
    }
    let began = Instant::now();
    let targets = hold(&stop.processes)?;
    if targets.is_empty() {
        return Ok(Stopped::GoneBefore);
    }
    check(&targets, stop, terms)?;
    let deadline = began + terms.grace;
    let refusal = ask(stop, &targets, deadline)?;
    wait_all(&targets, deadline);
    let survivors = resistance::survivors(&targets);
    if survivors.is_empty() {
        return Ok(Stopped::Ended { after_ms: since(began) });
    }
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    match terms.kill {
        Kill::Never => Ok(Stopped::StillRuns(survivors)),
        Kill::AfterGrace => kill(&targets, began),
    }
}

/// Holds every process that is still the one that was seen.
fn hold(processes: &[Process]) -> Result<Vec<Target<'_>>> {
    let held = processes
        .iter()
        .map(|process| Ok(Handle::of(process)?.map(|handle| Target { process, handle })));
    held.filter_map(Result::transpose).collect()
}

/// Whether all of it may be done: before the first signal, because a half-stopped server helps nobody.
fn check(targets: &[Target<'_>], stop: &Stop, terms: &Terms) -> Result<()> {
    let actor = super::actor()?;
    let watcher = match &stop.means {
        Means::Watcher { pid, name } => Some((*pid, name.as_str())),
        _ => None,
    };
    let holders = targets.iter().map(|target| (target.process.pid, target.process.name.as_str()));
    for (pid, name) in holders.chain(watcher) {
        let object = format!("{name} (pid {pid})");
        let refused = |why: &str| {
            Error::new("stop", &object, io::Error::new(io::ErrorKind::PermissionDenied, why))
                .with_remedy(format!("name pid {pid} expressly"))
        };
        if terms.named.contains(&pid) {
            continue;
        }
        if pid == Pid(1) {
            return Err(refused("it is the first process of this PID namespace"));
        }
        if actor.is_or_descends_from(pid) {
            return Err(refused("lastack runs in it"));
        }
    }
    // Whom a service manager obeys is its own affair; a signal needs the holders' rights.
    if matches!(stop.means, Means::Terminate | Means::Watcher { .. }) {
        for target in targets {
            target.handle.test_signal()?;
        }
    }
    unit::check_identity(stop)
}

/// Asks them to end. A service manager that refuses is returned, not raised: what counts is whether they end.
fn ask(stop: &Stop, targets: &[Target<'_>], deadline: Instant) -> Result<Option<Error>> {
    match (&stop.means, stop.means.invocation()) {
        (Means::Watcher { pid, name }, _) => {
            end_watcher(*pid, name, targets, deadline)?;
            Ok(None)
        }
        (_, Some(invocation)) => command::run(&invocation, deadline + MARGIN),
        (_, None) => {
            terminate(targets)?;
            Ok(None)
        }
    }
}

fn terminate(targets: &[Target<'_>]) -> Result<()> {
    for target in targets {
        target.handle.signal(Signal::TERM)?;
    }
    Ok(())
}

/// Ends a watcher and, where it left them behind, what it ran. Only a process that is still above one of the holders
/// is the watcher: its pid alone does not say so.
fn end_watcher(pid: Pid, name: &str, targets: &[Target<'_>], deadline: Instant) -> Result<()> {
    let Some(watcher) = Handle::by_pid(pid)? else { return terminate(targets) };
    let is_above = targets.iter().any(|target| {
        let now = process::describe(target.process.pid);
        now.is_some_and(|now| now.ancestors.iter().any(|ancestor| ancestor.pid == pid))
    });
    if !is_above || watcher.ended() == Ended::Yes {
        return terminate(targets);
    }
    watcher.test_signal().map_err(|error| {
        let cause = io::Error::new(error.cause().kind(), error.cause().to_string());
        Error::new("signal", format!("{name} (pid {pid})"), cause)
            .with_remedy("run as its user or as root")
    })?;
    watcher.signal(Signal::TERM)?;
    watcher.wait(deadline.saturating_duration_since(Instant::now()));
    if watcher.ended() == Ended::Yes {
        let left = deadline.saturating_duration_since(Instant::now());
        wait_all(targets, Instant::now() + left / 2);
        terminate(targets)?;
    }
    Ok(())
}

fn kill(targets: &[Target<'_>], began: Instant) -> Result<Stopped> {
    let sent: Vec<Result<Ended>> =
        targets.iter().map(|target| target.handle.signal(Signal::KILL)).collect();
    wait_all(targets, Instant::now() + AFTER_KILL);
    let survivors = resistance::survivors(targets);
    if survivors.is_empty() {
        return Ok(Stopped::Killed { after_ms: since(began) });
    }
    sent.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Stopped::StillRuns(survivors))
}

fn wait_all(targets: &[Target<'_>], deadline: Instant) {
    for target in targets {
        target.handle.wait(deadline.saturating_duration_since(Instant::now()));
    }
}

fn since(began: Instant) -> u64 {
    began.elapsed().as_millis() as u64
}

/// What a service manager has beyond the time of grace, to answer.
const MARGIN: Duration = Duration::from_secs(2);

/// A killed process ends at once unless it waits inside the kernel.
const AFTER_KILL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
