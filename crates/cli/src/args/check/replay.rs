//! What can be typed after `check replay`.

use clap::{Args, ColorChoice, ValueEnum};
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
    /// When to use colour.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
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
Of several scripts, the worst: 2, then 1, then 3.";
