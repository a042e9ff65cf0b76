//! The ladder of harm: for each conflict the lowest rung that ends it and that may be stood on.

use super::{Obstacle, Reach, Taken, Terms, Whereabouts};
use crate::facts::{Descriptor, Holder, Process};
use crate::ids::{Inode, Pid};
use crate::lifetime::{Lifetime, Span};
use crate::stop::{self, Actor};
use crate::truth::Truth;
use crate::why::{Conflict, Role};

/// A rung, lowest harm first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rung {
    Wait,
    Destroy,
    Disconnect,
    Stop,
}

/// Which rung each conflict needs, and what cannot be reached from any.
pub(super) struct Ladder {
    pub(super) chosen: Vec<(usize, Rung)>,
    pub(super) obstacles: Vec<Obstacle>,
}

/// Chooses a rung for every conflict.
///
/// What only a program can close comes first, since ending the program closes its other sockets too: these then need
/// no act of their own.
pub(super) fn climb(required: &[usize], conflicts: &[Conflict], terms: &Terms) -> Ladder {
    let (by_owner, others): (Vec<usize>, Vec<usize>) =
        required.iter().partition(|at| needs_owner(&conflicts[**at], terms));
    let mut ladder = Ladder { chosen: Vec::new(), obstacles: Vec::new() };
    for at in &by_owner {
        ladder.put(*at, stopping(*at, &conflicts[*at], terms).map(|()| Rung::Stop));
    }
    let ended: Vec<Pid> = by_owner.iter().flat_map(|at| pids(&conflicts[*at])).collect();
    let has_listener = by_owner.iter().any(|at| conflicts[*at].role == Role::Listener);
    for at in others {
        let conflict = &conflicts[at];
        let ends_with_owner = !conflict.holders.is_empty()
            && pids(conflict).iter().all(|pid| ended.contains(pid))
            || conflict.role == Role::Queued && has_listener;
        if ends_with_owner {
            ladder.chosen.push((at, Rung::Stop));
        } else {
            ladder.put(at, lowest(at, conflict, terms));
        }
    }
    ladder
}

/// The span after which it ends by itself, where one is known.
pub(super) const fn span(conflict: &Conflict) -> Option<Span> {
    match conflict.lifetime {
        Lifetime::Ends(span) => Some(span),
        Lifetime::WhileHeld | Lifetime::WhileHeldPeerSilent(_) | Lifetime::Never => None,
    }
}

impl Ladder {
    fn put(&mut self, at: usize, rung: Result<Rung, Vec<Obstacle>>) {
        match rung {
            Ok(rung) => self.chosen.push((at, rung)),
            Err(obstacles) => {
                let new = obstacles.into_iter().filter(|o| !self.obstacles.contains(o));
                let new: Vec<Obstacle> = new.collect();
                self.obstacles.extend(new);
            }
        }
    }
}

/// The lowest rung for a socket that can be destroyed.
fn lowest(at: usize, conflict: &Conflict, terms: &Terms) -> Result<Rung, Vec<Obstacle>> {
    // Without patience nothing is waited for, not even what is about to end: its timer may be seconds late.
    let is_patient = |span: Span| terms.patience_ms > 0 && span.least_ms <= terms.patience_ms;
    if span(conflict).is_some_and(is_patient) {
        return Ok(Rung::Wait);
    }
    match destroying(at, conflict, terms) {
        Ok(()) => Ok(Rung::Destroy),
        Err(Obstacle::MayNotDestroy { .. }) if may_disconnect(conflict, terms) => {
            Ok(Rung::Disconnect)
        }
        // Without the right to destroy, a program that one may stop closes its sockets by ending.
        Err(obstacle @ Obstacle::MayNotDestroy { .. })
            if terms.reach == Reach::Programs && !conflict.holders.is_empty() =>
        {
            stopping(at, conflict, terms).map(|()| Rung::Stop).map_err(|more| {
                let mut all = vec![obstacle];
                all.extend(more);
                all
            })
        }
        Err(obstacle) => Err(vec![obstacle]),
    }
}

