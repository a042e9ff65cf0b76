//! What a course comes to: the status or why there is none, and how the connections are to be left.

use super::{Course, Ending, Errors, Line, LineState, Place};
use crate::rcmd::setup::Broken;
use crate::{Cause, Failure, Ran, Stage};
use lastack_model::truth::Truth;

/// How it went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Over {
    /// The status, or why there is none.
    pub result: Result<u8, Failure>,
    /// What else is worth saying.
    pub notes: Vec<String>,
    /// Whether the connections serve for the next command of a session; otherwise they are to be left.
    pub stays: bool,
    /// How the main connection is to be left.
    pub main: Parting,
    /// How the connection for the standard error is to be left; where there is none it does not matter.
    pub errors: Parting,
}

/// How a connection is to be left.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Parting {
    /// In order: the server has closed.
    Orderly,
    /// By a reset: the server has not.
    Reset,
    /// Anyhow: it is gone.
    Gone,
}

impl Course {
    /// Ends the bookkeeping: appends what was held back in vain, and says how it went.
    pub fn finish(mut self, output: &mut Vec<u8>) -> Over {
        self.scanner.finish(output);
        if let Some(scanner) = &mut self.errors_scanner {
            scanner.finish(output);
        }
        let is_open =
            self.main.is_open() && (self.errors.is_open() || self.terms.errors == Errors::Merged);
        let stays = is_open && self.is_turn_over() && self.ending.is_none();
        let mut notes = Vec::new();
        let result = match (self.ending.take(), self.scanner.status()) {
            (None, Some(status)) => Ok(status),
            (Some(ending), Some(status)) => self.ended_with_status(ending, status, &mut notes),
            (Some(ending), None) => Err(self.ended_without_status(ending, &mut notes)),
            (None, None) => Err(self.unasked(&mut notes)),
        };
        self.note_what_broke(&mut notes);
        if self.scanner.is_followed() && self.terms.place == Place::Alone {
            notes.push("something that the command left behind wrote after its end".into());
        }
        Over { result, notes, stays, main: self.main.parting(), errors: self.errors.parting() }
    }

    /// Before the end that was made: a trap may have answered the signal. Where no signal was sent, only what the command
    /// had left behind was cut off.
    fn ended_with_status(
        &self,
        ending: Ending,
        status: u8,
        notes: &mut Vec<String>,
    ) -> Result<u8, Failure> {
        if self.has_signalled {
            notes.push(format!("its exit status was {status}"));
            return Err(failure(ending.cause, Ran::Yes { ended: Truth::Yes }));
        }
        notes.push(
            "the command ended; something that it left behind held the connection, which was reset"
                .into(),
        );
        Ok(status)
    }

    fn ended_without_status(&self, ending: Ending, notes: &mut Vec<String>) -> Failure {
        let ended = match self.main.state {
            LineState::Ended => Truth::Yes,
            LineState::Open | LineState::Broken(_) | LineState::None => Truth::Unknown,
        };
        if ended == Truth::Unknown && self.terms.errors != Errors::Acknowledged {
            notes.push(
                "no signal could be sent: that takes a connection for the standard error that is kept"
                    .into(),
            );
        }
        failure(ending.cause, Ran::Yes { ended })
    }

    /// Nobody here ended it, and no mark came.
    fn unasked(&self, notes: &mut Vec<String>) -> Failure {
        if self.terms.place == Place::InSession && self.sent < self.terms.stdin.len() {
            // A shell runs no line before it has all of it.
            let cause = match &self.main.state {
                LineState::Broken(broken) => broken.clone().into(),
                LineState::Open | LineState::Ended | LineState::None => Cause::Closed,
            };
            return failure(cause, Ran::No);
        }
        let ran = if self.has_written { Ran::Yes { ended: Truth::Unknown } } else { Ran::Perhaps };
        match (&self.main.state, &self.errors.state) {
            (LineState::Broken(broken), _) | (_, LineState::Broken(broken @ Broken::Lost(_))) => {
                failure(broken.clone().into(), ran)
            }
            (LineState::Open | LineState::Ended | LineState::None, _) => {
                let in_session = self.terms.place == Place::InSession;
                let session =
                    "the session's shell ended with the command: the next one opens another";
                notes.push(if in_session { session } else {
                    "the server closed without a status: the command's shell was killed, or is none \
                     of sh's kin (csh, fish), or the server says yes before it says no (rsh-redone)"
                }.into());
                failure(Cause::NoStatus, Ran::Perhaps)
            }
        }
    }

    fn note_what_broke(&self, notes: &mut Vec<String>) {
        if self.scanner.status().is_some() && matches!(self.main.state, LineState::Broken(_)) {
            notes.push("the connection broke after the command's end".into());
        }
        if let LineState::Broken(Broken::Reset) = self.errors.state {
            notes.push(
                "the connection for the standard error was reset: some of it may be missing".into(),
            );
        }
    }
}

impl Line {
    const fn parting(&self) -> Parting {
        match self.state {
            LineState::Open => Parting::Reset,
            LineState::Ended => Parting::Orderly,
            LineState::Broken(_) | LineState::None => Parting::Gone,
        }
    }
}

const fn failure(cause: Cause, ran: Ran) -> Failure {
    Failure { stage: Stage::Command, cause, ran }
}
