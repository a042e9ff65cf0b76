//! Why an address can or cannot be bound: from a question and the facts to an explanation, or to what is needed first.
//!
//! A pure function. It never acts and never asks the kernel: where the facts do not decide, it returns a [`Need`] that
//! whoever holds the operating system may meet and then ask again. An explanation never says more than its evidence.

mod conflict;
mod connection;
mod explanation;
mod futile;
mod judgement;
mod remedy;
mod words;

pub use conflict::{Against, Conflict, Role, connections};
pub use connection::{Connection, Sample, Tuple};
pub use explanation::{Caution, Explanation, Neighbour, Verdict};
pub use futile::Futile;
pub use judgement::{Basis, Judgement, Outcome};
pub use remedy::{Certainty, Harm, OptionChange, Remedy, Step};

use crate::bind::{Request, Rules};
use crate::facts::{Facts, Transport};
use crate::ids::{Inode, Port};

/// Can these sockets be bound?
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Question {
    /// The address as it was typed.
    pub asked: String,
    /// The binds it means: a bare port means the wildcard of both families.
    pub requests: Vec<Request>,
    /// Whether the kernel may be asked by binding.
    pub trial: Permission,
    /// Whether other network namespaces are looked into.
    pub elsewhere: Permission,
}

/// Whether something may be done to find the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Permission {
    /// It may.
    Allowed,
    /// It may not.
    Forbidden,
}

/// What must be found out before the question can be answered well.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Need {
    /// Which processes hold these sockets, and their options.
    Holders(Vec<Inode>),
    /// What the kernel says to this bind.
    Trial(Request),
    /// Who uses the port in other network namespaces.
    Elsewhere(Transport, Port),
}

/// Answers the question from the facts, or says what is needed first.
///
/// Every need is met at most once: asking again with the same facts gives the same answer, and facts that record
/// an attempt without a result do not lead to the same need.
pub fn why(question: &Question, facts: &Facts) -> Result<Explanation, Need> {
    let rules = Rules::of(facts.host.kernel);
    let judgements = judgement::judge(question, facts, rules);
    let conflicts = conflict::conflicts(&judgements, facts, rules);
    if let Some(need) = conflict::holders_needed(&conflicts, facts) {
        return Err(need);
    }
    if let Some(need) = judgement::trial_needed(question, &judgements, facts) {
        return Err(need);
    }
    if let Some(need) = remedy::trial_needed(question, &judgements, facts, rules) {
        return Err(need);
    }
    if let Some(need) = elsewhere_needed(question, &judgements, facts) {
        return Err(need);
    }
    Ok(explanation::explain(question, judgements, conflicts, facts, rules))
}

/// Other namespaces are worth a look only when nothing here explains a refusal somebody saw.
fn elsewhere_needed(question: &Question, judgements: &[Judgement], facts: &Facts) -> Option<Need> {
    let first = question.requests.first()?;
    let look = question.elsewhere == Permission::Allowed
        && judgements.iter().all(|judgement| judgement.outcome == Outcome::Succeeds)
        && !facts.elsewhere_sought.contains(&(first.transport, first.port));
    look.then_some(Need::Elsewhere(first.transport, first.port))
}

#[cfg(test)]
mod tests;
