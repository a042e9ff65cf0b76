//! A command that runs, from the server's yes to the end of both connections, as a plan without I/O.
//!
//! The remote side closes first, unless [`Terms::half_close`] asks otherwise. The connection for the standard error is the
//! exception: which side closes *it* first decides who keeps `TIME_WAIT` on a scarce port, and `rshd` has only 512 of
//! them for all its clients. So this side half-closes it: at once ([`Errors::Early`]), after which no signal can be sent,
//! or when the command has ended ([`Errors::Acknowledged`] with [`Terms::acknowledge`]).
//!
//! When the time is over, or it shall stop: a signal over that connection, grace, `SIGKILL`, grace, then a reset. Without
//! the connection: a reset, which stops nothing over there, and the report says so.

mod account;

pub use account::{Over, Parting};

use super::setup::Broken;
use super::wrapper::{Mark, Scanner};
use crate::{Cause, Signal};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What was agreed.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Whether the connections end with the command.
    pub place: Place,
    /// What the status comes behind.
    pub mark: Mark,
    /// The connection for the standard error.
    pub errors: Errors,
    /// The remote shell waits for a line after the mark.
    pub acknowledge: bool,
    /// This side's FIN follows the input.
    pub half_close: bool,
    /// What is sent to the command.
    pub stdin: Arc<[u8]>,
    /// How long the command may run.
    pub limit: Option<Duration>,
    /// How long it has after each signal.
    pub grace: Duration,
}

/// Whether the connections end with the command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// They do: it is their only one.
    Alone,
    /// They do not. The command is [`Terms::stdin`], a line for a shell, and over when its mark has come on both.
    InSession,
}

/// The connection for the standard error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Errors {
    /// There is none: both streams come on one.
    Merged,
    /// Half-closed as soon as it was made, before this begins: a short command could end first otherwise, and the server
    /// close.
    Early,
    /// Apart, and open for signals until the command's end was acknowledged.
    Acknowledged,
}

/// One of the two connections.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Channel {
    /// Input and output.
    Main,
    /// The standard error, and signals.
    Errors,
}

/// A command that runs.
#[derive(Clone, Debug)]
pub struct Course {
    terms: Terms,
    scanner: Scanner,
    /// Where the mark comes on both.
    errors_scanner: Option<Scanner>,
    main: Line,
    errors: Line,
    sent: usize,
    acknowledged: bool,
    /// The server takes nothing more.
    deaf: bool,
    ending: Option<Ending>,
    signal: Option<Signal>,
    has_signalled: bool,
    until: Option<Instant>,
    over: bool,
    has_written: bool,
}

#[derive(Clone, Debug)]
struct Line {
    state: LineState,
    sealed: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum LineState {
    Open,
    /// The server's FIN came.
    Ended,
    Broken(Broken),
    /// There never was one.
    None,
}

/// Why it is ended before its time, and how far that is.
#[derive(Clone, Debug)]
struct Ending {
    cause: Cause,
    killed: bool,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step<'a> {
    /// Send this side's FIN (`shutdown` for writing), then [`Course::handle_half_closed`].
    HalfClose(Channel),
    /// Write the signal's number as one octet onto the connection for the standard error, then
    /// [`Course::handle_signalled`].
    Signal(Signal),
    /// Do what can be done of this.
    Await(Await<'a>),
    /// Nothing: [`Course::finish`].
    Over,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Await<'a> {
    /// Send this on the main connection, then [`Course::handle_sent`]; or [`Course::handle_deaf`] if that fails.
    pub send: &'a [u8],
    /// Read the main connection.
    pub read_main: bool,
    /// Read the connection for the standard error.
    pub read_errors: bool,
    /// Then [`Course::handle_timeout`].
    pub until: Option<Instant>,
}

impl Course {
    /// The server has just said yes.
    pub fn new(terms: Terms, now: Instant) -> Self {
        let until = terms.limit.and_then(|limit| now.checked_add(limit));
        let errors = if terms.errors == Errors::Merged { LineState::None } else { LineState::Open };
        let is_marked = terms.place == Place::InSession && terms.errors != Errors::Merged;
        Self {
            errors_scanner: is_marked.then(|| Scanner::new(terms.mark.clone())),
            scanner: Scanner::new(terms.mark.clone()),
            main: Line { state: LineState::Open, sealed: false },
            errors: Line { state: errors, sealed: terms.errors == Errors::Early },
            sent: 0,
            acknowledged: false,
            deaf: false,
            ending: None,
            signal: None,
            has_signalled: false,
            until,
            over: false,
            has_written: false,
            terms,
        }
    }

    /// What is to be done next.
    pub fn want(&self) -> Step<'_> {
        if self.over {
            return Step::Over;
        }
        if self.errors.is_open() && !self.errors.sealed {
            if let Some(signal) = self.signal {
                return Step::Signal(signal);
            }
            if self.is_done_with_signals() {
                return Step::HalfClose(Channel::Errors);
            }
        }
        let send = self.to_send();
        if self.terms.half_close && send.is_empty() && !self.main.sealed && self.main.is_open() {
            return Step::HalfClose(Channel::Main);
        }
        Step::Await(Await {
            send,
            read_main: self.main.is_open(),
            read_errors: self.errors.is_open(),
            until: self.until,
        })
    }

