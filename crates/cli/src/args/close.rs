//! What can be typed after `close`.

use super::{GuardArgs, OutputArgs, duration};
use clap::Args;
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
    /// On which nothing has moved for so long: no data, no acknowledgement (10m, 30s).
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
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

/// A state by its standard name, in any case, with `-` or `_`.
fn parse_state(text: &str) -> Result<State, String> {
    let wanted = text.to_ascii_uppercase().replace('-', "_");
    let connected =
        || State::ALL.into_iter().filter(|s| !matches!(s, State::Listen | State::Closed));
    connected().find(|state| state.name() == wanted).ok_or_else(|| {
        let known: Vec<String> =
            connected().map(|s| s.name().to_ascii_lowercase().replace('_', "-")).collect();
        format!("no state of a connection (there are: {})", known.join(", "))
    })
}
