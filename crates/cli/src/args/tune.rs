//! What can be typed after `tune`.

use super::OutputArgs;
use crate::typed::quoted;
use clap::{Args, ValueEnum};
use lastack_model::tune::System;
use std::path::PathBuf;

/// The arguments of `tune`.
#[derive(Args, Clone, Debug)]
pub struct TuneArgs {
    /// A setting to explain (tcp_fin_timeout, net.ipv4.tcp_fin_timeout, SO_LINGER) or to change (tcp_fin_timeout=30).
    #[arg(value_name = "KEY[=VALUE]")]
    pub settings: Vec<String>,
    /// Make the changes without asking.
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Only show what the changes would do.
    #[arg(long)]
    pub dry_run: bool,
    /// Make a change although it is dangerous, or undo one although somebody else has changed the value since.
    #[arg(long)]
    pub force: bool,
    /// Also write the values to a configuration file, so that they hold after the next start.
    #[arg(long)]
    pub persist: bool,
    /// Take back the last change recorded for this network namespace, its lines in the configuration file included.
    #[arg(long, conflicts_with_all = ["settings", "persist", "yes", "os"])]
    pub undo: bool,
    /// Show what another system has.
    #[arg(long, value_enum, value_name = "NAME")]
    pub os: Option<Os>,
    /// The folder of configuration files.
    #[arg(long, value_name = "DIR", default_value = CONFIG)]
    pub config_dir: PathBuf,
    /// The folder in which changes are recorded.
    #[arg(long, value_name = "DIR", default_value = STATE)]
    pub state_dir: PathBuf,
    /// How to answer.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
}

/// The systems that there are rows about.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Os {
    /// Linux, which is the default.
    Linux,
    /// FreeBSD.
    Freebsd,
    /// macOS.
    Macos,
    /// OpenBSD.
    Openbsd,
    /// illumos.
    Illumos,
    /// Windows.
    Windows,
    /// All of them.
    All,
}

impl TuneArgs {
    /// The options for folders that are not the usual ones, to be typed again.
    pub fn folders(&self) -> String {
        let option = |name: &str, folder: &PathBuf, usual: &str| match folder.to_str() {
            Some(same) if same == usual => String::new(),
            _ => format!(" {name} {}", quoted(&folder.to_string_lossy())),
        };
        option("--config-dir", &self.config_dir, CONFIG)
            + &option("--state-dir", &self.state_dir, STATE)
    }
}

impl Os {
    /// Whether rows of a system are asked for.
    pub fn includes(self, system: System) -> bool {
        let one = match self {
            Self::Linux => System::Linux,
            Self::Freebsd => System::FreeBsd,
            Self::Macos => System::MacOs,
            Self::Openbsd => System::OpenBsd,
            Self::Illumos => System::Illumos,
            Self::Windows => System::Windows,
            Self::All => return true,
        };
        one == system
    }
}

const CONFIG: &str = "/etc/sysctl.d";
const STATE: &str = "/var/lib/lastack";

/// The exit codes of `tune`, as its help prints them.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  shown, or done and verified
  1  not done: refused as dangerous, not confirmed, or changed by somebody else since
  2  the question or the environment is at fault; nothing was changed";
