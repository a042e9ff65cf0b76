//! What to do about a conflict: from an explanation to steps, each with its harm, that make an address usable.
//!
//! A pure function that chooses the least harm that reaches the goal within the terms, and says what keeps it from
//! being reached. It never acts. Nothing is planned towards a goal that cannot be reached: harm without use is none
//! of the rungs of the ladder.

mod guard;
mod rungs;
mod words;

pub use guard::{Guard, OwnOnly, Refusal};
pub use words::{destroy_words, disconnect_words};

use crate::facts::{Holder, Host, Process};
use crate::ids::{Inode, Pid, Uid};
use crate::remains::Risk;
use crate::stop::{Around, Hindrance, Stop};
use crate::why::{self, Conflict, Explanation, Harm, Role, Verdict};
use rungs::Rung;

/// What would make an address usable.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Plan {
    /// What to do, in this order.
    pub steps: Vec<Step>,
    /// What keeps the goal out of reach; with any, no step is worth its harm.
    pub obstacles: Vec<Obstacle>,
    /// What stopping a program leaves to be ended after it.
    pub aftermath: Option<Aftermath>,
}

/// One act on some of the conflicts.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// Positions of the conflicts that it ends.
    pub conflicts: Vec<usize>,
    /// What it costs.
    pub harm: Harm,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Act {
    /// Let them end by themselves.
    Wait {
        /// Milliseconds, at least.
        least_ms: u64,
        /// Milliseconds, at most.
        most_ms: u64,
    },
    /// `SOCK_DESTROY`.
    Destroy {
        /// What the sockets are, which decides the harm.
        role: Role,
        /// What ending such remains early risks.
        risk: Option<Risk>,
    },
    /// End connections through a descriptor of a process that holds them (`tcp_disconnect`), where the right to
    /// destroy is missing.
    Disconnect {
        /// What the sockets are.
        role: Role,
    },
    /// Stop the processes that hold them, the way they were started.
    Stop(Stop),
}

/// Whose leave a step needs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Consent {
    /// It stops nobody.
    StopsNobody,
    /// It stops a program.
    StopsOwner,
}

/// What keeps the goal out of reach.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Obstacle {
    /// No socket is to blame, so ending one helps nothing.
    NoSocketToBlame,
    /// No visible process holds these, and only a holder can close them.
    HolderUnseen {
        /// Positions of the conflicts.
        conflicts: Vec<usize>,
        /// Where it may be.
        whereabouts: Whereabouts,
    },
    /// Destroying these needs `CAP_NET_ADMIN` over the network namespace.
    MayNotDestroy {
        /// Positions of the conflicts.
        conflicts: Vec<usize>,
    },
    /// This process belongs to somebody else.
    MayNotSignal(Box<Process>),
    /// The processes cannot be stopped for good.
    Hindered(Hindrance),
    /// This process took the address since the plan was made: it is not stopped unseen.
    Newcomer(Box<Process>),
    /// This process was told to end and runs on.
    RunsOn(Box<Process>),
    /// A guard that the user set refuses it.
    Refused(Refusal),
    /// They were destroyed, and they are there again or still.
    InVain {
        /// Positions of the conflicts.
        conflicts: Vec<usize>,
    },
}

/// Where a holder that is not seen may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Whereabouts {
    /// Among the processes of this user, which the one who acts may not look into.
    OtherUser(Uid),
    /// In another PID namespace, or nowhere: a descriptor in flight, or one that the kernel keeps for itself.
    OutOfSight,
}

/// What a stopped program's connections leave behind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Aftermath {
    /// How many connections the program closes by ending.
    pub connections: u64,
    /// Whether what they leave may be destroyed.
    pub may_destroy: bool,
}

/// Within what the plan is made.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Who acts, what that one may do, and what lives around the holders.
    pub around: Around,
    /// How far up the ladder it may go.
    pub reach: Reach,
    /// How long waiting is preferred to acting, in milliseconds.
    pub patience_ms: u64,
    /// What the user forbids.
    pub guard: Guard,
    /// Sockets whose port was named in `bind()` (`SOCK_BINDPORT_LOCK`): ending their connection leaves the port taken
    /// until the program closes them (`tcp_set_state`, `inet_put_port`).
    pub port_named: Vec<Inode>,
    /// The processes that the person was shown, once a plan was: no other is stopped.
    pub shown: Option<Vec<Shown>>,
    /// Steps taken before; one that did not help is not taken again.
    pub taken: Vec<Taken>,
}

