//! Many commands over one connection: a shell on each host that reads them one after the other.
//!
//! It costs one port and one login for all of them. What a command does to its own shell it does in a subshell; one that
//! kills the session's shell, or is ended by a signal, ends the session with it, and the next opens another. A process
//! that a command leaves behind may write into the output of the next.

use super::carrier::{Agreed, Rsh, unless_stopped};
use super::course::{Course, Errors, Over, Parting, Place, Terms};
use super::dial::failed;
use super::drive::Lines;
use super::line::{leave, leave_errors};
use super::request::{BadRequest, Field};
use super::wrapper::{Streams, wrap_for_session};
use crate::{Carrier, Cause, Failure, Limits, Output, Report, Stage, Stdin, Stop, Task};
use lastack_graceful::ports::Lease;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync;
use tokio::task::JoinSet;

/// Carries commands over rsh, all that go to the same user of the same host over one connection, one at a time.
///
/// End it with [`close`](Self::close): then the remote sides close first. Dropped, it closes first itself, and its ports
/// stay in quarantine. A command with input takes a connection of its own, since the shell reads its commands where the
/// input would come from.
#[derive(Debug)]
pub struct Session {
    rsh: Rsh,
    rooms: Mutex<HashMap<Whom, Room>>,
}

type Whom = (Arc<str>, Option<Arc<str>>);
/// Whoever has the lock talks to the shell, if there is one.
type Room = Arc<sync::Mutex<Option<Shell>>>;

/// A shell that waits for commands.
#[derive(Debug)]
struct Shell {
    lines: Lines,
    lease: Lease,
    /// What it said before it was asked anything.
    early: Vec<u8>,
}

impl Session {
    /// Sessions by this carrier.
    pub fn new(rsh: Rsh) -> Self {
        Self { rsh, rooms: Mutex::default() }
    }

    /// The carrier.
    pub const fn rsh(&self) -> &Rsh {
        &self.rsh
    }

    /// Has every shell leave, and waits until the servers have closed, no longer than this each. Commands that are under
    /// way are waited for.
    pub async fn close(&self, grace: Duration) {
        let rooms = std::mem::take(&mut *self.rooms.lock().unwrap_or_else(PoisonError::into_inner));
        let mut leaving = JoinSet::new();
        for room in rooms.into_values() {
            leaving.spawn(async move {
                if let Some(shell) = room.lock().await.take() {
                    shell.leave(grace).await;
                }
            });
        }
        leaving.join_all().await;
    }

    fn room(&self, task: &Task) -> Room {
        let whom = (Arc::clone(&task.host), task.user.clone());
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(rooms.entry(whom).or_default())
    }

    async fn carry(
        &self,
        task: &Task,
        output: &Output,
        mut stop: Stop,
        notes: &mut Vec<String>,
    ) -> Result<u8, Failure> {
        let terms = self.terms(task)?;
        let room = self.room(task);
        let entering = async { Ok(room.lock().await) };
        let mut place = unless_stopped(&mut stop, Stage::Connect, entering).await?;
        let mut shell = match place.take() {
            Some(shell) if !shell.lines.has_ended() => shell,
            gone => {
                if let Some(gone) = gone {
                    gone.part(Parting::Orderly, Parting::Orderly, task.limits.grace).await;
                }
                self.open(task, &mut stop, notes).await?
            }
        };
        let plan = Course::new(terms, Instant::now());
        let early = std::mem::take(&mut shell.early);
        let Over { result, notes: more, stays, main, errors } =
            shell.lines.run(plan, &early, output, &mut stop).await;
        notes.extend(more);
        if stays {
            *place = Some(shell);
        } else {
            shell.part(main, errors, task.limits.grace).await;
        }
        result
    }

    async fn open(
        &self,
        task: &Task,
        stop: &mut Stop,
        notes: &mut Vec<String>,
    ) -> Result<Shell, Failure> {
        let agreed = self.rsh.agree(task, b"exec sh", self.errors(), stop, notes).await?;
        let Agreed { lines, lease, early } = agreed;
        Ok(Shell { lines, lease, early })
    }

    fn terms(&self, task: &Task) -> Result<Terms, Failure> {
        if task.command.contains(&0) {
            let error = BadRequest::Nul(Field::Command);
            return Err(failed(Stage::SetUp, Cause::System(error.to_string())));
        }
        let mark = self.rsh.mark()?;
        let streams = match self.errors() {
            Errors::Merged => Streams::Merged,
            Errors::Early | Errors::Acknowledged => Streams::Separate,
        };
        let stdin = wrap_for_session(&task.command, &mark, streams).into();
        let Limits { command: limit, grace, .. } = task.limits;
        Ok(Terms {
            place: Place::InSession,
            mark,
            errors: self.errors(),
            acknowledge: false,
            half_close: false,
            stdin,
            limit,
            grace,
        })
    }

    /// The connection for the standard error is kept as long as the session, if there is one.
    fn errors(&self) -> Errors {
        match self.rsh.options.errors {
            Errors::Merged => Errors::Merged,
            Errors::Early | Errors::Acknowledged => Errors::Acknowledged,
        }
    }
}

impl Carrier for Session {
    async fn run(&self, task: Task, output: Output, stop: Stop) -> Report {
        if matches!(&task.stdin, Stdin::Octets(octets) if !octets.is_empty()) {
            return self.rsh.run(task, output, stop).await;
        }
        let began = Instant::now();
        let mut notes = Vec::new();
        let result = self.carry(&task, &output, stop, &mut notes).await;
        Report { result, elapsed: began.elapsed(), notes }
    }

    fn waits_for(&self) -> Option<String> {
        self.rsh.waits_for()
    }
}

impl Shell {
    /// Has it end, so that the server closes.
    async fn leave(mut self, grace: Duration) {
        let parting = self.lines.say_goodbye(b"exit\n", grace).await;
        self.part(parting, parting, grace).await;
    }

    async fn part(self, main: Parting, errors: Parting, grace: Duration) {
        if let Some(stream) = self.lines.errors {
            leave_errors(stream, errors);
        }
        leave(self.lines.main, self.lease, main, grace).await;
    }
}
