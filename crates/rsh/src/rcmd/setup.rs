//! Agreeing with `rshd`, as a plan without I/O: it says what it wants, and is told what came of it.
//!
//! 1. The port for the standard error is sent; `0` for none.
//! 2. With a port, the server connects back to it, from a reserved port of its own.
//! 3. Who asks, as whom, and the command are sent.
//! 4. The server answers with NUL, or with an octet 1 and a line that says why not (rcmd(3), rshd(8)).
//!
//! The request is sent only after the call-back, so that whatever goes wrong before is known not to have run anything.

use super::course::Parting;
use super::printable::printable;
use super::request::Request;
use crate::{Cause, Failure, Ran, Signal, Stage};
use std::time::{Duration, Instant};

/// A command being agreed on.
#[derive(Clone, Debug)]
pub struct SetUp {
    /// The port, then the request.
    words: Vec<u8>,
    announced: usize,
    sent: usize,
    call: Call,
    strangers: u32,
    phase: Phase,
    limit: Duration,
    until: Instant,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step<'a> {
    /// Do what can be done of this.
    Await(Await<'a>),
    /// The server runs the command: [`SetUp::accepted`].
    Accepted,
    /// It will not: [`SetUp::failure`].
    Failed,
}

/// What is waited for. The connection is read in any case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Await<'a> {
    /// Send this, then [`SetUp::handle_sent`].
    pub send: &'a [u8],
    /// Accept connections on the announced port, and ask [`SetUp::handle_call`] of each.
    pub call: bool,
    /// Then [`SetUp::handle_timeout`].
    pub until: Instant,
}

/// What becomes of a connection to the announced port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Calling {
    /// It is the server's.
    Take,
    /// It is not: reset it.
    Refuse,
}

