//! The arguments of `rsh`.

use super::{OutputArgs, duration};
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// The arguments of `rsh`.
#[derive(Args, Clone, Debug)]
#[command(override_usage = "lastack rsh -w HOSTS [OPTIONS] [--] COMMAND...")]
pub struct RshArgs {
    /// Run it on these hosts: node[1-9,12], n[001-40], r[1-2]n[1-4], user@host, @FILE, or - for standard input; commas
    /// between them, and as often as you like.
    #[arg(
        short = 'w',
        long = "hosts",
        value_name = "HOSTS",
        required = true,
        allow_hyphen_values = true
    )]
    pub hosts: Vec<String>,
    /// But not on these; a name without a user means it whoever the user is.
    #[arg(short = 'x', long, value_name = "HOSTS", allow_hyphen_values = true)]
    pub exclude: Vec<String>,
    /// The user there, where the list names none.
    #[arg(short = 'l', long, value_name = "USER")]
    pub user: Option<String>,
    /// The command, for the remote user's shell; its words are joined with spaces.
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    pub command: Vec<OsString>,
    /// Several commands instead, one a line (# begins a comment line): each host runs them one after the other, over one
    /// connection where that can be.
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub commands: Option<PathBuf>,
    /// Let every command read this file (- is standard input); without it they read nothing.
    #[arg(long, value_name = "FILE")]
    pub stdin: Option<PathBuf>,
    /// Only say what would be run.
    #[arg(long)]
    pub dry_run: bool,
    /// How fast, and how long.
    #[command(flatten, next_help_heading = "At once and in time")]
    pub pace: PaceArgs,
    /// What carries the commands.
    #[command(flatten, next_help_heading = "The way there")]
    pub way: WayArgs,
    /// How to show what comes back.
    #[command(flatten, next_help_heading = "Output")]
    pub show: ShowArgs,
}

/// How many at once, and how long everything may take.
#[derive(Args, Clone, Copy, Debug)]
pub struct PaceArgs {
    /// So many hosts at once.
    #[arg(short = 'f', long, value_name = "N", default_value_t = 32,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub fanout: u32,
    /// How long all of it may take; then what runs is stopped, the rest is not begun, and it exits with 124.
    #[arg(long, value_name = "TIME", value_parser = duration::parse_age)]
    pub timeout: Option<Duration>,
    /// How long a host may take until its command runs.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "10s")]
    pub connect_timeout: Duration,
    /// How long a command may run; no limit without it.
    #[arg(long, value_name = "TIME", value_parser = duration::parse_age)]
    pub command_timeout: Option<Duration>,
    /// What a command that was told to end is given before it is killed.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "5s")]
    pub grace: Duration,
    /// Try so often again where a command certainly was not run; after 1 s, 2 s, 4 s and so on.
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(..=100))]
    pub retries: u32,
}

/// What carries the commands.
#[derive(Args, Clone, Debug)]
pub struct WayArgs {
    /// What carries the commands.
    #[arg(long, value_enum, value_name = "WAY", default_value_t = Via::Ssh)]
    pub via: Via,
    /// The port of the servers, where it is not the usual one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// With ssh: an option of ssh_config(5), as in User=me; as often as you like, before those that are set here.
    #[arg(long, value_name = "OPTION")]
    pub ssh_option: Vec<String>,
    /// With ssh: keep connections open for the next run, until they were idle for so long.
    #[arg(long, value_name = "TIME", value_parser = duration::parse_age)]
    pub persist: Option<Duration>,
    /// With rsh: how the standard error comes; acknowledged without this.
    #[arg(long, value_enum, value_name = "HOW")]
    pub stderr: Option<Stderr>,
    /// With rsh: end the commands' input by closing first, which costs a port of this host for a minute each; otherwise
    /// the servers close first.
    #[arg(long)]
    pub half_close: bool,
    /// With rsh: connect from these addresses; commas between them. Each has all the ports once more.
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    pub from: Vec<IpAddr>,
    /// With rsh: connect from these ports only, within 512-1023, from which servers take connections.
    #[arg(long, value_name = "RANGE", value_parser = port_range)]
    pub ports: Option<RangeInclusive<u16>>,
}

/// How the standard error of a command comes over rsh.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Stderr {
    /// Apart, and signals reach the command; the server gives up its port last.
    Acknowledged,
    /// Apart, and signals do not reach it (set --command-timeout): that direction is closed as soon as it is there.
    Early,
    /// With the standard output, over one connection; signals do not reach it (set --command-timeout).
    Merged,
}

/// What carries the commands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Via {
    /// The system's OpenSSH, with its keys and its configuration; nothing is ever asked.
    Ssh,
    /// rsh, from reserved ports that do not run out. Clear text; the servers trust addresses.
    Rsh,
}

/// How to show what comes back.
#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// Wait for the end, and show the same standard output of several hosts once, under node[1-3].
    #[arg(short = 'b', long, conflicts_with = "json")]
    pub gather: bool,
    /// No "host: " before the lines.
    #[arg(short = 'N', long, conflicts_with_all = ["gather", "json"])]
    pub no_prefix: bool,
    /// A table of all hosts at the end, not only of those that failed.
    #[arg(long)]
    pub table: bool,
    /// What the exit code says.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ExitRule::Some)]
    pub exit: ExitRule,
    /// How to answer.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What the exit code says.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ExitRule {
    /// 3 when some did not succeed.
    Some,
    /// The highest status of all commands, 255 for one that has none.
    Worst,
}

/// Reads `512-1023` or `700`.
fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.parse::<u16>().map_err(|_| "not a range of ports (write 700-900)");
    let (first, last) = (port(first)?, port(last)?);
    if first > last || !(RESERVED.contains(&first) && RESERVED.contains(&last)) {
        return Err("rsh servers take connections from the ports 512 to 1023 only".into());
    }
    Ok(first..=last)
}

/// From these ports `rshd` takes connections (rshd(8)).
pub const RESERVED: RangeInclusive<u16> = 512..=1023;

/// What the exit code of `rsh` says.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    every command succeeded
  2    the question is at fault, or what carries the commands is missing;
       nothing was run
  3    some did not succeed: a status that is not 0, or none; or what came back
       could not be written
  124  the time of --timeout was over first
  130  interrupted
With --exit worst the highest status of all commands, 255 for one without.

An interrupt (Ctrl-C) says which hosts still run. A second one within two
seconds stops what runs, a third ends at once. Over ssh a command that was
stopped may go on there: ssh passes no signal on.";
