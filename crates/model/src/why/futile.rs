//! What people try that will not help here, each with the reason.

use super::conflict::{Conflict, Role};
use super::judgement::{Judgement, Outcome, examples};
use super::remedy::OptionChange;
use crate::bind::{self, Rules, Ruling};
use crate::errno::Errno;
use crate::facts::{Facts, TrialOutcome};

/// Something that will not help, and why.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Futile {
    /// `SO_REUSEADDR` on the new socket: the old one listens.
    ReuseAddressBesideListener,
    /// `SO_REUSEADDR` on the new socket: the old side did not set it, which is known.
    ReuseAddressOneSided,
    /// `SO_REUSEADDR` on the new socket: the kernel was asked, and refused.
    ReuseAddressTried,
    /// `SO_REUSEPORT` on the new socket: the uids differ, and root is no exception.
    ReusePortOtherUser,
    /// `SO_REUSEPORT` on the new socket: the old one did not set it.
    ReusePortOneSided,
    /// Killing a process: none holds the socket.
    KillNobodyHoldsIt,
    /// Killing the process at the other end.
    KillRemoteEnd,
    /// Killing the program that holds live connections: the port stays blocked while they close.
    KillLeavesConnections,
    /// Killing one of several holders.
    KillOneOfSeveral,
    /// `SOCK_DESTROY` on a listener: it breaks the program, hides the port and does not free it.
    DestroyListener,
    /// `SOCK_DESTROY` on a bound socket: the kernel does not find it.
    DestroyBound,
    /// Lowering `tcp_fin_timeout`: it does not shorten `TIME_WAIT`.
    FinTimeout,
    /// `tcp_tw_reuse`: it serves `connect()` only.
    TimeWaitReuse,
    /// Looking for a process to stop: no socket stands in the way.
    NobodyToStop,
}

pub(super) fn futile(
    judgements: &[Judgement],
    conflicts: &[Conflict],
    facts: &Facts,
    rules: Rules,
) -> Vec<Futile> {
    let refused = |judgement: &Judgement| {
        matches!(judgement.outcome, Outcome::Fails { refusal: Some(_), .. })
    };
    if conflicts.is_empty() {
        let nobody = judgements.iter().any(refused);
        return if nobody { vec![Futile::NobodyToStop] } else { Vec::new() };
    }
    let mut all = options_in_vain(judgements, conflicts, facts, rules);
    all.extend(acts_in_vain(conflicts));
    all
}

fn options_in_vain(
    judgements: &[Judgement],
    conflicts: &[Conflict],
    facts: &Facts,
    rules: Rules,
) -> Vec<Futile> {
    let mut vain = Vec::new();
    let refused: Vec<&Judgement> = judgements
        .iter()
        .filter(|judgement| judgement.errno() == Some(Errno::AddressInUse))
        .collect();
    let listener = conflicts.iter().any(|conflict| conflict.role == Role::Listener);
    let reuse_address = OptionChange { reuse_address: true, ..OptionChange::default() };
    if listener {
        vain.push(Futile::ReuseAddressBesideListener);
    } else if refused.iter().any(|judgement| tried_in_vain(reuse_address, judgement, facts)) {
        vain.push(Futile::ReuseAddressTried);
    } else if refused.iter().any(|judgement| rules_it_out(reuse_address, judgement, facts, rules)) {
        vain.push(Futile::ReuseAddressOneSided);
    }
    if let Some(reason) = reuse_port_in_vain(&refused, conflicts, facts, rules) {
        vain.push(reason);
    }
    vain
}

/// Said only where `SO_REUSEPORT` is likely to be thought of: beside a listener, or when it was asked for.
fn reuse_port_in_vain(
    refused: &[&Judgement],
    conflicts: &[Conflict],
    facts: &Facts,
    rules: Rules,
) -> Option<Futile> {
    let sockets = examples(facts);
    let barred = |conflict: &Conflict| {
        refused.iter().any(|judgement| {
            let mut request = judgement.request.clone();
            request.options.reuse_port = true;
            let at = sockets.iter().position(|s| s.cookie == conflict.sockets.example.cookie);
            at.is_some_and(|at| {
                let relation = bind::relation(&request, sockets[at], rules);
                relation.barrier == bind::Barrier::OtherUser
            })
        })
    };
    let listeners = || conflicts.iter().filter(|conflict| conflict.role == Role::Listener);
    if listeners().any(barred) {
        return Some(Futile::ReusePortOtherUser);
    }
    let one_sided = |conflict: &Conflict| {
        conflict.sockets.example.options.reuse_port == crate::truth::Truth::No
    };
    listeners().any(one_sided).then_some(Futile::ReusePortOneSided)
}

fn tried_in_vain(change: OptionChange, judgement: &Judgement, facts: &Facts) -> bool {
    let tried = change.apply(&judgement.request).unwrap_or_else(|| judgement.request.clone());
    tried.options.reuse_address
        && facts.trial_of(&tried) == Some(&TrialOutcome::Refused(Errno::AddressInUse))
}

fn rules_it_out(change: OptionChange, judgement: &Judgement, facts: &Facts, rules: Rules) -> bool {
    let changed = change.apply(&judgement.request).unwrap_or_else(|| judgement.request.clone());
    matches!(bind::bind(&changed, &examples(facts), &facts.host, rules), Ruling::Conflict { .. })
}

fn acts_in_vain(conflicts: &[Conflict]) -> Vec<Futile> {
    let has = |role: Role| conflicts.iter().any(|conflict| conflict.role == role);
    let several = conflicts.iter().any(|conflict| conflict.holders.len() > 1);
    let live = has(Role::Accepted) || has(Role::Outgoing) || has(Role::HalfClosed);
    let nobody = conflicts.iter().all(|conflict| conflict.role.is_unheld());
    let acts = [
        (nobody, Futile::KillNobodyHoldsIt),
        (has(Role::OrphanFinWait2), Futile::KillRemoteEnd),
        (live, Futile::KillLeavesConnections),
        (several, Futile::KillOneOfSeveral),
        (has(Role::Listener), Futile::DestroyListener),
        (has(Role::BoundOnly) || has(Role::Dead), Futile::DestroyBound),
        (has(Role::TimeWait), Futile::FinTimeout),
        (has(Role::TimeWait), Futile::TimeWaitReuse),
    ];
    acts.into_iter().filter_map(|(applies, act)| applies.then_some(act)).collect()
}
