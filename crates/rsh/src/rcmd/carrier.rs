//! A command over rsh from its task to its report: a port, a connection, an agreement, the command, and the end of both.

use super::chance::Chance;
use super::course::{Course, Errors, Over, Parting, Place, Terms};
use super::dial::{Dialled, Time, dial, failed};
use super::drive::Lines;
use super::line::{leave, leave_errors};
use super::options::Options;
use super::request::Request;
use super::setup::SetUp;
use super::wrapper::{AtEnd, Input, Mark, wrap};
use crate::{Carrier, Cause, Failure, Output, Report, Signal, Stage, Stdin, Stop, Task};
use lastack_graceful::ports::tokio::{Listening, listen};
use lastack_graceful::ports::{Lease, Obstacle, Ports};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::select;

/// Carries commands over rsh, each on a connection of its own from a port of this pool.
///
/// A command takes about 50 KiB of memory, whatever it writes, and the length of its own text; a few may be under way to
/// the same port of the same host only as fast as the pool lends them.
#[derive(Debug)]
pub struct Rsh {
    pub(super) ports: Ports,
    pub(super) options: Options,
    chance: Chance,
}

/// A server that has said yes.
pub(super) struct Agreed {
    pub(super) lines: Lines,
    pub(super) lease: Lease,
    pub(super) early: Vec<u8>,
}

impl Rsh {
    /// A carrier that takes its ports from this pool.
    ///
    /// # Errors
    ///
    /// When the kernel's randomness cannot be opened.
    pub fn new(ports: Ports, options: Options) -> io::Result<Self> {
        Ok(Self { ports, options, chance: Chance::open()? })
    }

    /// The pool.
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    async fn carry(
        &self,
        task: &Task,
        output: &Output,
        mut stop: Stop,
        notes: &mut Vec<String>,
    ) -> Result<u8, Failure> {
        let (terms, command) = self.terms(task)?;
        let agreed = self.agree(task, &command, terms.errors, &mut stop, notes).await?;
        let Agreed { mut lines, lease, early } = agreed;
        let plan = Course::new(terms, Instant::now());
        let over = lines.run(plan, &early, output, &mut stop).await;
        let Over { result, notes: more, main, errors, stays: _ } = over;
        notes.extend(more);
        if let Some(stream) = lines.errors {
            leave_errors(stream, errors);
        }
        leave(lines.main, lease, main, task.limits.grace).await;
        result
    }

    /// What is asked of the plan, and the command as it is sent.
    fn terms(&self, task: &Task) -> Result<(Terms, Vec<u8>), Failure> {
        let mark = self.mark()?;
        let stdin = match &task.stdin {
            Stdin::Nothing => Arc::from([]),
            Stdin::Octets(octets) => Arc::clone(octets),
        };
        let Options { errors, half_close, .. } = self.options;
        let acknowledge = errors == Errors::Acknowledged && !half_close;
        let input = match stdin.len() {
            _ if half_close => Input::UntilFin,
            0 => Input::Nothing,
            octets => Input::Counted(octets),
        };
        let at_end = if acknowledge { AtEnd::AwaitLine } else { AtEnd::Leave };
        let command = wrap(&task.command, &mark, input, at_end);
        let (limit, grace) = (task.limits.command, task.limits.grace);
        Ok((
            Terms {
                place: Place::Alone,
                mark,
                errors,
                acknowledge,
                half_close,
                stdin,
                limit,
                grace,
            },
            command,
        ))
    }

    /// A new mark.
    pub(super) fn mark(&self) -> Result<Mark, Failure> {
        self.chance.draw().map(Mark::new).map_err(|error| {
            failed(Stage::SetUp, Cause::System(format!("read /dev/urandom: {error}")))
        })
    }

    /// Connects, and has the server say yes to this command.
    pub(super) async fn agree(
        &self,
        task: &Task,
        command: &[u8],
        errors: Errors,
        stop: &mut Stop,
        notes: &mut Vec<String>,
    ) -> Result<Agreed, Failure> {
        let limit = task.limits.connect;
        let time = Time { until: Instant::now() + limit, limit };
        let local = self.options.local_user.as_bytes();
        let remote = task.user.as_deref().map_or(local, str::as_bytes);
        let request = Request::new(local, remote, command)
            .map_err(|error| failed(Stage::SetUp, Cause::System(error.to_string())))?;
        let dialling = dial(&self.ports, &task.host, self.options.port, time, notes);
        let Dialled { stream, lease, to } = unless_stopped(stop, Stage::Connect, dialling).await?;
        let ear = match errors {
            Errors::Merged => Ok(None),
            Errors::Early | Errors::Acknowledged => {
                let listening = self.listen(to.ip(), time);
                unless_stopped(stop, Stage::Port, listening).await.map(Some)
            }
        };
        let ear = match ear {
            Ok(ear) => ear,
            Err(failure) => {
                leave(stream, lease, Parting::Reset, task.limits.grace).await;
                return Err(failure);
            }
        };
        let mut plan = SetUp::new(ear.as_ref().map(Listening::port), &request, limit, time.until);
        let mut lines = Lines::new(stream, errors, self.options.silence);
        let has_input = matches!(&task.stdin, Stdin::Octets(octets) if !octets.is_empty());
        lines.agree(&mut plan, ear.as_ref(), stop).await;
        // A call-back may come yet: then the port is left alone until it cannot.
        if let Some(ear) = ear.filter(|_| !plan.is_call_due()) {
            ear.done();
        }
        notes.extend(plan.notes());
        if let Some(failure) = plan.failure().cloned() {
            let parting = plan.parting();
            if let Some(stream) = lines.errors {
                leave_errors(stream, Parting::Reset);
            }
            leave(lines.main, lease, parting, task.limits.grace).await;
            return Err(failure);
        }
        lines.watch(has_input);
        Ok(Agreed { lines, lease, early: plan.accepted().unwrap_or_default() })
    }

    async fn listen(&self, to: IpAddr, time: Time) -> Result<Listening, Failure> {
        let at = match to {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let heard = listen(&self.ports, at, self.options.call_backs, time.until).await;
        heard.map_err(|error| {
            let cause = match error.obstacle() {
                Obstacle::TimedOut => Cause::TimedOut(time.limit),
                _ => Cause::System(error.to_string()),
            };
            failed(Stage::Port, cause)
        })
    }
}

impl Carrier for Rsh {
    async fn run(&self, task: Task, output: Output, stop: Stop) -> Report {
        let began = Instant::now();
        let mut notes = Vec::new();
        let result = self.carry(&task, &output, stop, &mut notes).await;
        Report { result, elapsed: began.elapsed(), notes }
    }

    fn waits_for(&self) -> Option<String> {
        self.ports.longest_wait(WORTH_TELLING).map(|reason| reason.to_string())
    }
}

/// Does something that may be dropped, unless it shall stop.
pub(super) async fn unless_stopped<T>(
    stop: &mut Stop,
    stage: Stage,
    act: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let stopped = |signal: Signal| Err(failed(stage, Cause::Stopped(signal)));
    select! {
        biased;
        signal = stop.pulled() => stopped(signal),
        done = act => done,
    }
}

/// A shorter wait for a port is over before anybody has read of it.
const WORTH_TELLING: Duration = Duration::from_secs(1);