fn destroying(at: usize, conflict: &Conflict, terms: &Terms) -> Result<(), Obstacle> {
    let times = terms.taken.iter().filter(|t| **t == Taken::Destroyed(conflict.role)).count();
    if times >= TRIES {
        return Err(Obstacle::InVain { conflicts: vec![at] });
    }
    for holder in &conflict.holders {
        if !terms.has_shown(&holder.process) {
            return Err(Obstacle::Newcomer(Box::new(holder.process.clone())));
        }
        terms.guard.admits(&holder.process, &terms.around.actor).map_err(Obstacle::Refused)?;
    }
    terms.guard.admits_socket(conflict, &terms.around.actor).map_err(Obstacle::Refused)?;
    if terms.around.actor.may_destroy {
        Ok(())
    } else {
        Err(Obstacle::MayNotDestroy { conflicts: vec![at] })
    }
}

/// One's own processes may be traced, as far as can be told before trying (`ptrace_may_access`, Yama): a connection
/// that one of them holds can be ended through its descriptor.
fn may_disconnect(conflict: &Conflict, terms: &Terms) -> bool {
    let is_own = |holder: &Holder| {
        holder.process.uid == terms.around.actor.uid
            && matches!(holder.descriptor, Descriptor::Open { .. })
    };
    !terms.taken.contains(&Taken::NotTraced)
        && !conflict.holders.is_empty()
        && conflict.holders.iter().all(is_own)
}

/// Whether every holder may be stopped: all of them, or none.
fn stopping(at: usize, conflict: &Conflict, terms: &Terms) -> Result<(), Vec<Obstacle>> {
    if conflict.holders.is_empty() {
        let whereabouts = whereabouts(conflict, &terms.around.actor);
        return Err(vec![Obstacle::HolderUnseen { conflicts: vec![at], whereabouts }]);
    }
    let obstacles: Vec<Obstacle> = conflict
        .holders
        .iter()
        .filter_map(|holder| may_stop(&holder.process, terms).err())
        .collect();
    if obstacles.is_empty() { Ok(()) } else { Err(obstacles) }
}

fn may_stop(process: &Process, terms: &Terms) -> Result<(), Obstacle> {
    let actor = &terms.around.actor;
    if !terms.has_shown(process) {
        return Err(Obstacle::Newcomer(Box::new(process.clone())));
    }
    let runs_on =
        |taken: &Taken| matches!(taken, Taken::RunOn(pids) if pids.contains(&process.pid));
    if terms.taken.iter().any(runs_on) {
        return Err(Obstacle::RunsOn(Box::new(process.clone())));
    }
    terms.guard.admits(process, actor).map_err(Obstacle::Refused)?;
    match stop::may_signal(actor, process) {
        Truth::No => Err(Obstacle::MayNotSignal(Box::new(process.clone()))),
        Truth::Yes | Truth::Unknown => Ok(()),
    }
}

/// The socket's user, where that explains why no holder is seen; root sees the processes of every user.
fn whereabouts(conflict: &Conflict, actor: &Actor) -> Whereabouts {
    match conflict.sockets.example.uid {
        Some(uid) if uid != actor.uid && !actor.may_signal_anyone => Whereabouts::OtherUser(uid),
        Some(_) | None => Whereabouts::OutOfSight,
    }
}

fn pids(conflict: &Conflict) -> Vec<Pid> {
    conflict.holders.iter().map(|holder| holder.process.pid).collect()
}

/// Whether only its program can release the port. `close` asks for no port, so there nothing is named.
fn needs_owner(conflict: &Conflict, terms: &Terms) -> bool {
    let is_named = |inode: &Inode| terms.port_named.contains(inode);
    !is_destructible(conflict.role) || conflict.sockets.inodes.iter().any(is_named)
}

/// Never a listener (it breaks its program and keeps the port) nor a bound socket (the kernel does not find it), nor a
/// UDP socket, which may be all its program has.
fn is_destructible(role: Role) -> bool {
    DESTRUCTIBLE.contains(&role)
}

/// What `SOCK_DESTROY` may be used on, least harm first.
pub(super) const DESTRUCTIBLE: [Role; 8] = [
    Role::TimeWait,
    Role::OrphanFinWait2,
    Role::OrphanUnacknowledged,
    Role::CloseWait,
    Role::HalfClosed,
    Role::Queued,
    Role::Outgoing,
    Role::Accepted,
];

/// As often as one kind of socket is destroyed: what a closing connection turns into may come in several waves.
const TRIES: usize = 4;
