//! What can be typed after `free`.

use super::{BindArgs, LookArgs, OutputArgs, duration};
use clap::Args;
use std::time::Duration;

/// The arguments of `free`.
#[derive(Args, Clone, Debug)]
pub struct FreeArgs {
    /// Addresses to make usable: 8080, 127.0.0.1:8080, [::1]:8080, udp/53, localhost:http.
    #[expect(rustdoc::broken_intra_doc_links, reason = "[::1] is an address")]
    #[arg(value_name = "ADDR", required = true)]
    pub addresses: Vec<String>,
    /// How far to go.
    #[command(flatten, next_help_heading = "How far to go")]
    pub consent: ConsentArgs,
    /// What must not be touched.
    #[command(flatten, next_help_heading = "What must not be touched")]
    pub guard: GuardArgs,
    /// The options of the socket that will be bound.
    #[command(flatten, next_help_heading = "The socket that will be bound")]
    pub bind: BindArgs,
    /// How to look.
    #[command(flatten, next_help_heading = "Looking")]
    pub look: LookArgs,
    /// How to answer.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
}

/// What may be done without asking.
#[derive(Args, Clone, Debug)]
pub struct ConsentArgs {
    /// Only show the plan; do nothing.
    #[arg(long, conflicts_with_all = ["yes", "stop", "kill"])]
    pub dry_run: bool,
    /// Take the steps that stop nobody, without asking.
    #[arg(long, short)]
    pub yes: bool,
    /// Also stop the program that is in the way.
    #[arg(long)]
    pub stop: bool,
    /// Also end it with SIGKILL when it still runs after --grace.
    #[arg(long)]
    pub kill: bool,
    /// Stop this process though it is pid 1, or one that lastack runs under.
    #[arg(long, value_name = "PID")]
    pub even: Vec<u32>,
    /// How long a program has to end after it was told to (10s, 500ms, 1m).
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "10s")]
    pub grace: Duration,
    /// How long waiting is preferred to acting.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "0s")]
    pub patience: Duration,
}

/// What must not be touched.
#[derive(Args, Clone, Debug)]
pub struct GuardArgs {
    /// Touch only processes and sockets of the user who runs lastack.
    #[arg(long)]
    pub only_mine: bool,
    /// Touch only programs whose command line contains this text.
    #[arg(long, value_name = "TEXT")]
    pub if_command: Option<String>,
    /// Touch only programs of this systemd unit or container.
    #[arg(long, value_name = "NAME")]
    pub if_unit: Option<String>,
}
