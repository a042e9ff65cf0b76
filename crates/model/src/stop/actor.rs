//! Who would act, and what the kernel would let them do.

use crate::facts::{Ancestor, Process};
use crate::ids::{Pid, Uid};
use crate::truth::Truth;

/// The process that would act, its parents and its rights.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Actor {
    /// Its pid; 0 where nobody acts.
    pub pid: Pid,
    /// Its effective uid, which signals are judged by.
    pub uid: Uid,
    /// Whether it may signal processes of any user (`CAP_KILL`).
    pub may_signal_anyone: bool,
    /// Whether it may destroy sockets of its network namespace (`CAP_NET_ADMIN`).
    pub may_destroy: bool,
    /// Its parents, nearest first.
    pub ancestors: Vec<Ancestor>,
}

impl Actor {
    /// Whether this pid is the actor's own or that of one of its ancestors: stopping it would stop the actor, or the
    /// terminal it was started from.
    pub fn is_or_descends_from(&self, pid: Pid) -> bool {
        pid == self.pid || self.ancestors.iter().any(|ancestor| ancestor.pid == pid)
    }
}

/// Whether the kernel lets the actor signal the process (`kill_ok_by_cred`): by capability, or as its user. The rule
/// looks at the target's real and saved uid, of which only the filesystem uid is known here; they differ in programs
/// that changed their user halfway. Sending signal 0 settles it.
pub fn may_signal(actor: &Actor, process: &Process) -> Truth {
    (actor.may_signal_anyone || actor.uid == process.uid).into()
}
