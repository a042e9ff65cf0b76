//! A script as a ladder: the system that it is held against on the left, whose states are known; on the right whoever
//! wrote the script, of whom only segments are seen.

use super::dialect::Dialect;
use super::{Stop, Verdict, driver};
use crate::ladder::{Known, Ladder, View};
use crate::script::Script;
use crate::state::State;

/// Replays the script as far as it goes. Where it does not go on, the last rung says why.
pub fn ladder(script: &Script, dialect: &Dialect, name: &str) -> Ladder {
    let (mut host, end) = driver::run(script, dialect);
    let verdict = end.map_or_else(Stop::verdict, |()| Verdict::Pass);
    if let Verdict::Fail(_) | Verdict::Skipped(_) = &verdict {
        host.journal.note(verdict.to_string());
        host.journal.follow(host.asserted_state());
    }
    let kind = match verdict {
        Verdict::Pass => "passes",
        Verdict::Fail(_) => "fails",
        Verdict::Deviation(_) => "differs",
        Verdict::Skipped(_) => "is skipped",
    };
    let system = dialect.profile.name;
    Ladder {
        name: name.to_owned(),
        title: format!("{name} against {system}: {kind}."),
        ends: [system.to_owned(), "the script".to_owned()],
        view: View::Both,
        start: [Known::Observed(State::Closed), Known::Unknown],
        events: host.journal.events,
    }
}

#[cfg(test)]
mod tests;
