//! What is left in the way after an option change: the search for sets of changes that no other set beats.

use super::{Certainty, OptionChange};
use crate::bind::{self, Request, Rules, Ruling, relation};
use crate::facts::{Facts, Socket, TrialOutcome};
use crate::why::conflict::Conflict;
use crate::why::judgement::{Judgement, examples};

/// What is left to end after an option change.
pub(super) struct Prospect {
    pub(super) change: OptionChange,
    pub(super) blockers: Vec<usize>,
    pub(super) certainty: Certainty,
}

/// Which of the sockets in the way are to be ended.
#[derive(Clone, Copy)]
enum Extent {
    /// Those that certainly stand in the way: enough if the others turn out not to.
    Certain,
    /// Those that may stand in the way as well.
    Possible,
}

/// What each set of option changes would leave in the way.
pub(super) fn prospects(
    failing: &[&Judgement],
    conflicts: &[Conflict],
    facts: &Facts,
    rules: Rules,
) -> Vec<Prospect> {
    let changes = OptionChange::ALL.iter();
    changes
        .flat_map(|&change| [(change, Extent::Certain), (change, Extent::Possible)])
        .filter_map(|(change, extent)| prospect(change, extent, failing, conflicts, facts, rules))
        .collect()
}

/// What would still stand in the way of all failing binds with these options, or `None` when they change nothing.
fn prospect(
    change: OptionChange,
    extent: Extent,
    failing: &[&Judgement],
    conflicts: &[Conflict],
    facts: &Facts,
    rules: Rules,
) -> Option<Prospect> {
    let sockets = examples(facts);
    let mut blockers: Vec<usize> = Vec::new();
    let mut certainty = Certainty::Certain;
    let mut applied = change.is_none();
    for judgement in failing {
        let changed = change.apply(&judgement.request);
        applied |= changed.is_some();
        let request = changed.unwrap_or_else(|| judgement.request.clone());
        let (left, how) = left_in_the_way(&request, extent, &sockets, facts, rules)?;
        certainty = weaker(certainty, how);
        for at in left {
            let cookie = sockets[at].cookie;
            let position = conflicts.iter().position(|c| c.sockets.example.cookie == cookie)?;
            if !blockers.contains(&position) {
                blockers.push(position);
            }
        }
    }
    blockers.sort_unstable();
    // That the port might remember a SO_REUSEPORT bind is no advice to give.
    let idle_hope = change.reuse_port && matches!(certainty, Certainty::DependsOn(_));
    (applied && !idle_hope).then_some(Prospect { change, blockers, certainty })
}

/// The groups left in the way of one bind and how sure that is; `None` when no socket is to blame.
fn left_in_the_way(
    request: &Request,
    extent: Extent,
    sockets: &[&Socket],
    facts: &Facts,
    rules: Rules,
) -> Option<(Vec<usize>, Certainty)> {
    let (hidden, certain, possible) = match bind::bind(request, sockets, &facts.host, rules) {
        Ruling::Free => return Some((Vec::new(), Certainty::Certain)),
        Ruling::Barred(_) => return None,
        Ruling::Conflict { certain, possible } => (Vec::new(), certain, possible),
        Ruling::DependsOn { hidden, certain, possible } => (hidden, certain, possible),
    };
    match (facts.trial_of(request), extent) {
        (Some(TrialOutcome::Bound), _) => Some((Vec::new(), Certainty::Tried)),
        (Some(TrialOutcome::Refused(_)), _) | (_, Extent::Possible) => {
            Some(([certain, possible].concat(), Certainty::Certain))
        }
        (Some(TrialOutcome::NotTried(_)) | None, Extent::Certain) => {
            let of_possible =
                possible.iter().flat_map(|at| relation(request, sockets[*at], rules).hidden);
            let hidden = hidden.into_iter().chain(of_possible).collect();
            Some((certain, Certainty::depending_on(hidden)))
        }
    }
}

fn weaker(one: Certainty, other: Certainty) -> Certainty {
    match (one, other) {
        (Certainty::DependsOn(hidden), Certainty::DependsOn(more)) => {
            Certainty::depending_on([hidden, more].concat())
        }
        (Certainty::DependsOn(hidden), _) | (_, Certainty::DependsOn(hidden)) => {
            Certainty::DependsOn(hidden)
        }
        (Certainty::Tried, _) | (_, Certainty::Tried) => Certainty::Tried,
        (Certainty::Certain, Certainty::Certain) => Certainty::Certain,
    }
}

/// Keeps a prospect unless another needs no more options, ends no more sockets, and is as sure.
pub(super) fn undominated(prospects: Vec<Prospect>) -> Vec<Prospect> {
    let sure = |prospect: &Prospect| !matches!(prospect.certainty, Certainty::DependsOn(_));
    let at_most = |one: &Prospect, other: &Prospect| {
        one.change.is_within(other.change)
            && one.blockers.iter().all(|at| other.blockers.contains(at))
            && (sure(one) || !sure(other))
    };
    let mut kept: Vec<Prospect> = Vec::new();
    for prospect in prospects {
        if !kept.iter().any(|other| at_most(other, &prospect)) {
            kept.retain(|other| !at_most(&prospect, other));
            kept.push(prospect);
        }
    }
    kept
}
