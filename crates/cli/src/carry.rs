//! Carrying out one step of a plan through the operating system, and what came of it.
//!
//! Decides nothing: the step says what, and every act checks again that its object is the one that was meant.

use lastack_model::facts::{Socket, SocketGroup};
use lastack_model::ids::{Inode, Pid};
use lastack_model::plan::Step;
use lastack_model::stop::Stop;
use lastack_model::why::Conflict;
use lastack_os::act::destroy::{self, Destroyed, Tally};
use lastack_os::act::disconnect;
use lastack_os::act::stop::{self, Stopped};
use lastack_os::holders;
use lastack_os::sock_diag::{self, Filter, States};
use serde::Serialize;
use std::io::ErrorKind;

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// So many sockets were destroyed; the others had gone.
    Destroyed {
        /// By this step.
        destroyed: u64,
        /// Before it.
        gone: u64,
    },
    /// The processes ended.
    Stopped {
        /// Milliseconds after they were told to.
        after_ms: u64,
        /// Whether it took SIGKILL.
        killed: bool,
    },
    /// These still run.
    StillRuns(Vec<Survivor>),
    /// They were gone before anything was done.
    GoneBefore,
    /// So many milliseconds were waited.
    Waited(u64),
    /// A process that holds the connection could not be traced; nothing was done to that connection.
    NotTraced(String),
    /// It could not be done, or only in part.
    Failed(String),
}

impl Outcome {
    /// Whether something that was there is gone by this.
    pub const fn ended_something(&self) -> bool {
        match self {
            Self::Destroyed { destroyed, .. } => *destroyed > 0,
            Self::Stopped { .. } | Self::GoneBefore => true,
            Self::StillRuns(_) | Self::Waited(_) | Self::NotTraced(_) | Self::Failed(_) => false,
        }
    }
}

/// A process that was told to end and runs on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Survivor {
    /// Its pid.
    pub pid: Pid,
    /// Its short name.
    pub name: String,
    /// Why it runs on.
    pub why: &'static str,
}

/// A step and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Done {
    /// The step.
    pub step: Step,
    /// What came of it.
    pub outcome: Outcome,
}

/// Destroys the sockets of these conflicts that the filter lists and that are wanted.
pub fn destroy(
    conflicts: &[&Conflict],
    filter: Filter,
    wanted: impl Fn(&Socket) -> bool,
) -> Outcome {
    let groups: Vec<&SocketGroup> = conflicts.iter().map(|conflict| &conflict.sockets).collect();
    let states: Vec<_> = groups.iter().map(|group| group.example.state).collect();
    let filter = filter.in_states(States::of(&states));
    let meant = |socket: &Socket| wanted(socket) && groups.iter().any(|group| group.covers(socket));
    match destroy::sweep(&filter, meant) {
        Ok(tally) => Outcome::Destroyed { destroyed: tally.destroyed, gone: tally.gone },
        Err(error) => Outcome::Failed(format!("failed to {error}")),
    }
}

/// Ends the connections of these conflicts that the filter lists and that are wanted, each through a descriptor of a
/// process that holds it now.
pub fn disconnect(
    conflicts: &[&Conflict],
    filter: &Filter,
    wanted: impl Fn(&Socket) -> bool,
) -> Outcome {
    let covered = |socket: &Socket| conflicts.iter().any(|c| c.sockets.covers(socket));
    let list = |all: &mut Vec<Socket>, socket: Socket| {
        if wanted(&socket) && covered(&socket) {
            all.push(socket);
        }
    };
    let listed = sock_diag::fold(filter, list).map(|dump| dump.folded);
    match listed.and_then(|sockets| disconnect_each(&sockets)) {
        Ok(tally) => Outcome::Destroyed { destroyed: tally.destroyed, gone: tally.gone },
        Err(error) if error.cause().kind() == ErrorKind::PermissionDenied => {
            Outcome::NotTraced(format!("failed to {error}"))
        }
        Err(error) => Outcome::Failed(format!("failed to {error}")),
    }
}

fn disconnect_each(sockets: &[Socket]) -> lastack_os::Result<Tally> {
    let inodes: Vec<Inode> = sockets.iter().filter_map(|socket| socket.inode).collect();
    let holders = holders::find(&inodes)?.holders;
    let mut tally = Tally::default();
    for socket in sockets {
        // What nobody holds any more is closing, and no longer what was meant.
        let holder = holders.iter().find(|holder| Some(holder.inode) == socket.inode);
        match holder.map(|holder| disconnect::disconnect(holder, socket)).transpose()? {
            Some(Destroyed::Now) => tally.destroyed += 1,
            Some(Destroyed::Gone) | None => tally.gone += 1,
        }
    }
    Ok(tally)
}

/// Stops the processes.
pub fn stop(what: &Stop, terms: &stop::Terms) -> Outcome {
    match stop::stop(what, terms) {
        Ok(Stopped::Ended { after_ms }) => Outcome::Stopped { after_ms, killed: false },
        Ok(Stopped::Killed { after_ms }) => Outcome::Stopped { after_ms, killed: true },
        Ok(Stopped::StillRuns(all)) => {
            let survivor = |one: stop::Survivor| Survivor {
                pid: one.pid,
                name: one.name,
                why: one.resistance.words(),
            };
            Outcome::StillRuns(all.into_iter().map(survivor).collect())
        }
        Ok(Stopped::GoneBefore) => Outcome::GoneBefore,
        Err(error) => Outcome::Failed(format!("failed to {error}")),
    }
}
