//! What stands in a shell's or Python's quotes: a few shapes are recognised, none is ever run.

use super::{Body, Place, Unsupported};
use crate::state::State;

/// A command for a shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Shell {
    /// A script that prepares or restores the host (`./defaults.sh`).
    SetUp(String),
    /// Settings of the system, by name (`sysctl -w net.ipv4.tcp_rfc1337=1`).
    Set(Vec<(String, String)>),
    /// So many sockets must be in this state.
    Count(State, u32),
    /// Connections in this state are dropped.
    Drop(State),
    /// Caches are emptied.
    Purge,
}

/// What is asserted in Python.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Assertion {
    /// The connection is in this state (`tcpi_state`).
    State(State),
}

/// What the lines between backticks mean.
pub(super) fn shell(text: &str, place: Place) -> Body {
    // A line that ends in a backslash goes on in the next one.
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut commands = Vec::new();
    for line in lines {
        match command(line) {
            Some(command) => commands.push(command),
            None => return beyond(format!("the shell command '{}'", shown(line)), place),
        }
    }
    Body::Shell(commands)
}

/// What the Python between `%{` and `}%` means.
pub(super) fn code(text: &str, place: Place) -> Body {
    match asserted_state(text) {
        Some(state) => Body::Assert(Assertion::State(state)),
        None => beyond(format!("the Python code '{}'", shown(text.trim())), place),
    }
}

fn beyond(what: String, place: Place) -> Body {
    Body::Unsupported(Unsupported { what, place })
}

/// As much of it as an answer can hold.
fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    let short: String = line.chars().take(SHOWN).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

fn command(line: &str) -> Option<Shell> {
    let line = line.split(" #").next().unwrap_or(line).trim_end_matches(';').trim();
    let mut words = line.split_whitespace();
    let first = words.next()?;
    if first.strip_suffix(".sh").is_some() {
        return Some(Shell::SetUp(first.to_owned()));
    }
    if first == "sysctl" || first.ends_with("/set_sysctls.py") {
        return settings(line);
    }
    let rest: Vec<&str> = words.collect();
    match (first, rest.as_slice()) {
        ("tcpdrop", ["-s", state]) => state_named(state).map(Shell::Drop),
        ("ip", ["tcp_metrics", "flush", ..]) => Some(Shell::Purge),
        ("sockstat" | "ss", _) => count(line),
        _ => None,
    }
}

fn settings(line: &str) -> Option<Shell> {
    let mut all: Vec<(String, String)> = Vec::new();
    for word in words_with_quotes(line).into_iter().skip(1) {
        if word.starts_with('-') {
            continue;
        }
        let (name, value) = word.split_once('=')?;
        let name = name.strip_prefix("/proc/sys/").unwrap_or(name).replace('/', ".");
        all.push((name, value.trim_matches('"').to_owned()));
    }
    match all.as_slice() {
        [] => None,
        [(name, _)] if name.ends_with("hostcache.purgenow") => Some(Shell::Purge),
        _ => Some(Shell::Set(all)),
    }
}

/// Words, where a value in quotes may hold blanks.
fn words_with_quotes(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        quoted ^= c == '"';
        match words.last_mut() {
            Some(last) if quoted || !c.is_whitespace() => last.push(c),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A listing of sockets piped into a count of one state, and that into a comparison with a number.
fn count(line: &str) -> Option<Shell> {
    let stages: Vec<Vec<&str>> =
        line.split('|').map(|stage| stage.split_whitespace().collect()).collect();
    let (last, before) = stages.split_last()?;
    let number = match last.as_slice() {
        ["grep", number] | ["grep", "-qx" | "-x" | "-q", number] => number.parse().ok()?,
        _ => return None,
    };
    let state = before.iter().find_map(|stage| match stage.as_slice() {
        ["grep", "-c", state] => state_named(state),
        ["ss", rest @ ..] => {
            let at = rest.iter().position(|word| *word == "state")?;
            state_named(rest.get(at + 1)?)
        }
        _ => None,
    })?;
    let counts =
        before.iter().any(|stage| matches!(stage.as_slice(), ["wc", "-l"] | ["grep", "-c", _]));
    counts.then_some(Shell::Count(state, number))
}

fn asserted_state(text: &str) -> Option<State> {
    let assertion = text.trim().strip_prefix("assert")?.trim();
    let (claim, _message) = assertion.split_once(',').unwrap_or((assertion, ""));
    let (left, right) = claim.split_once("==")?;
    if left.trim() != "tcpi_state" {
        return None;
    }
    let name = right.trim();
    state_named(name.strip_prefix("TCPI_").or_else(|| name.strip_prefix("TCP_"))?)
}

/// A state by the names that systems and their tools give it.
fn state_named(name: &str) -> Option<State> {
    let name = name.to_ascii_uppercase().replace('-', "_");
    let state = match name.as_str() {
        "SYN_RCVD" | "SYN_RECV" => State::SynReceived,
        "ESTAB" => State::Established,
        "FIN_WAIT1" => State::FinWait1,
        "FIN_WAIT2" => State::FinWait2,
        "CLOSE" => State::Closed,
        "LISTENING" => State::Listen,
        other => return State::ALL.into_iter().find(|state| state.name() == other),
    };
    Some(state)
}

/// So many characters of a command are shown.
const SHOWN: usize = 50;