/// How a connection ended that did not end with a FIN.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Broken {
    /// It was reset.
    Reset,
    /// The kernel gave it up, for this reason.
    Lost(String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Call {
    None,
    Awaited,
    Came,
}

#[derive(Clone, Debug)]
enum Phase {
    Asking,
    /// The octet 1 came, and the beginning of the reason.
    Refusing(Vec<u8>),
    /// NUL came, and this behind it.
    Accepted(Vec<u8>),
    Failed(Failure),
}

impl SetUp {
    /// Begins; `port` is where the server shall connect back to, and all must be done after `limit`, which is until then.
    pub fn new(port: Option<u16>, request: &Request, limit: Duration, until: Instant) -> Self {
        let mut words = format!("{}\0", port.unwrap_or(0)).into_bytes();
        let announced = words.len();
        words.extend_from_slice(request.octets());
        let call = if port.is_some() { Call::Awaited } else { Call::None };
        Self { words, announced, sent: 0, call, strangers: 0, phase: Phase::Asking, limit, until }
    }

    /// What is to be done next.
    pub fn want(&self) -> Step<'_> {
        match self.phase {
            Phase::Accepted(_) => Step::Accepted,
            Phase::Failed(_) => Step::Failed,
            Phase::Asking | Phase::Refusing(_) => Step::Await(Await {
                send: &self.words[self.sent..self.sendable()],
                call: self.call == Call::Awaited,
                until: self.until,
            }),
        }
    }

    /// So many octets were handed to the kernel.
    pub fn handle_sent(&mut self, octets: usize) {
        self.sent = (self.sent + octets).min(self.sendable());
    }

    /// These octets came.
    pub fn handle_octets(&mut self, octets: &[u8]) {
        match &mut self.phase {
            Phase::Asking => self.handle_answer(octets),
            Phase::Refusing(reason) => {
                let room = LONGEST_REASON.saturating_sub(reason.len());
                reason.extend_from_slice(&octets[..octets.len().min(room)]);
                if reason.contains(&b'\n') || reason.len() >= LONGEST_REASON {
                    self.refuse();
                }
            }
            Phase::Accepted(_) | Phase::Failed(_) => {}
        }
    }

    /// The server closed.
    pub fn handle_end(&mut self) {
        self.end(Cause::Closed);
    }

    /// The connection broke.
    pub fn handle_broken(&mut self, broken: Broken) {
        self.end(broken.into());
    }

    /// Somebody connected to the announced port, from this port.
    pub fn handle_call(&mut self, from: u16) -> Calling {
        if self.call != Call::Awaited || !matches!(self.phase, Phase::Asking) {
            return Calling::Refuse;
        }
        if !RESERVED.contains(&from) {
            self.strangers = self.strangers.saturating_add(1);
            return Calling::Refuse;
        }
        self.call = Call::Came;
        Calling::Take
    }

    /// It shall stop.
    pub fn handle_stop(&mut self, signal: Signal) {
        self.end(Cause::Stopped(signal));
    }

    /// Time passes.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.until {
            self.end(Cause::TimedOut(self.limit));
        }
    }

    /// What came behind the server's yes; `None` as long as it has not said so.
    pub fn accepted(self) -> Option<Vec<u8>> {
        match self.phase {
            Phase::Accepted(early) => Some(early),
            Phase::Asking | Phase::Refusing(_) | Phase::Failed(_) => None,
        }
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.phase {
            Phase::Failed(failure) => Some(failure),
            Phase::Asking | Phase::Refusing(_) | Phase::Accepted(_) => None,
        }
    }

    /// What else is worth saying.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.strangers > 0 {
            let strangers = self.strangers;
            notes.push(format!(
                "{strangers} call-backs came from ports outside 512 to 1023 and were refused"
            ));
        }
        let cause = self.failure().map(|failure| &failure.cause);
        let announced = self.sent >= self.announced;
        if announced
            && self.call == Call::Awaited
            && matches!(cause, Some(Cause::Closed | Cause::Reset))
        {
            notes.push(
                "the server closed during set-up: its own reserved ports are probably spent (each \
                 command with a stderr channel that it closes costs it one for 60 s)"
                    .into(),
            );
        }
        notes
    }

    /// Whether the server was told to call back and has not.
    pub fn is_call_due(&self) -> bool {
        self.call == Call::Awaited && self.sent > 0
    }

    /// How the connection is to be left after a failure.
    pub const fn parting(&self) -> Parting {
        match &self.phase {
            // A server that says no closes.
            Phase::Failed(Failure { cause: Cause::Closed | Cause::Refused(_), .. }) => {
                Parting::Orderly
            }
            Phase::Asking | Phase::Refusing(_) | Phase::Accepted(_) | Phase::Failed(_) => {
                Parting::Reset
            }
        }
    }

    fn handle_answer(&mut self, octets: &[u8]) {
        match octets {
            [] => {}
            [0, early @ ..] if self.sent == self.words.len() => {
                self.phase = Phase::Accepted(early.to_vec());
            }
            [1, reason @ ..] => {
                self.phase = Phase::Refusing(Vec::new());
                self.handle_octets(reason);
            }
            // Also a yes to what was not asked yet.
            _ => self.fail(Cause::NotTheProtocol(printable(octets)), self.ran()),
        }
    }

    fn end(&mut self, cause: Cause) {
        match self.phase {
            Phase::Asking => self.fail(cause, self.ran()),
            // What it said so far says more than how it ended.
            Phase::Refusing(_) => self.refuse(),
            Phase::Accepted(_) | Phase::Failed(_) => {}
        }
    }

    fn refuse(&mut self) {
        if let Phase::Refusing(reason) = &self.phase {
            let words = printable(reason);
            let words = if words.is_empty() { "without a reason".into() } else { words };
            // A server says no before it runs anything.
            self.fail(Cause::Refused(words), Ran::No);
        }
    }

    fn fail(&mut self, cause: Cause, ran: Ran) {
        self.phase = Phase::Failed(Failure { stage: Stage::SetUp, cause, ran });
    }

    /// A server that has not got the request's last octet cannot have run it.
    const fn ran(&self) -> Ran {
        if self.sent < self.words.len() { Ran::No } else { Ran::Perhaps }
    }

    /// Up to where the words may be sent.
    const fn sendable(&self) -> usize {
        match self.call {
            Call::Awaited => self.announced,
            Call::None | Call::Came => self.words.len(),
        }
    }
}

impl From<Broken> for Cause {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Reset => Self::Reset,
            Broken::Lost(words) => Self::System(words),
        }
    }
}

/// From where `rshd` connects back (rcmd(3)).
const RESERVED: std::ops::RangeInclusive<u16> = 512..=1023;
/// In octets.
const LONGEST_REASON: usize = 1024;

#[cfg(test)]
mod tests;
