//! What can be typed: the one definition from which help, man page and completions are made.

#![expect(clippy::doc_markdown, reason = "these comments are the help, where backticks would show")]

mod check;
mod close;
pub mod duration;
pub mod figure;
mod free;
pub mod probe;
pub mod rsh;
mod system;
mod tune;
mod wait;
mod why;

pub use check::{Against, CellsArgs, CheckArgs, CheckVerb, ReplayArgs, StoriesArgs, TablesArgs};
pub use close::{CloseArgs, FilterArgs, YesArgs};
pub use free::{ConsentArgs, FreeArgs, GuardArgs};
pub use probe::ProbeArgs;
pub use rsh::{ExitRule, RshArgs, Stderr, Via, WayArgs};
pub use system::System;
pub use tune::{Os, TuneArgs};
pub use wait::{Until, WaitArgs};
pub use why::{FileArgs, WhyArgs};

use crate::exit;
use crate::like::Like;
use clap::{Args, ColorChoice, Parser, Subcommand};

/// The last word on how TCP connections end.
///
/// Without a verb and an address: an overview of this host, its listeners, the connections that are ending, and the
/// problems found. With an address alone: `lastack why`.
#[derive(Debug, Parser)]
#[command(name = "lastack", version, args_conflicts_with_subcommands = true)]
#[command(max_term_width = COLUMNS, after_help = exit::TABLE)]
pub struct Cli {
    /// The verb.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// The arguments of `why`, which is what an address alone means.
    #[command(flatten)]
    pub why: WhyArgs,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Say why an address can or cannot be bound, for how long, and what helps.
    #[command(after_help = exit::TABLE)]
    Why(WhyArgs),
    /// Make an address usable with the least harm, and prove that it is.
    #[command(after_help = exit::TABLE)]
    Free(FreeArgs),
    /// End single connections: by state, end, holder or idleness.
    #[command(override_usage = close::USAGE, after_help = exit::TABLE)]
    Close(CloseArgs),
    /// Wait until an address can be bound, or somebody is there, then run a command.
    #[command(after_help = exit::TABLE)]
    Wait(WaitArgs),
    /// Test from outside how a server ends connections: what it cuts, resets, or holds on to.
    #[command(after_help = probe::EXIT_CODES)]
    Probe(ProbeArgs),
    /// Run a command on many hosts at once, over ssh or rsh.
    #[command(after_help = rsh::EXIT_CODES)]
    Rsh(RshArgs),
    /// Show, explain and change the settings that touch how connections end.
    #[command(after_help = tune::EXIT_CODES)]
    Tune(TuneArgs),
    /// Draw how TCP connections open and end: the state diagram, stories as ladders, who can be where.
    #[command(after_help = figure::EXIT_CODES)]
    Figure(figure::FigureArgs),
    /// Check the model of TCP that everything here rests on.
    Check(CheckArgs),
}

/// The options of the socket that would be bound.
#[derive(Args, Clone, Debug)]
pub struct BindArgs {
    /// It sets SO_REUSEADDR.
    #[arg(long)]
    pub reuse_address: bool,
    /// It sets SO_REUSEPORT.
    #[arg(long)]
    pub reuse_port: bool,
    /// It sets IPV6_V6ONLY.
    #[arg(long)]
    pub v6only: bool,
    /// It is bound to this interface (SO_BINDTODEVICE).
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// It belongs to this user (number or name), without capabilities.
    #[arg(long, value_name = "USER")]
    pub uid: Option<String>,
    /// It is bound as this program usually does.
    #[arg(long, value_enum, value_name = "PROGRAM")]
    pub like: Option<Like>,
    /// In this named network namespace (see `ip netns`).
    #[arg(long, value_name = "NAME")]
    pub netns: Option<String>,
    /// As this process would: its network namespace, user and capabilities.
    #[arg(long, value_name = "PID", conflicts_with_all = ["netns", "uid"])]
    pub pid: Option<u32>,
}

/// How to look.
#[derive(Args, Clone, Debug)]
pub struct LookArgs {
    /// Never ask the kernel by binding a socket, even where the rules leave the answer open.
    #[arg(long)]
    pub no_trial_bind: bool,
    /// Do not look into other network namespaces.
    #[arg(long)]
    pub no_other_namespaces: bool,
}

/// How to answer.
#[derive(Args, Clone, Debug)]
pub struct OutputArgs {
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
    /// When to use colour.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// Help is no wider than everything else that is printed; clap's own bound, also where no terminal reads, is 100.
const COLUMNS: usize = 80;
