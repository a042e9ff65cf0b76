//! The arguments of `check`.

use clap::{Args, ColorChoice, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The arguments of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// What to check.
    #[command(subcommand)]
    pub what: CheckVerb,
}

/// What can be checked.
#[derive(Clone, Debug, Subcommand)]
pub enum CheckVerb {
    /// Replay packetdrill scripts against the model of a system, or this machine's kernel.
    ///
    /// Against a model nothing is sent. Against the kernel, each script gets a network namespace of its own, where its
    /// calls are made on real sockets and its segments come and go through a TUN device; no segment leaves it. Commands
    /// and code in a script are never run.
    ///
    /// Compared are the flags, relative numbers and lengths of what is sent, the results of calls, and states. Not
    /// compared are windows, options and the moments of retransmissions. A script that fails and would pass if the
    /// system differed in one or two known ways is said to differ, with their names. One that needs what the model does
    /// not have is skipped, with the reason.
    #[command(after_help = EXIT_CODES)]
    Replay(ReplayArgs),
}

/// The arguments of `check replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// Scripts; with --suite, paths inside of it.
    #[arg(value_name = "FILE", required_unless_present = "suite")]
    pub files: Vec<PathBuf>,
    /// Replay the scripts (*.pkt) in this directory and below, and count the verdicts.
    #[arg(long, value_name = "DIR")]
    pub suite: Option<PathBuf>,
    /// The system whose model is meant, or the kernel.
    #[arg(long, value_enum, value_name = "SYSTEM", default_value_t = Against::Linux)]
    pub against: Against,
    /// With --suite: the verdict on each script as well.
    #[arg(long, requires = "suite")]
    pub each: bool,
    /// When to use colour.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

impl CheckArgs {
    /// When to use colour.
    pub const fn color(&self) -> ColorChoice {
        match &self.what {
            CheckVerb::Replay(args) => args.color,
        }
    }
}

/// What scripts are held against.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Against {
    /// Linux at its defaults.
    Linux,
    /// The letter of RFC 9293.
    Rfc9293,
    /// FreeBSD at its defaults.
    #[value(name = "freebsd")]
    FreeBsd,
    /// No model: the kernel of this machine, in network namespaces made for it (as root; takes as long as the
    /// scripts say).
    Kernel,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  every script passes, or differs as named
  1  a script fails
  2  a script cannot be read
  3  no script fails, and some are skipped
Of several scripts, the worst: 2, then 1, then 3.";
