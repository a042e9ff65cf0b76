//! What can be typed: the one definition from which help, man page and completions are made.

#![expect(clippy::doc_markdown, reason = "these comments are the help, where backticks would show")]

use crate::exit;
use crate::like::Like;
use clap::{Args, ColorChoice, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// The last word on how TCP connections end.
///
/// Without a verb and an address: an overview of this host, its listeners, the connections that are ending, and the
/// problems found. With an address alone: `lastack why`.
#[derive(Debug, Parser)]
#[command(name = "lastack", version, args_conflicts_with_subcommands = true, after_help = exit::TABLE)]
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
}

/// The arguments of `why`.
#[derive(Args, Clone, Debug)]
pub struct WhyArgs {
    /// Addresses to bind: 8080, 127.0.0.1:8080, [::1]:8080, udp/53, localhost:http.
    #[allow(rustdoc::broken_intra_doc_links, reason = "[::1] is an address")]
    #[arg(value_name = "ADDR")]
    pub addresses: Vec<String>,
    /// Ask about an outgoing connection to this address instead.
    #[arg(long, value_name = "DEST", conflicts_with_all = ["addresses", "facts", "save_facts"])]
    pub connect: Option<String>,
    /// The local address of the outgoing connection; with a port, the exact four-tuple is judged.
    #[arg(long, value_name = "ADDR", requires = "connect")]
    pub from: Option<String>,
    /// Watch this long to tell the rate of connections to the destination (5s, 500ms, 1m).
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "connect")]
    pub sample: Option<Duration>,
    /// The options of the socket that would be bound.
    #[command(flatten, next_help_heading = "The socket that would be bound")]
    pub bind: BindArgs,
    /// How to look.
    #[command(flatten, next_help_heading = "Looking")]
    pub look: LookArgs,
    /// How to answer.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
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
    /// Answer from a file that --save-facts wrote, on any machine.
    #[arg(long, value_name = "FILE")]
    pub facts: Option<PathBuf>,
}

/// How to answer.
#[derive(Args, Clone, Debug)]
pub struct OutputArgs {
    /// One JSON object per address and line.
    #[arg(long)]
    pub json: bool,
    /// Write what was seen to a file that --facts answers from; command lines are left out.
    #[arg(long, value_name = "FILE")]
    pub save_facts: Option<PathBuf>,
    /// Keep command lines and directories in the saved facts.
    #[arg(long, requires = "save_facts")]
    pub with_commands: bool,
    /// When to use colour.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// Reads a time as in `5s`, `500ms`, `1m`; a bare number is seconds.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "not a time (write 5s, 500ms or 1m)".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" | "" if number <= 3600 => Ok(Duration::from_secs(number)),
        "m" if number <= 60 => Ok(Duration::from_secs(number * 60)),
        "s" | "" | "m" => Err("longer than an hour".into()),
        _ => Err(format!("unknown unit {unit:?} (write 5s, 500ms or 1m)")),
    }
}
