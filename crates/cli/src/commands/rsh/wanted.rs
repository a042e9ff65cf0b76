//! From what was typed to what is to be done; everything is read and checked here.

use crate::args::{RshArgs, Via};
use crate::error::Error;
use crate::report::rsh::Plan;
use lastack_rsh::fan::Terms;
use lastack_rsh::hosts::{Host, HostList, Place, read_place};
use lastack_rsh::{Limits, Stdin, Task};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// What is to be done.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) hosts: Vec<Host>,
    pub(super) commands: Vec<Arc<[u8]>>,
    /// For each host its tasks.
    pub(super) lists: Vec<Vec<Task>>,
    pub(super) terms: Terms,
}

/// Reads all of it.
pub(super) fn job(args: &RshArgs) -> Result<Job, Error> {
    let input = Input::of(args)?;
    let commands = commands(args)?;
    let hosts = hosts(args)?;
    if hosts.len().saturating_mul(commands.len()) > MOST_TASKS {
        return Err(Error::new(format!(
            "{} commands on {} hosts are more than {MOST_TASKS}, which is the limit",
            commands.len(),
            hosts.len(),
        )));
    }
    let limits = limits(args)?;
    let stdin = match input {
        Input::Nothing => Stdin::Nothing,
        Input::From(path) => Stdin::Octets(octets(path, "--stdin")?.into()),
    };
    let user: Option<Arc<str>> = args.user.as_deref().map(user).transpose()?.map(Into::into);
    let list = |host: &Host| -> Vec<Task> {
        let user = host.user.clone().or_else(|| user.clone());
        let task = |command: &Arc<[u8]>| Task {
            host: host.name.clone(),
            user: user.clone(),
            command: command.clone(),
            stdin: stdin.clone(),
            limits,
        };
        commands.iter().map(task).collect()
    };
    let lists = hosts.iter().map(list).collect();
    let pace = &args.pace;
    let width = usize::try_from(pace.fanout).unwrap_or(usize::MAX);
    let terms = Terms { width, retries: pace.retries, total: pace.timeout };
    Ok(Job { hosts, commands, lists, terms })
}

impl Job {
    /// What will be shown of it.
    pub(super) fn plan(&self, args: &RshArgs) -> Plan {
        Plan {
            labels: self.hosts.iter().map(ToString::to_string).collect(),
            commands: self.commands.clone(),
            fanout: self.terms.width,
            via: match args.way.via {
                Via::Ssh => "ssh",
                Via::Rsh => "rsh",
            },
        }
    }
}

/// What the commands read.
enum Input<'a> {
    Nothing,
    From(&'a Path),
}

impl<'a> Input<'a> {
    /// Standard input is read once: as hosts, as commands, or as what the commands read.
    fn of(args: &'a RshArgs) -> Result<Self, Error> {
        let is_list = |lists: &[String]| {
            lists.iter().flat_map(|list| list.split([',', ' '])).any(|word| word == "-")
        };
        let dash = |path: &Option<std::path::PathBuf>| path.as_deref() == Some(Path::new("-"));
        let readers = [
            (is_list(&args.hosts) || is_list(&args.exclude), "hosts"),
            (dash(&args.commands), "commands"),
            (dash(&args.stdin), "their input"),
        ];
        let wanted: Vec<&str> =
            readers.iter().filter(|(wants, _)| *wants).map(|(_, what)| *what).collect();
        if wanted.len() > 1 {
            let wanted = wanted.join(" and as ");
            return Err(Error::new(format!(
                "standard input cannot be read as {wanted} (use files)"
            )));
        }
        Ok(args.stdin.as_deref().map_or(Input::Nothing, Input::From))
    }
}

fn hosts(args: &RshArgs) -> Result<Vec<Host>, Error> {
    let wrong = |error: lastack_rsh::hosts::Error| Error::new(format!("no list of hosts: {error}"));
    let mut list = HostList::default();
    // Standard input ends once; whoever names it twice means the same hosts.
    let mut typed = None;
    let mut read = |place: &Place| match (place, &typed) {
        (Place::StandardInput, Some(text)) => Ok(String::clone(text)),
        (Place::StandardInput, None) => Ok(typed.insert(read_place(place)?).clone()),
        (Place::File(_), _) => read_place(place),
    };
    for text in &args.hosts {
        list.add(text, &mut read).map_err(wrong)?;
    }
    for text in &args.exclude {
        list.remove(text, &mut read).map_err(wrong)?;
    }
    let hosts = list.into_hosts();
    if hosts.is_empty() {
        return Err(Error::new("no host is left to run it on (see -w and -x)"));
    }
    Ok(hosts)
}

fn commands(args: &RshArgs) -> Result<Vec<Arc<[u8]>>, Error> {
    let commands: Vec<Vec<u8>> = match &args.commands {
        Some(path) => {
            let text = octets(path, "--commands")?;
            let lines = text.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
            lines.filter(|line| !line.is_empty() && line[0] != b'#').map(<[u8]>::to_vec).collect()
        }
        None if args.command.is_empty() => Vec::new(),
        None => {
            vec![args.command.iter().map(|word| word.as_bytes()).collect::<Vec<_>>().join(&b' ')]
        }
    };
    if commands.is_empty() || commands.iter().any(|command| command.trim_ascii().is_empty()) {
        return Err(Error::new(
            "no command to run (write it behind the options, or --commands FILE)",
        ));
    }
    if commands.iter().any(|command| command.contains(&0)) {
        return Err(Error::new("a command with a NUL in it, which no shell can be given"));
    }
    if let Some(long) = commands.iter().find(|command| command.len() > LONGEST_COMMAND) {
        return Err(Error::new(format!(
            "a command of {} octets is longer than {LONGEST_COMMAND}, which is the limit (use --stdin)",
            long.len(),
        )));
    }
    Ok(commands.into_iter().map(Into::into).collect())
}

fn limits(args: &RshArgs) -> Result<Limits, Error> {
    let pace = &args.pace;
    let times = [
        (Some(pace.connect_timeout), "--connect-timeout"),
        (pace.command_timeout, "--command-timeout"),
        (pace.timeout, "--timeout"),
    ];
    if let Some((_, option)) =
        times.iter().find(|(time, _)| time.is_some_and(|time| time.is_zero()))
    {
        return Err(Error::new(format!(
            "{option} 0 leaves no time for anything (write 10s or 500ms)"
        )));
    }
    Ok(Limits { connect: pace.connect_timeout, command: pace.command_timeout, grace: pace.grace })
}

/// A user's name is a word of a command line.
fn user(name: &str) -> Result<&str, Error> {
    if name.is_empty() || name.starts_with('-') || name.chars().any(char::is_control) {
        return Err(Error::new(format!("{name:?} is no user's name (see -l)")));
    }
    Ok(name)
}

fn octets(path: &Path, option: &str) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::new();
    let most = MOST_OCTETS + 1;
    let read = if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut octets)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut octets))
    };
    let named = || format!("{} ({option})", path.display());
    let length =
        read.map_err(|cause| Error::new(format!("failed to read {}: {cause}", named())))?;
    if length as u64 > MOST_OCTETS {
        let limit = MOST_OCTETS >> 20;
        return Err(Error::new(format!(
            "{} is longer than {limit} MiB, which is the limit",
            named()
        )));
    }
    Ok(octets)
}

/// What is read whole is bounded.
const MOST_OCTETS: u64 = 64 << 20;
/// One argument of a program is at most 32 pages long (execve(2), `MAX_ARG_STRLEN`).
const LONGEST_COMMAND: usize = 128 * 1024 - 1;
const MOST_TASKS: usize = 1_000_000;
