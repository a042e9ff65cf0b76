//! One ssh from its start to its end: its output handed on, its input fed, its log read, its time kept.

use super::folder::NamedPipe;
use super::log::{End, Log, Reached};
use super::verdict::{Exit, Why, verdict};
use crate::{Cause, Failure, Limits, Output, Ran, Source, Stdin, Stop, Task};
use lastack_model::ids::Pid;
use lastack_os::process::Handle;
use rustix::process::Signal as SystemSignal;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// An ssh that was started.
pub(super) struct Running {
    pub(super) child: Child,
    /// What it says about itself.
    pub(super) pipe: pipe::Receiver,
    /// Where it says so; gone when dropped.
    pub(super) log: NamedPipe,
}

/// Where it stands.
struct Course {
    limits: Limits,
    log: Log,
    began: Instant,
    accepted: Option<Instant>,
    why: Option<Why>,
    /// When it is killed, once it was told to end.
    killed_at: Option<Instant>,
}

impl Running {
    /// To its end. What it wrote has been handed on then.
    pub(super) async fn until_its_end(
        self,
        task: &Task,
        output: &Output,
        stop: Stop,
        notes: &mut Vec<String>,
    ) -> Result<u8, Failure> {
        let Self { mut child, mut pipe, log: _name } = self;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (ended, is_over) = watch::channel(false);
        let grace = task.limits.grace;
        let mut course = Course::new(task.limits);
        let watching = async {
            let status = course.watch(&mut child, &mut pipe, stop).await;
            ended.send_replace(true);
            status
        };
        let (status, out, err, ()) = tokio::join!(
            watching,
            pump(stdout, Source::Stdout, output, is_over.clone(), grace),
            pump(stderr, Source::Stderr, output, is_over.clone(), grace),
            feed(stdin, &task.stdin, is_over.clone()),
        );
        if out == Pumped::HeldOpen || err == Pumped::HeldOpen {
            notes.push("something that ssh started held its output open after its end".into());
        }
        if course.why.is_some() && course.log.end() == End::Status {
            notes.push(
                "the command had ended, but something that it began held the connection".into(),
            );
        }
        match status {
            Ok(status) => verdict(exit(status), &course.log, course.why),
            Err(cause) => Err(Failure {
                stage: course.log.stage(),
                cause: Cause::System(format!("failed to wait for ssh: {cause}")),
                ran: Ran::Perhaps,
            }),
        }
    }
}

impl Course {
    fn new(limits: Limits) -> Self {
        let (log, began) = (Log::default(), Instant::now());
        Self { limits, log, began, accepted: None, why: None, killed_at: None }
    }

    /// Until the process has ended.
    async fn watch(
        &mut self,
        child: &mut Child,
        pipe: &mut pipe::Receiver,
        mut stop: Stop,
    ) -> io::Result<ExitStatus> {
        let pid = child.id().map(Pid);
        let handle = pid.and_then(|pid| Handle::by_pid(pid).ok().flatten());
        let mut said = vec![0; 4096];
        loop {
            let due = self.due();
            tokio::select! {
                status = child.wait() => {
                    while let Ok(length @ 1..) = pipe.try_read(&mut said) {
                        self.log.take(&said[..length]);
                    }
                    return status;
                }
                read = pipe.read(&mut said) => self.hear(&said[..read.unwrap_or(0)]),
                signal = stop.pulled(), if self.why.is_none() => {
                    self.end(Why::Stopped(signal), handle.as_ref());
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.time(handle.as_ref());
                }
            }
        }
    }

    fn hear(&mut self, said: &[u8]) {
        self.log.take(said);
        if self.log.reached() == Reached::Accepted && self.accepted.is_none() {
            self.accepted = Some(Instant::now());
        }
    }

    /// When the time for what goes on now is over.
    fn due(&self) -> Option<Instant> {
        match (self.why, self.accepted) {
            (Some(_), _) => self.killed_at,
            (None, None) => Some(self.began + self.limits.connect),
            (None, Some(accepted)) => self.limits.command.map(|limit| accepted + limit),
        }
    }

    fn time(&mut self, handle: Option<&Handle>) {
        match (self.why, self.accepted, self.limits.command) {
            (Some(_), _, _) => {
                self.killed_at = None;
                signal(handle, SystemSignal::KILL);
            }
            (None, Some(_), Some(limit)) => self.end(Why::TimedOut(limit), handle),
            (None, _, _) => self.end(Why::TimedOut(self.limits.connect), handle),
        }
    }

    /// Tells it to end, and itself when to kill it. What ends here is ssh; it passes no signal on.
    fn end(&mut self, why: Why, handle: Option<&Handle>) {
        self.why = Some(why);
        self.killed_at = Some(Instant::now() + self.limits.grace);
        signal(handle, SystemSignal::TERM);
    }
}

/// One that has ended needs none.
fn signal(handle: Option<&Handle>, signal: SystemSignal) {
    if let Some(handle) = handle {
        let _ = handle.signal(signal);
    }
}

fn exit(status: ExitStatus) -> Exit {
    match status.code() {
        // Exit codes have eight bits.
        Some(code) => Exit::Code(code.cast_unsigned() as u8),
        None => Exit::Signal(status.signal().unwrap_or_default()),
    }
}

/// Whether everything was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pumped {
    ToTheEnd,
    HeldOpen,
}

/// Hands on what comes, to the end; after the end of ssh only as long as something comes within the grace.
async fn pump(
    stream: Option<impl AsyncRead + Unpin>,
    source: Source,
    output: &Output,
    mut is_over: watch::Receiver<bool>,
    grace: Duration,
) -> Pumped {
    let Some(mut stream) = stream else { return Pumped::ToTheEnd };
    let mut octets = vec![0; PIECE];
    loop {
        let read = if *is_over.borrow() {
            match timeout(grace, stream.read(&mut octets)).await {
                Ok(read) => read,
                Err(_) => return Pumped::HeldOpen,
            }
        } else {
            tokio::select! {
                biased;
                read = stream.read(&mut octets) => read,
                _ = is_over.wait_for(|is_over| *is_over) => continue,
            }
        };
        match read {
            Ok(length @ 1..) => output.put(source, &octets[..length]).await,
            Ok(0) | Err(_) => return Pumped::ToTheEnd,
        }
    }
}

/// Writes the input, then closes it. A command that does not read it to the end is not to blame.
async fn feed(stdin: Option<ChildStdin>, input: &Stdin, mut is_over: watch::Receiver<bool>) {
    let (Some(mut stdin), Stdin::Octets(octets)) = (stdin, input) else { return };
    tokio::select! {
        _ = stdin.write_all(octets) => {}
        _ = is_over.wait_for(|is_over| *is_over) => {}
    }
}

/// Octets handed on at a time.
const PIECE: usize = 16 << 10;
