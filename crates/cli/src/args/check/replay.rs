//! What can be typed after `check replay`.

use crate::args::OutputArgs;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

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
    /// With --suite: compare the verdicts with this table of expected ones.
    #[arg(long, value_name = "TABLE", requires = "suite")]
    pub expect: Option<PathBuf>,
    /// With --suite: write the verdicts into this table, as those of this system; others in it are kept.
    #[arg(long, value_name = "TABLE", requires = "suite", conflicts_with_all = ["files", "expect"])]
    pub write_table: Option<PathBuf>,
    /// Draw what happened in each script as well, as far as it goes.
    #[arg(long, conflicts_with = "json")]
    pub ladder: bool,
    /// How to answer.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
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

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  every script passes, or differs as named
  1  a script fails
  2  a script cannot be read
  3  no script fails, and some are skipped
Of several scripts, the worst: 2, then 1, then 3.
With --expect: 0 if every verdict is the expected one, 1 if any is not.";
