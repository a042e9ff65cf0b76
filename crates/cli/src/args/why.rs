//! What can be typed after `why`, and after nothing.

use super::{BindArgs, LookArgs, OutputArgs, duration};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// The arguments of `why`.
#[derive(Args, Clone, Debug)]
pub struct WhyArgs {
    /// Addresses to bind: 8080, 127.0.0.1:8080, [::1]:8080, udp/53, localhost:http.
    #[expect(rustdoc::broken_intra_doc_links, reason = "[::1] is an address")]
    #[arg(value_name = "ADDR")]
    pub addresses: Vec<String>,
    /// Ask about an outgoing connection to this address instead.
    #[arg(long, value_name = "DEST", conflicts_with_all = ["addresses", "facts", "save_facts"])]
    pub connect: Option<String>,
    /// The local address of the outgoing connection; with a port, the exact four-tuple is judged.
    #[arg(long, value_name = "ADDR", requires = "connect")]
    pub from: Option<String>,
    /// Watch this long to tell the rate of connections to the destination (5s, 500ms, 1m).
    #[arg(long, value_name = "TIME", value_parser = duration::parse, requires = "connect")]
    pub sample: Option<Duration>,
    /// The options of the socket that would be bound.
    #[command(flatten, next_help_heading = "The socket that would be bound")]
    pub bind: BindArgs,
    /// How to look.
    #[command(flatten, next_help_heading = "Looking")]
    pub look: LookArgs,
    /// Facts in files.
    #[command(flatten, next_help_heading = "Looking")]
    pub files: FileArgs,
    /// How to answer.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
}

/// Facts in files.
#[derive(Args, Clone, Debug)]
pub struct FileArgs {
    /// Answer from a file that --save-facts wrote, on any machine.
    #[arg(long, value_name = "FILE")]
    pub facts: Option<PathBuf>,
    /// Write what was seen to a file that --facts answers from; command lines are left out.
    #[arg(long, value_name = "FILE")]
    pub save_facts: Option<PathBuf>,
    /// Keep command lines and directories in the saved facts.
    #[arg(long, requires = "save_facts")]
    pub with_commands: bool,
}