    /// So many octets were handed to the kernel.
    pub fn handle_sent(&mut self, octets: usize) {
        let octets = octets.min(self.to_send().len());
        if self.sent < self.terms.stdin.len() {
            self.sent += octets;
        } else if octets > 0 {
            self.acknowledged = true;
        }
    }

    /// Sending on the main connection failed: the server takes nothing more. What it still has to say is read.
    pub fn handle_deaf(&mut self) {
        self.deaf = true;
    }

    /// This side's FIN was sent.
    pub fn handle_half_closed(&mut self, channel: Channel) {
        self.line(channel).sealed = true;
    }

    /// The signal was sent, or could not be: then nobody is there to get it.
    pub fn handle_signalled(&mut self) {
        self.has_signalled = true;
        self.signal = None;
    }

    /// These octets came; what is output of the command is appended.
    pub fn handle_octets(&mut self, channel: Channel, octets: &[u8], output: &mut Vec<u8>) {
        if self.over {
            return;
        }
        let before = output.len();
        match (channel, &mut self.errors_scanner) {
            (Channel::Main, _) => self.scanner.take(octets, output),
            (Channel::Errors, Some(scanner)) => scanner.take(octets, output),
            (Channel::Errors, None) => output.extend_from_slice(octets),
        }
        self.has_written |= output.len() > before || self.scanner.status().is_some();
        self.over |= self.is_turn_over();
    }

    /// The server closed.
    pub fn handle_end(&mut self, channel: Channel) {
        let deaf = self.deaf && channel == Channel::Main;
        let line = self.line(channel);
        if line.is_open() {
            // Whoever writes is told of a reset; whoever reads then sees an end (`tcp_recvmsg_locked`, `SOCK_DONE`).
            line.state = if deaf { LineState::Broken(Broken::Reset) } else { LineState::Ended };
        }
        self.settle();
    }

    /// The connection broke.
    pub fn handle_broken(&mut self, channel: Channel, broken: Broken) {
        let line = self.line(channel);
        if line.is_open() {
            line.state = LineState::Broken(broken);
        }
        self.settle();
    }

    /// It shall stop.
    pub fn handle_stop(&mut self, signal: Signal, now: Instant) {
        if self.ending.is_none() {
            self.end(signal, Cause::Stopped(signal), now);
        }
    }

    /// Time passes.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.over || self.until.is_none_or(|until| now < until) {
            return;
        }
        match &mut self.ending {
            None => {
                let limit = self.terms.limit.unwrap_or_default();
                self.end(Signal::Terminate, Cause::TimedOut(limit), now);
            }
            Some(Ending { killed: killed @ false, .. }) if self.errors.can_send() => {
                *killed = true;
                self.signal = Some(Signal::Kill);
                self.until = now.checked_add(self.terms.grace);
            }
            Some(_) => self.over = true,
        }
    }

    /// When patience ends, as far as it does.
    pub const fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Begins to end it: politely, where a signal can be sent and there is somebody to get it.
    fn end(&mut self, signal: Signal, cause: Cause, now: Instant) {
        let has_ended = self.scanner.status().is_some() || !self.main.is_open();
        self.ending = Some(Ending { cause, killed: signal == Signal::Kill });
        // Where it is over at once, whoever reads the output still has so long to take it.
        self.until = now.checked_add(self.terms.grace);
        if has_ended || !self.errors.can_send() {
            self.over = true;
        } else {
            self.signal = Some(signal);
        }
    }

    /// Whether it is over now that a connection has ended.
    fn settle(&mut self) {
        let is_lost = |line: &Line| matches!(line.state, LineState::Broken(Broken::Lost(_)));
        let broke_off =
            matches!(self.main.state, LineState::Broken(_)) && self.scanner.status().is_none();
        let all_ended = !self.main.is_open() && !self.errors.is_open();
        self.over |= all_ended || broke_off || is_lost(&self.main) || is_lost(&self.errors);
    }

    /// Whether the next command of the session may come.
    fn is_turn_over(&self) -> bool {
        let has_come = |scanner: &Scanner| scanner.status().is_some();
        self.terms.place == Place::InSession
            && has_come(&self.scanner)
            && self.errors_scanner.as_ref().is_none_or(has_come)
    }

    fn to_send(&self) -> &[u8] {
        if self.deaf || self.main.sealed || !self.main.is_open() {
            return &[];
        }
        match &self.terms.stdin[self.sent..] {
            [] if self.owes_a_line() => b"\n",
            rest => rest,
        }
    }

    fn owes_a_line(&self) -> bool {
        self.terms.acknowledge && !self.acknowledged && self.scanner.status().is_some()
    }

    /// After `SIGKILL` there is nothing more to send; the FIN behind it moves `TIME_WAIT` to this side.
    fn is_done_with_signals(&self) -> bool {
        let is_killed = self.ending.as_ref().is_some_and(|ending| ending.killed);
        if self.terms.place == Place::InSession {
            return is_killed;
        }
        self.scanner.status().is_some() || !self.main.is_open() || is_killed
    }

    const fn line(&mut self, channel: Channel) -> &mut Line {
        match channel {
            Channel::Main => &mut self.main,
            Channel::Errors => &mut self.errors,
        }
    }
}

impl Line {
    fn is_open(&self) -> bool {
        self.state == LineState::Open
    }

    fn can_send(&self) -> bool {
        self.is_open() && !self.sealed
    }
}

#[cfg(test)]
mod tests;
