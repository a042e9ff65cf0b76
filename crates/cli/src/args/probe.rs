//! The arguments of `probe`.

use super::{OutputArgs, duration};
use clap::Args;
use std::time::Duration;

/// The arguments of `probe`.
#[derive(Args, Clone, Debug)]
pub struct ProbeArgs {
    /// Server to test: http://example.org/path, https://example.org/, or an address (example.org:25, [::1]:6379, 8080) for what needs no
    /// protocol. A certificate is not verified.
    #[expect(rustdoc::bare_urls, reason = "this is the help")]
    #[expect(rustdoc::broken_intra_doc_links, reason = "[::1] is an address")]
    #[arg(value_name = "ADDR|URL")]
    pub target: String,
    /// With an address: speak TLS first, from the first octet on, as https does.
    #[arg(long)]
    pub tls: bool,
    /// With an address: say this first; \r, \n, \t, \\ and \xNN stand for octets; @FILE sends a file.
    #[arg(long, value_name = "TEXT|@FILE")]
    pub send: Option<String>,
    /// With a URL: the method of every request.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub method: String,
    /// How long an answer or a close is waited for, each time (5s, 500ms, 1m).
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "3s")]
    pub patience: Duration,
    /// How long all of it may take; then it exits with 124 and says what was found so far.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "60s")]
    pub timeout: Duration,
    /// Only say what would be done; connect to nobody.
    #[arg(long)]
    pub dry_run: bool,
    /// Draw every connection, not only those that show a fault.
    #[arg(long, help_heading = "Output")]
    pub ladders: bool,
    /// How to answer.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
}

/// What the exit code of `probe` says.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    no fault found
  1    a fault found
  2    the question is at fault, or nobody could be reached
  3    no fault found, and a question stayed open
  124  the time of --timeout was over first";
