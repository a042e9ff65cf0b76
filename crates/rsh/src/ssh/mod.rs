//! Tasks carried by the system's OpenSSH: its keys, its known hosts, its configuration, its encryption.
//!
//! `ssh` says on a channel of its own (`-E`, a named pipe) how far it has come. So it is known whether a status of 255 is
//! the remote command's or ssh's, and whether a command that failed had been sent. What ssh cannot do is said and not
//! hidden: it passes no signal on, so a command without a terminal may go on after its ssh was stopped.

mod folder;
mod line;
mod log;
mod masters;
mod running;
mod verdict;

use crate::{Carrier, Cause, Failure, Output, Ran, Report, Stage, Stop, Task};
use folder::Folder;
use lastack_os::process;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::unix::pipe;
use tokio::process::Command;

/// What ssh is told beside host and command.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The port of the server; `None` leaves it to ssh.
    pub port: Option<u16>,
    /// Options as `-o` takes them. They stand before those that are set here, so they win (`ssh_config(5)`: the first
    /// value is used).
    pub options: Vec<String>,
    /// Whether connections are shared.
    pub sharing: Sharing,
}

/// Whether commands to the same host and user share a connection (`ControlMaster`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sharing {
    /// Each has its own.
    #[default]
    No,
    /// Those of this run do; at its end, after [`Ssh::finish`], none is left.
    WithinRun,
    /// They do, and the connection stays for later runs, as long as it is not idle for so long.
    Persistent(Duration),
}

/// The carrier.
#[derive(Debug)]
pub struct Ssh {
    program: PathBuf,
    settings: Settings,
    folder: Folder,
    started: AtomicU64,
}

/// What is held open for each task: three pipes, a named pipe, a pidfd, and what starting it takes for a moment.
pub const DESCRIPTORS_EACH: u64 = 12;

impl Ssh {
    /// Looks for `ssh` and makes a private folder.
    ///
    /// # Errors
    ///
    /// Where there is no `ssh`, or no folder that is safe to use.
    pub fn new(settings: Settings) -> lastack_os::Result<Self> {
        let program = process::find_program(OsStr::new("ssh")).map_err(|cause| {
            lastack_os::Error::new("find", "ssh", cause)
                .with_remedy("install OpenSSH's client, or name its folder in PATH")
        })?;
        let folder = Folder::new()?;
        Ok(Self { program, settings, folder, started: AtomicU64::new(0) })
    }

    /// The command that carries a task, as far as it does not depend on the run: what `--dry-run` shows.
    pub fn command_line(settings: &Settings, task: &Task) -> Vec<OsString> {
        let mut words = vec![OsString::from("ssh")];
        words.extend(line::options(settings, task));
        words.extend(line::target(task));
        words
    }

    /// Ends the connections that this run shared.
    pub async fn finish(&self) {
        if self.settings.sharing == Sharing::WithinRun {
            masters::end_all(&self.program, &self.folder.masters()).await;
        }
    }

    /// Starts ssh for a task.
    fn start(&self, task: &Task) -> io::Result<running::Running> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.named_pipe(number)?;
        // For reading and writing: so it has no end as long as nobody has opened it, or nobody has it open any more.
        let pipe = pipe::OpenOptions::new().read_write(true).open_receiver(log.path())?;
        let mut command = Command::new(&self.program);
        command.arg("-vv").arg("-E").arg(log.path()).args(line::options(&self.settings, task));
        match self.settings.sharing {
            Sharing::No => {}
            Sharing::WithinRun => {
                command.args(line::sharing(&self.folder.masters(), ORPHAN_STAYS));
            }
            Sharing::Persistent(time) => {
                command.args(line::sharing(&self.folder.lasting_masters()?, time));
            }
        }
        command.args(line::target(task));
        let input = if line::reads(&task.stdin) { Stdio::piped() } else { Stdio::null() };
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // An interrupt from the keyboard is for this program, which then decides about its children.
        command.process_group(0);
        process::die_with_us(command.as_std_mut());
        Ok(running::Running { child: command.spawn()?, pipe, log })
    }
}

impl Carrier for Ssh {
    async fn run(&self, task: Task, output: Output, stop: Stop) -> Report {
        let began = Instant::now();
        let mut notes = Vec::new();
        let result = match self.start(&task) {
            Ok(running) => running.until_its_end(&task, &output, stop, &mut notes).await,
            Err(cause) => Err(Failure {
                stage: Stage::Connect,
                cause: Cause::System(format!("failed to start ssh: {cause}")),
                ran: Ran::No,
            }),
        };
        Report { result, elapsed: began.elapsed(), notes }
    }
}

/// How long a shared connection outlives a run that could not end it because it was killed.
const ORPHAN_STAYS: Duration = Duration::from_secs(15);
