//! What can be typed after `close`.

use super::{GuardArgs, OutputArgs, duration};
use clap::Args;
use lastack_model::selection;
use lastack_model::state::State;
use std::time::Duration;

/// The arguments of `close`.
#[derive(Args, Clone, Debug)]
pub struct CloseArgs {
    /// Which connections; all conditions must hold.
    #[command(flatten, next_help_heading = "Which connections (all conditions must hold)")]
    pub filter: FilterArgs,
    /// How far to go.
    #[command(flatten, next_help_heading = "How far to go")]
    pub consent: YesArgs,
    /// What must not be touched.
    #[command(flatten, next_help_heading = "What must not be touched")]
    pub guard: GuardArgs,
    /// In this named network namespace (see `ip netns`).
    #[arg(long, value_name = "NAME")]
    pub netns: Option<String>,
    /// How to answer.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
}

/// Which connections.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = true)]
pub struct FilterArgs {
    /// With this remote end: 10.0.0.7, 10.0.0.7:443, [2001:db8::7]:443, :443, db.example:5432.
    #[expect(rustdoc::broken_intra_doc_links, reason = "[2001:db8::7] is an address")]
    #[arg(long, value_name = "ADDR")]
    pub peer: Option<String>,
    /// With this local end.
    #[arg(long, value_name = "ADDR")]
    pub local: Option<String>,
    /// In this state: close-wait, fin-wait-2, time-wait, established … (may be repeated).
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    pub state: Vec<State>,
    /// Held by this process.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// On which nothing has moved for so long: no data, no acknowledgement (30s, 10m, 2h, 7d).
    #[arg(long, value_name = "TIME", value_parser = duration::parse_age)]
    pub idle: Option<Duration>,
}

/// What may be done without asking, where no program is ever stopped.
#[derive(Args, Clone, Copy, Debug)]
pub struct YesArgs {
    /// Only show the plan; do nothing.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Close them without asking.
    #[arg(long, short)]
    pub yes: bool,
}

/// A state in which a connection can be closed.
fn parse_state(text: &str) -> Result<State, String> {
    state_among(text, &selection::STATES)
}

/// A state by its standard name, in any case, with `-` or `_`; or as `ss` calls it.
pub(super) fn state_among(text: &str, states: &[State]) -> Result<State, String> {
    let wanted = text.to_ascii_uppercase().replace('-', "_");
    let is_called = |state: &&State| state.name() == wanted || abbreviation(**state) == wanted;
    states.iter().find(is_called).copied().ok_or_else(|| {
        let typed = |state: &State| state.name().to_ascii_lowercase().replace('_', "-");
        let known: Vec<String> = states.iter().map(typed).collect();
        format!("no state of a connection (there are: {})", known.join(", "))
    })
}

/// The name that `ss` has for it, where that is another.
const fn abbreviation(state: State) -> &'static str {
    match state {
        State::SynReceived => "SYN_RECV",
        State::Established => "ESTAB",
        State::Listen
        | State::SynSent
        | State::FinWait1
        | State::FinWait2
        | State::CloseWait
        | State::Closing
        | State::LastAck
        | State::TimeWait
        | State::Closed => state.name(),
    }
}

/// clap does not wrap a usage, and this one has no room in a line.
pub(super) const USAGE: &str = "\
lastack close [OPTIONS] <--peer <ADDR>|--local <ADDR>|--state <STATE>|
                             --pid <PID>|--idle <TIME>>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usage_names_every_condition() {
        let mut program = crate::command();
        program.build();
        let verb = program.find_subcommand("close").expect("the verb");
        let filter = verb.get_groups().find(|group| group.is_required_set()).expect("conditions");
        let conditions: Vec<&str> = filter.get_args().map(clap::Id::as_str).collect();
        assert!(conditions.len() >= 5, "{conditions:?}");
        for condition in conditions {
            assert!(USAGE.contains(&format!("--{condition} <")), "{condition}");
        }
    }
}