/// How far up the ladder of harm a plan may go.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reach {
    /// Sockets are ended; no program is stopped.
    Sockets,
    /// Programs are stopped where nothing less helps.
    #[default]
    Programs,
}

/// A process as it was shown: its pid and the start time that makes it unique.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shown {
    pid: Pid,
    start_ticks: u64,
}

/// A step taken, recognised by what it acted on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Taken {
    /// Sockets of this role were destroyed.
    Destroyed(Role),
    /// A holder's descriptor could not be duplicated: no connection is ended through one.
    NotTraced,
    /// These processes were told to end, and run on.
    RunOn(Vec<Pid>),
}

impl Terms {
    /// Remembers whom the person was shown.
    pub fn show(&mut self, explanation: &Explanation) {
        let processes = explanation.conflicts.iter().flat_map(|conflict| &conflict.holders);
        self.shown = Some(processes.map(|holder| Shown::of(&holder.process)).collect());
    }

    fn has_shown(&self, process: &Process) -> bool {
        self.shown.as_ref().is_none_or(|shown| shown.contains(&Shown::of(process)))
    }
}

impl Shown {
    const fn of(process: &Process) -> Self {
        Self { pid: process.pid, start_ticks: process.start_ticks }
    }
}

impl Plan {
    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.obstacles.is_empty()
    }
}

impl Step {
    /// Whose leave it needs.
    pub const fn consent(&self) -> Consent {
        match self.act {
            Act::Wait { .. } | Act::Destroy { .. } | Act::Disconnect { .. } => Consent::StopsNobody,
            Act::Stop(_) => Consent::StopsOwner,
        }
    }
}

/// The least harm that makes the address usable, or what keeps it from being made so.
pub fn plan(explanation: &Explanation, host: &Host, terms: &Terms) -> Plan {
    if explanation.verdict == Verdict::Free {
        return Plan { steps: Vec::new(), obstacles: Vec::new(), aftermath: None };
    }
    let required = required(explanation);
    if required.is_empty() {
        let obstacles = vec![Obstacle::NoSocketToBlame];
        return Plan { steps: Vec::new(), obstacles, aftermath: None };
    }
    for_conflicts(&required, &explanation.conflicts, host, terms)
}

/// The same for a list of conflicts that are to be ended, all of them.
pub fn for_conflicts(
    required: &[usize],
    conflicts: &[Conflict],
    host: &Host,
    terms: &Terms,
) -> Plan {
    let ladder = rungs::climb(required, conflicts, terms);
    let mut steps: Vec<Step> = Vec::new();
    let mut obstacles = ladder.obstacles;
    let on = |rung: Rung| -> Vec<usize> {
        let of_rung = ladder.chosen.iter().filter(|(_, chosen)| *chosen == rung);
        of_rung.map(|(at, _)| *at).collect()
    };
    let stopped = on(Rung::Stop);
    match stop_steps(&stopped, conflicts, terms) {
        Ok(stopping) => steps.extend(stopping),
        Err(hindrances) => obstacles.extend(hindrances),
    }
    steps.extend(destroy_steps(&on(Rung::Destroy), conflicts, host));
    steps.extend(disconnect_steps(&on(Rung::Disconnect), conflicts));
    steps.extend(wait_step(&on(Rung::Wait), conflicts));
    if !obstacles.is_empty() {
        return Plan { steps: Vec::new(), obstacles, aftermath: None };
    }
    let aftermath = aftermath(&stopped, conflicts, terms);
    Plan { steps, obstacles, aftermath }
}

/// The fewest conflicts whose end makes the binds succeed as they were asked for, without another option.
fn required(explanation: &Explanation) -> Vec<usize> {
    let ends_sockets = |remedy: &&why::Remedy| {
        remedy.steps.iter().all(|step| {
            matches!(
                step,
                why::Step::Wait { .. } | why::Step::Destroy { .. } | why::Step::Stop { .. }
            )
        })
    };
    let sets = explanation.remedies.iter().filter(ends_sockets).map(|remedy| {
        let mut all: Vec<usize> = remedy.steps.iter().flat_map(conflicts_of).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    });
    sets.min_by_key(Vec::len).unwrap_or_default()
}

