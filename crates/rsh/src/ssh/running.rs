//! One ssh from its start to its end: its output handed on, its input fed, its log read, its time kept.

use super::folder::NamedPipe;
use super::log::{End, Log, Reached};
use super::verdict::{Exit, Why, verdict};
use crate::output::NOT_TAKEN;
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
use tokio::time::{Instant, sleep, sleep_until, timeout};

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
        let (ended, end) = watch::channel(Ended::No);
        let bounds = Bounds { end, stop: stop.clone(), grace: task.limits.grace };
        let mut course = Course::new(task.limits);
        let watching = async {
            let status = course.watch(&mut child, &mut pipe, stop).await;
            ended.send_replace(if course.why.is_some() { Ended::Told } else { Ended::ByItself });
            status
        };
        let (status, out, err, ()) = tokio::join!(
            watching,
            pump(stdout, Source::Stdout, output, bounds.clone()),
            pump(stderr, Source::Stderr, output, bounds.clone()),
            feed(stdin, &task.stdin, bounds.end.clone()),
        );
        if out == Pumped::HeldOpen || err == Pumped::HeldOpen {
            notes.push("something that ssh started held its output open after its end".into());
        }
        if out == Pumped::NotTaken || err == Pumped::NotTaken {
            notes.push(NOT_TAKEN.into());
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

/// Whether ssh has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    No,
    ByItself,
    /// It was told to.
    Told,
}

/// What bounds the handing on of output.
#[derive(Clone)]
struct Bounds {
    end: watch::Receiver<Ended>,
    stop: Stop,
    grace: Duration,
}

impl Bounds {
    fn has_ended(&self) -> bool {
        *self.end.borrow() != Ended::No
    }

    async fn ended(&mut self) {
        let _ = self.end.wait_for(|end| *end != Ended::No).await;
    }

    /// When whoever reads has had time enough to take it: without end, unless it was to end early.
    async fn patience(&mut self) {
        let told = async {
            let _ = self.end.wait_for(|end| *end == Ended::Told).await;
        };
        tokio::select! {
            _ = self.stop.pulled() => {}
            () = told => {}
        }
        sleep(self.grace).await;
    }
}

/// Whether everything was read and taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pumped {
    ToTheEnd,
    HeldOpen,
    NotTaken,
}

/// Hands on what comes, to the end; after the end of ssh only as long as something comes within the grace.
async fn pump(
    stream: Option<impl AsyncRead + Unpin>,
    source: Source,
    output: &Output,
    mut bounds: Bounds,
) -> Pumped {
    let Some(mut stream) = stream else { return Pumped::ToTheEnd };
    let mut octets = vec![0; PIECE];
    loop {
        let read = if bounds.has_ended() {
            match timeout(bounds.grace, stream.read(&mut octets)).await {
                Ok(read) => read,
                Err(_) => return Pumped::HeldOpen,
            }
        } else {
            tokio::select! {
                biased;
                read = stream.read(&mut octets) => read,
                () = bounds.ended() => continue,
            }
        };
        let Ok(length @ 1..) = read else { return Pumped::ToTheEnd };
        tokio::select! {
            biased;
            () = output.put(source, &octets[..length]) => {}
            () = bounds.patience() => return Pumped::NotTaken,
        }
    }
}

/// Writes the input, then closes it. A command that does not read it to the end is not to blame.
async fn feed(stdin: Option<ChildStdin>, input: &Stdin, mut end: watch::Receiver<Ended>) {
    let (Some(mut stdin), Stdin::Octets(octets)) = (stdin, input) else { return };
    tokio::select! {
        _ = stdin.write_all(octets) => {}
        _ = end.wait_for(|end| *end != Ended::No) => {}
    }
}

/// Octets handed on at a time.
const PIECE: usize = 16 << 10;
