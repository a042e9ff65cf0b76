//! The whole answer, put together: verdict, evidence, remedies, what will not help, and what could not be seen.

use super::Question;
use super::conflict::{self, Conflict, Role};
use super::futile::{self, Futile};
use super::judgement::{Basis, Judgement, Outcome};
use super::remedy::{self, Remedy};
use crate::bind::{Rules, relation};
use crate::errno::Errno;
use crate::facts::{
    Elsewhere, Facts, Holder, KernelVersion, SocketGroup, Trial, TrialOutcome, Unseen,
};
use crate::state::State;
use crate::truth::Truth;

/// Why an address can or cannot be bound.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Explanation {
    /// The address as it was typed.
    pub asked: String,
    /// The answer in one word.
    pub verdict: Verdict,
    /// Each wanted bind and what becomes of it.
    pub judgements: Vec<Judgement>,
    /// The sockets that stand in the way.
    pub conflicts: Vec<Conflict>,
    /// Sockets on the same port that do not.
    pub neighbours: Vec<Neighbour>,
    /// Sockets on the same port in other network namespaces.
    pub elsewhere: Vec<Elsewhere>,
    /// What makes it succeed, least harm first.
    pub remedies: Vec<Remedy>,
    /// What people try that will not help here.
    pub futile: Vec<Futile>,
    /// What to keep in mind.
    pub cautions: Vec<Caution>,
    /// What could not be seen.
    pub unseen: Vec<Unseen>,
    /// When the facts were taken, in milliseconds since the Unix epoch.
    pub taken_at_ms: u64,
    /// Whose rules were applied.
    pub kernel: KernelVersion,
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Verdict {
    /// Every wanted bind succeeds.
    Free,
    /// Some succeed and some do not.
    Partly,
    /// It turns on what is not visible.
    Undecided,
    /// Refused for a reason that is not another socket.
    Refused,
    /// Other sockets stand in the way.
    InUse,
}

/// Sockets on the port that do not stand in the way.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Neighbour {
    /// The sockets.
    pub sockets: SocketGroup,
    /// What they are.
    pub role: Role,
    /// The processes that hold them, when they were looked for.
    pub holders: Vec<Holder>,
    /// True when the addresses do overlap and an option on both sides lets them share.
    pub shares: bool,
}

/// Something to keep in mind about an answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Caution {
    /// Landlock, other security modules and control group programs may refuse a bind; none of them shows.
    SecurityModulesInvisible,
    /// Another socket is bound with `SO_REUSEADDR` and does not listen yet: the first to listen wins.
    FirstToListenWins,
    /// Two listeners of different users overlap, which the ordinary rules cannot produce.
    OverlappingListenersOfDifferentUsers,
    /// A trial bind was made.
    TrialMade,
    /// The trial was refused although no socket was seen that would explain it.
    RefusedWithoutCause,
}

pub(super) fn explain(
    question: &Question,
    judgements: Vec<Judgement>,
    conflicts: Vec<Conflict>,
    facts: &Facts,
    rules: Rules,
) -> Explanation {
    let neighbours = neighbours(&judgements, &conflicts, facts, rules);
    Explanation {
        asked: question.asked.clone(),
        verdict: verdict(&judgements),
        remedies: remedy::remedies(question, &judgements, &conflicts, facts, rules),
        futile: futile::futile(&judgements, &conflicts, facts, rules),
        cautions: cautions(&judgements, &conflicts, &neighbours, facts),
        elsewhere: elsewhere(&judgements, facts),
        unseen: unseen(&judgements, facts),
        taken_at_ms: facts.host.taken_at_ms,
        kernel: facts.host.kernel,
        judgements,
        conflicts,
        neighbours,
    }
}

fn verdict(judgements: &[Judgement]) -> Verdict {
    let all = |test: fn(&Judgement) -> bool| judgements.iter().all(test);
    let any = |test: fn(&Judgement) -> bool| judgements.iter().any(test);
    let succeeds = |judgement: &Judgement| judgement.outcome == Outcome::Succeeds;
    if all(succeeds) {
        Verdict::Free
    } else if any(|judgement| matches!(judgement.outcome, Outcome::DependsOn(_))) {
        Verdict::Undecided
    } else if any(succeeds) {
        Verdict::Partly
    } else if any(|judgement| judgement.errno() == Some(Errno::AddressInUse)) {
        Verdict::InUse
    } else {
        Verdict::Refused
    }
}