fn conflicts_of(step: &why::Step) -> &[usize] {
    match step {
        why::Step::Wait { conflicts, .. }
        | why::Step::Destroy { conflicts }
        | why::Step::Stop { conflicts } => conflicts,
        why::Step::SetOptions(_)
        | why::Step::UseAddress(_)
        | why::Step::NameInterface
        | why::Step::GainPrivilege
        | why::Step::MakeAddressLocal { .. } => &[],
    }
}

/// One step for each way in which the holders are stopped.
fn stop_steps(
    stopped: &[usize],
    conflicts: &[Conflict],
    terms: &Terms,
) -> Result<Vec<Step>, Vec<Obstacle>> {
    let holders = holders_of(stopped, conflicts);
    let stops = crate::stop::stops(&holders, &terms.around)
        .map_err(|all| all.into_iter().map(Obstacle::Hindered).collect::<Vec<_>>())?;
    let of = |stop: &Stop| -> Vec<usize> {
        let ends = |at: &&usize| {
            let held = &conflicts[**at].holders;
            held.iter().any(|h| stop.processes.iter().any(|p| p.pid == h.process.pid))
        };
        stopped.iter().filter(ends).copied().collect()
    };
    let step =
        |stop: Stop| Step { conflicts: of(&stop), act: Act::Stop(stop), harm: Harm::Program };
    Ok(stops.into_iter().map(step).collect())
}

/// One step for each kind of socket, since each has its own harm; the gentlest first.
fn destroy_steps(destroyed: &[usize], conflicts: &[Conflict], host: &Host) -> Vec<Step> {
    rungs::DESTRUCTIBLE
        .into_iter()
        .filter_map(|role| {
            let of_role: Vec<usize> =
                destroyed.iter().copied().filter(|at| conflicts[*at].role == role).collect();
            let risk = of_role
                .iter()
                .filter(|_| matches!(role, Role::TimeWait | Role::OrphanFinWait2))
                .map(|at| crate::remains::risk(&conflicts[*at].sockets, host))
                .max();
            let harm = if role == Role::TimeWait { Harm::Remains } else { Harm::Connections };
            let act = Act::Destroy { role, risk };
            (!of_role.is_empty()).then_some(Step { act, conflicts: of_role, harm })
        })
        .collect()
}

fn disconnect_steps(disconnected: &[usize], conflicts: &[Conflict]) -> Vec<Step> {
    let step = |role: Role| {
        let of_role: Vec<usize> =
            disconnected.iter().copied().filter(|at| conflicts[*at].role == role).collect();
        let act = Act::Disconnect { role };
        (!of_role.is_empty()).then_some(Step { act, conflicts: of_role, harm: Harm::Connections })
    };
    rungs::DESTRUCTIBLE.into_iter().filter_map(step).collect()
}

fn wait_step(waited: &[usize], conflicts: &[Conflict]) -> Option<Step> {
    let spans = || waited.iter().filter_map(|at| rungs::span(&conflicts[*at]));
    let act = Act::Wait {
        least_ms: spans().map(|span| span.least_ms).max()?,
        most_ms: spans().map(|span| span.most_ms).max()?,
    };
    Some(Step { act, conflicts: waited.to_vec(), harm: Harm::Waiting })
}

/// Live connections go on holding the port while the kernel closes them.
fn aftermath(stopped: &[usize], conflicts: &[Conflict], terms: &Terms) -> Option<Aftermath> {
    let closed = |at: &&usize| {
        matches!(conflicts[**at].role, Role::Accepted | Role::Outgoing | Role::HalfClosed)
    };
    let connections: u64 =
        stopped.iter().filter(closed).map(|at| conflicts[*at].sockets.count).sum();
    let may_destroy = terms.around.actor.may_destroy;
    (connections > 0).then_some(Aftermath { connections, may_destroy })
}

/// Every hold on these conflicts, one a process.
fn holders_of(which: &[usize], conflicts: &[Conflict]) -> Vec<Holder> {
    let mut holders: Vec<Holder> = Vec::new();
    for holder in which.iter().flat_map(|at| &conflicts[*at].holders) {
        if holders.iter().all(|known| known.process.pid != holder.process.pid) {
            holders.push(holder.clone());
        }
    }
    holders
}

#[cfg(test)]
mod tests;
