//! Which programs start others again, and of which kind they are.

use crate::facts::Process;

/// How a supervisor relates to what it runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nature {
    /// Runs one thing for a person at a terminal: ending it ends that thing, and nothing else is lost.
    Watcher,
    /// Runs many programs and must not end for the sake of one: it is told to stop that one.
    Keeper,
}

impl Nature {
    /// What the supervisor of this name is; `None` for service managers and container engines, which are no ancestors.
    pub(super) fn of(name: &str) -> Option<Self> {
        if WATCHERS.contains(&name) {
            Some(Self::Watcher)
        } else {
            KEEPERS.contains(&name).then_some(Self::Keeper)
        }
    }
}

/// The supervisor that a program's short name stands for. Whole names only: `air` is one, `airflow` is not. PM2 titles
/// itself `PM2 v5.3.0: God Daemon`.
pub fn known_supervisor(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let first = lower.split([' ', ':']).next()?;
    // A short name holds 15 bytes (`TASK_COMM_LEN`); all of these fit.
    WATCHERS.iter().chain(&KEEPERS).find(|known| **known == first).copied()
}

/// The supervisor that a command line stands for, when its program runs others' scripts under its own name: what the
/// first argument says that is no option.
pub fn interpreted_supervisor(name: &str, command: &[impl AsRef<str>]) -> Option<&'static str> {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !INTERPRETERS.contains(&base) {
        return None;
    }
    let mut arguments = command.iter().map(AsRef::as_ref).skip(1);
    let script = arguments.find(|argument| !argument.starts_with('-'))?;
    // The part of forever that stays and starts the program again is called `monitor`.
    if script.ends_with("/forever/bin/monitor") {
        return Some("forever");
    }
    let file = script.rsplit('/').next()?;
    known_supervisor(file.rsplit_once('.').map_or(file, |(stem, kind)| match kind {
        "js" | "py" | "rb" | "pl" => stem,
        _ => file,
    }))
}

/// The kind of supervisor that a process is itself.
pub(super) fn own_nature(process: &Process) -> Option<Nature> {
    let name = known_supervisor(&process.name)
        .or_else(|| interpreted_supervisor(&process.name, &process.command))?;
    Nature::of(name)
}

/// Whether a program starts sessions or jobs for people: what runs under it is not its own.
pub(super) fn starts_sessions(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // sshd titles itself `sshd: user@pts/0`, tmux `tmux: server`.
    let first = name.split([':', ' ']).next().unwrap_or_default();
    SESSION_STARTERS.contains(&first)
}

const WATCHERS: [&str; 12] = [
    "air",
    "bacon",
    "cargo-watch",
    "chokidar",
    "foreman",
    "forever",
    "honcho",
    "nodemon",
    "overmind",
    "reflex",
    "watchexec",
    "watchmedo",
];

const KEEPERS: [&str; 8] =
    ["circusd", "god", "monit", "pm2", "runsv", "s6-supervise", "supervise", "supervisord"];

/// Programs that run others' scripts under their own name, digits of a version left off.
const INTERPRETERS: [&str; 6] = ["bun", "deno", "node", "perl", "python", "ruby"];

const SESSION_STARTERS: [&str; 25] = [
    "agetty",
    "anacron",
    "atd",
    "buildkite-agent",
    "containerd-shim",
    "containerd",
    "cron",
    "crond",
    "dockerd",
    "dropbear",
    "gdm-session-wor",
    "getty",
    "gitlab-runner",
    "in.telnetd",
    "lightdm",
    "login",
    "mosh-server",
    "runner.listener",
    "screen",
    "sddm-helper",
    "sshd",
    "sshd-session",
    "telnetd",
    "tmux",
    "xrdp-sesman",
];
