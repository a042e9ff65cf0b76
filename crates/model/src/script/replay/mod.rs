//! A script against a profile: what the model sends and answers must be what the script expects.
//!
//! Compared are flags, relative numbers and length of what is sent, results and errors of calls, and states. Not
//! compared are windows, options and the moments of retransmissions: these a system measures, and this model does not.
//! What is sent waits in a queue; a step that expects a segment takes the head; one that is left over when the next
//! segment arrives is a failure. If nothing waits, the next retransmission or keepalive probe is made.

mod calls;
mod dialect;
mod drawn;
mod driver;
mod host;
mod journal;
mod observe;
pub mod wire;

pub use calls::WITHOUT_EFFECT;
pub use dialect::{Dialect, Known};
pub use drawn::ladder;
pub use driver::{first_numbers, is_beyond};
pub use observe::{Observed, Told, observe};

use super::{Error, Place, Script, parse};
use crate::tcp::switch::SWITCHES;
use std::fmt;

/// What became of a script.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The model does what the script expects.
    Pass,
    /// The script describes a system that differs from this profile in the named switches, and in nothing else.
    Deviation(Vec<&'static str>),
    /// The model does something else.
    Fail(Failure),
    /// The script needs what the model does not have.
    Skipped(String),
}

/// Where model and script part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The step.
    pub place: Place,
    /// What the script expects.
    pub expected: String,
    /// What the model does.
    pub got: String,
}

/// Reads and replays a script; where the model differs, looks for the switch that explains it.
pub fn judge(text: &str, dialect: &Dialect) -> Result<Verdict, Error> {
    let script = parse(text, dialect.defined)?;
    let verdict = replay(&script, dialect);
    if !matches!(verdict, Verdict::Fail(_)) {
        return Ok(verdict);
    }
    Ok(explanation(&script, dialect).map_or(verdict, Verdict::Deviation))
}

/// Replays a script against a profile, and no other.
pub fn replay(script: &Script, dialect: &Dialect) -> Verdict {
    if let Some(unsupported) = script.unsupported() {
        return Verdict::Skipped(unsupported.to_string());
    }
    driver::run(script, dialect).1.map_or_else(Stop::verdict, |()| Verdict::Pass)
}

/// The fewest switches, one or two, that make the script pass.
fn explanation(script: &Script, dialect: &Dialect) -> Option<Vec<&'static str>> {
    let passes = |profile| replay(script, &Dialect { profile, ..*dialect }) == Verdict::Pass;
    for switch in &SWITCHES {
        if passes((switch.turned)(dialect.profile)) {
            return Some(vec![switch.name]);
        }
    }
    for (at, first) in SWITCHES.iter().enumerate() {
        for second in &SWITCHES[at + 1..] {
            if passes((second.turned)((first.turned)(dialect.profile))) {
                return Some(vec![first.name, second.name]);
            }
        }
    }
    None
}

/// Why a replay stops before the end.
enum Stop {
    Failed(Failure),
    Beyond(String, Place),
}

impl Stop {
    fn verdict(self) -> Verdict {
        match self {
            Self::Failed(failure) => Verdict::Fail(failure),
            Self::Beyond(what, place) => Verdict::Skipped(format!("{what} ({place})")),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Deviation(names) => write!(f, "deviation: {}", names.join(" and ")),
            Self::Fail(failure) => write!(f, "fail: {failure}"),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: expected {}, got {}", self.place.line, self.expected, self.got)
    }
}

#[cfg(test)]
mod tests;
