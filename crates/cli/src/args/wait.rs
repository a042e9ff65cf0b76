//! The arguments of `wait`.

use super::{BindArgs, OutputArgs, duration};
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::time::Duration;

/// The arguments of `wait`.
#[derive(Args, Clone, Debug)]
pub struct WaitArgs {
    /// Address to wait for: 8080, 127.0.0.1:8080, [::1]:8080, udp/53, db.example:5432.
    #[expect(rustdoc::broken_intra_doc_links, reason = "[::1] is an address")]
    #[arg(value_name = "ADDR")]
    pub address: String,
    /// Give up after this long (5s, 500ms, 1m), say what still stands in the way, and exit with 124.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub timeout: Option<Duration>,
    /// What to wait for.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Until::Bindable)]
    pub until: Until,
    /// Wait also where the host itself refuses the bind, until its addresses or settings change.
    #[arg(long)]
    pub even_if_refused: bool,
    /// The options of the socket that would be bound.
    #[command(flatten, next_help_heading = "The socket that would be bound")]
    pub bind: BindArgs,
    /// Never ask the kernel by binding a socket; read its tables instead.
    #[arg(long, help_heading = "Looking")]
    pub no_trial_bind: bool,
    /// How to answer.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Run this command then, in place of lastack.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Until {
    /// A bind would succeed.
    Bindable,
    /// Somebody listens there (UDP: has bound it).
    Listening,
    /// A connection is accepted; each attempt is a real one.
    Connectable,
}

impl Until {
    /// The word for it, as it is typed.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bindable => "bindable",
            Self::Listening => "listening",
            Self::Connectable => "connectable",
        }
    }
}
