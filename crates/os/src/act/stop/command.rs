//! Running a service manager's own command: with an end in time, and its words kept for the error.

use crate::process::{Ended, Handle};
use crate::{Error, Result};
use lastack_model::ids::{Pid, Uid};
use lastack_model::stop::Invocation;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

/// What a command wrote, and how it ended.
pub(super) struct Ran {
    /// `None` when it was ended because time was up.
    pub(super) status: Option<ExitStatus>,
    /// Both its outputs.
    pub(super) said: String,
}

/// Runs a command; its refusal is returned as what would be the error. No answer in time is no refusal: the manager
/// may be at it.
pub(super) fn run(invocation: &Invocation, deadline: Instant) -> Result<Option<Error>> {
    let line = invocation.arguments.join(" ");
    let ran = output(invocation, deadline)?;
    Ok(match ran.status {
        Some(status) if !status.success() => {
            let said = ran.said.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            let said = if said.is_empty() { "it said nothing".to_owned() } else { said };
            Some(Error::new("run", line, io::Error::other(format!("{status}: {said}"))))
        }
        _ => None,
    })
}

/// Runs a command to its end, or to the deadline.
pub(super) fn output(invocation: &Invocation, deadline: Instant) -> Result<Ran> {
    let failed = |cause: io::Error| {
        let name = invocation.arguments.first().cloned().unwrap_or_default();
        let remedy = match cause.kind() {
            io::ErrorKind::NotFound => format!("{name} is not installed here, or not in PATH"),
            io::ErrorKind::PermissionDenied => "run as its user or as root".into(),
            _ => "nothing was stopped".into(),
        };
        Error::new("run", invocation.arguments.join(" "), cause).with_remedy(remedy)
    };
    // A pipe would have to be read while it fills; a file in memory waits.
    let mut said: File =
        memfd_create("lastack-output", MemfdFlags::CLOEXEC).map_err(|c| failed(c.into()))?.into();
    let mut command = prepared(invocation).map_err(failed)?;
    command.stdin(Stdio::null());
    command.stdout(said.try_clone().map_err(failed)?).stderr(said.try_clone().map_err(failed)?);
    let child = command.spawn().map_err(failed)?;
    let status = end(child, deadline).map_err(failed)?;
    let mut bytes = Vec::new();
    said.rewind().map_err(failed)?;
    said.take(MOST_SAID).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Ran { status, said: String::from_utf8_lossy(&bytes).into_owned() })
}

fn prepared(invocation: &Invocation) -> io::Result<Command> {
    let Some((program, arguments)) = invocation.arguments.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command"));
    };
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C");
    command.envs(invocation.environment.iter().map(|(name, value)| (name, value)));
    if let Some(user) = invocation.user.filter(|user| user.0 != rustix::process::geteuid().as_raw())
    {
        let account = account(user).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("uid {user} is not in /etc/passwd"))
        })?;
        // Its groups are dropped with the uid (`Command::uid`).
        command.uid(user.0).gid(account.gid).env("HOME", account.home).env("USER", account.name);
    }
    Ok(command)
}

/// Waits for the end of a child; one that takes too long is ended.
fn end(mut child: Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let held = Handle::by_pid(Pid(child.id()))
        .map_err(|error| io::Error::new(error.cause().kind(), error.cause().to_string()))?;
    let left = deadline.saturating_duration_since(Instant::now());
    match held.map_or(Ended::Yes, |handle| handle.wait(left)) {
        Ended::Yes => child.wait().map(Some),
        Ended::No => {
            child.kill()?;
            child.wait().map(|_| None)
        }
    }
}

struct Account {
    name: String,
    gid: u32,
    home: String,
}

fn account(user: Uid) -> Option<Account> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
        (uid.parse() == Ok(user.0)).then_some(())?;
        Some(Account { name: name.into(), gid: gid.parse().ok()?, home: home.into() })
    })
}

/// Enough for an error's words.
const MOST_SAID: u64 = 64 * 1024;
