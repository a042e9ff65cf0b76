//! One wanted bind judged: by the rules, or where they leave it open by what a trial answered.

use super::{Need, Permission, Question};
use crate::bind::{self, Hidden, Refusal, Request, Rules, Ruling};
use crate::errno::Errno;
use crate::facts::{Facts, Socket, TrialOutcome};

/// What becomes of one wanted bind.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Judgement {
    /// The bind.
    pub request: Request,
    /// What becomes of it.
    pub outcome: Outcome,
    /// How that is known.
    pub basis: Basis,
    /// Positions of the groups that certainly stand in the way.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) certain: Vec<usize>,
    /// Positions of the groups that may.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) possible: Vec<usize>,
}

/// What becomes of a bind.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Outcome {
    /// It succeeds.
    Succeeds,
    /// It fails.
    Fails {
        /// With this error.
        errno: Errno,
        /// For this reason, when no other socket is to blame.
        refusal: Option<Refusal>,
    },
    /// It turns on what is not visible.
    DependsOn(Vec<Hidden>),
}

/// How an outcome is known.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Basis {
    /// From the kernel's rules and the sockets seen.
    Rules,
    /// The kernel was asked: a socket was bound and closed at once.
    Trial,
    /// The kernel was asked because the rules left this open.
    TrialOf(Vec<Hidden>),
}

impl Judgement {
    /// The error, when it certainly fails.
    pub const fn errno(&self) -> Option<Errno> {
        match &self.outcome {
            Outcome::Fails { errno, .. } => Some(*errno),
            Outcome::Succeeds | Outcome::DependsOn(_) => None,
        }
    }
}

pub(super) fn examples(facts: &Facts) -> Vec<&Socket> {
    facts.sockets.groups().iter().map(|group| &group.example).collect()
}

pub(super) fn judge(question: &Question, facts: &Facts, rules: Rules) -> Vec<Judgement> {
    let sockets = examples(facts);
    question.requests.iter().map(|request| judge_one(request, &sockets, facts, rules)).collect()
}

fn judge_one(request: &Request, sockets: &[&Socket], facts: &Facts, rules: Rules) -> Judgement {
    let ruling = bind::bind(request, sockets, &facts.host, rules);
    let errno = ruling.errno();
    let (outcome, certain, possible) = match ruling {
        Ruling::Free => (Outcome::Succeeds, Vec::new(), Vec::new()),
        Ruling::Barred(refusal) => {
            let fails = Outcome::Fails { errno: refusal.errno(), refusal: Some(refusal) };
            (fails, Vec::new(), Vec::new())
        }
        Ruling::Conflict { certain, possible } => {
            let errno = errno.unwrap_or(Errno::AddressInUse);
            (Outcome::Fails { errno, refusal: None }, certain, possible)
        }
        Ruling::DependsOn { hidden, certain, possible } => {
            (Outcome::DependsOn(hidden), certain, possible)
        }
    };
    let judgement =
        Judgement { request: request.clone(), outcome, basis: Basis::Rules, certain, possible };
    settle(judgement, facts)
}

/// Lets a trial decide what the rules left open. A socket that might have stood in the way did not when the
/// trial succeeded.
fn settle(judgement: Judgement, facts: &Facts) -> Judgement {
    let outcome = match facts.trial_of(&judgement.request) {
        None | Some(TrialOutcome::NotTried(_)) => return judgement,
        Some(TrialOutcome::Bound) => Outcome::Succeeds,
        Some(TrialOutcome::Refused(errno)) => Outcome::Fails { errno: *errno, refusal: None },
    };
    let basis = match &judgement.outcome {
        Outcome::DependsOn(hidden) => Basis::TrialOf(hidden.clone()),
        Outcome::Succeeds | Outcome::Fails { .. } => Basis::Trial,
    };
    if outcome == Outcome::Succeeds {
        return Judgement {
            outcome,
            basis,
            certain: Vec::new(),
            possible: Vec::new(),
            ..judgement
        };
    }
    Judgement { outcome, basis, ..judgement }
}

/// A trial has side effects, so it is asked for only where the rules leave the answer open.
pub(super) fn trial_needed(
    question: &Question,
    judgements: &[Judgement],
    facts: &Facts,
) -> Option<Need> {
    if question.trial == Permission::Forbidden {
        return None;
    }
    judgements
        .iter()
        .find(|judgement| {
            matches!(judgement.outcome, Outcome::DependsOn(_))
                && facts.trial_of(&judgement.request).is_none()
        })
        .map(|judgement| Need::Trial(judgement.request.clone()))
}