fn neighbours(
    judgements: &[Judgement],
    conflicts: &[Conflict],
    facts: &Facts,
    rules: Rules,
) -> Vec<Neighbour> {
    let groups = facts.sockets.groups();
    let has_listener = groups.iter().any(|group| group.example.state == State::Listen);
    let in_conflict = |group: &SocketGroup| {
        conflicts.iter().any(|c| c.sockets.example.cookie == group.example.cookie)
    };
    let on_asked_port = |group: &SocketGroup| {
        judgements.iter().any(|judgement| {
            judgement.request.port == group.example.port()
                && judgement.request.transport == group.example.transport
        })
    };
    groups
        .iter()
        .filter(|group| group.example.owns_port() && on_asked_port(group) && !in_conflict(group))
        .map(|group| Neighbour {
            role: conflict::role(&group.example, &facts.host, has_listener),
            holders: conflict::holders(group, facts),
            shares: judgements.iter().any(|judgement| {
                relation(&judgement.request, &group.example, rules).overlaps == Truth::Yes
            }),
            sockets: group.clone(),
        })
        .collect()
}

fn elsewhere(judgements: &[Judgement], facts: &Facts) -> Vec<Elsewhere> {
    let asked = |found: &&Elsewhere| {
        let socket = &found.socket.example;
        judgements.iter().any(|judgement| {
            judgement.request.port == socket.port()
                && judgement.request.transport == socket.transport
        })
    };
    facts.elsewhere.iter().filter(asked).cloned().collect()
}

fn cautions(
    judgements: &[Judgement],
    conflicts: &[Conflict],
    neighbours: &[Neighbour],
    facts: &Facts,
) -> Vec<Caution> {
    let mut cautions = Vec::new();
    let by_rules = |judgement: &&Judgement| {
        judgement.outcome == Outcome::Succeeds && judgement.basis == Basis::Rules
    };
    if judgements.iter().any(|judgement| by_rules(&judgement)) {
        cautions.push(Caution::SecurityModulesInvisible);
    }
    if neighbours.iter().any(|n| n.shares && n.role == Role::BoundOnly) {
        cautions.push(Caution::FirstToListenWins);
    }
    if overlapping_listeners(facts) {
        cautions.push(Caution::OverlappingListenersOfDifferentUsers);
    }
    let made_here = |trial: &Trial| {
        judgements.iter().any(|judgement| judgement.request.port == trial.request.port)
            && !matches!(trial.outcome, TrialOutcome::NotTried(_))
    };
    if facts.trials.iter().any(made_here) {
        cautions.push(Caution::TrialMade);
    }
    let unexplained =
        |judgement: &Judgement| judgement.basis == Basis::Trial && judgement.errno().is_some();
    if conflicts.is_empty() && judgements.iter().any(unexplained) {
        cautions.push(Caution::RefusedWithoutCause);
    }
    cautions
}

/// By the sharing rules two overlapping listeners have one uid; anything else deserves an alarm.
fn overlapping_listeners(facts: &Facts) -> bool {
    let listeners: Vec<&SocketGroup> = facts
        .sockets
        .groups()
        .iter()
        .filter(|group| group.example.state == State::Listen)
        .collect();
    listeners.iter().enumerate().any(|(at, one)| {
        listeners[at + 1..].iter().any(|other| {
            one.example.local == other.example.local
                && one.example.uid != other.example.uid
                && (one.example.device.is_none()
                    || other.example.device.is_none()
                    || one.example.device == other.example.device)
        })
    })
}

fn unseen(judgements: &[Judgement], facts: &Facts) -> Vec<Unseen> {
    let mut unseen: Vec<Unseen> = Vec::new();
    for one in &facts.unseen {
        if !unseen.contains(one) {
            unseen.push(one.clone());
        }
    }
    let undecided = |judgement: &&Judgement| matches!(judgement.outcome, Outcome::DependsOn(_));
    for judgement in judgements.iter().filter(undecided) {
        if let Some(TrialOutcome::NotTried(why)) = facts.trial_of(&judgement.request) {
            unseen.push(Unseen {
                what: "what the kernel would answer".into(),
                why: why.clone(),
                remedy: "run as the user that will bind, in the namespace it will bind in".into(),
            });
        }
    }
    unseen
}
