//! One connection of a probe, without I/O: it says what to do next, is told what came of it, and keeps a log.
//!
//! A driver does as [`Talk::want`] says and calls the `handle_*` method that fits, each with what the kernel of this end
//! says at that moment, a [`Seen`]. Once a connection is broken, what the kernel still holds is read to its end.

use super::http::{Answer, Extent};
use super::log::{Entry, Happened, Observed, Told};
use super::tls::Tls;
use super::trial::{Awaited, Reading, Step, Trial};
use super::want::{Seen, Want};
use crate::ladder::Moment;

/// A connection of a probe.
#[derive(Clone, Debug)]
pub struct Talk {
    steps: Vec<Step>,
    /// The step that is under way, when it began or last moved on, and how much of it is written.
    step: usize,
    since: Moment,
    written: usize,
    /// It could not be written any more; from then on what comes is read.
    stuck: bool,
    /// Something came, read or not.
    answering: bool,
    end: Ended,
    /// Over TLS: whether each side has said that it says no more.
    notified: Notified,
    shut: bool,
    /// The peer's FIN is known to be behind what is still to be read.
    fin_behind: bool,
    now: Moment,
    most_read: u64,
    answer: Option<Answer>,
    observed: Observed,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    No,
    /// By the peer's FIN.
    ByFin,
    /// It is broken; what the kernel still holds is read.
    Draining,
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Notified {
    here: bool,
    there: bool,
}

impl Talk {
    /// Begins with a connection that is made.
    pub fn new(trial: &Trial, most_read: u64, seen: Seen) -> Self {
        let mut talk = Self {
            steps: trial.steps.clone(),
            step: 0,
            since: seen.at,
            written: 0,
            stuck: false,
            answering: false,
            end: Ended::No,
            notified: Notified { here: !trial.speaks_tls, there: false },
            shut: false,
            fin_behind: false,
            now: seen.at,
            most_read,
            answer: trial.speaks_http.then(Answer::default),
            observed: Observed::new(trial),
        };
        talk.push(Happened::Connected, seen);
        talk
    }

    /// What is to be done next.
    pub fn want(&self) -> Want<'_> {
        match self.end {
            Ended::Over => return Want::Over,
            Ended::Draining => return Want::Read(self.after(DRAIN_MS)),
            Ended::No | Ended::ByFin => {}
        }
        match self.steps.get(self.step) {
            None => Want::Over,
            // Whoever has closed already cannot read it any more: its kernel would answer by a reset.
            Some(Step::Shutdown) if !self.notified.here && self.end == Ended::No => {
                Want::Notify(self.after(STUCK_MS))
            }
            Some(Step::Shutdown) => Want::Shutdown,
            Some(Step::Write(octets, reading)) => {
                let may_read = self.stuck || *reading == Reading::Meanwhile;
                let reads = may_read && self.end == Ended::No;
                let pause = if self.stuck { self.patience() } else { STUCK_MS };
                let reading = if reads { Reading::Meanwhile } else { Reading::Later };
                Want::Write(&octets[self.written..], reading, self.after(pause))
            }
            Some(Step::Await(what, ms)) => {
                let until = self.after(*ms);
                match what {
                    Awaited::Handshake => Want::Secure(until),
                    Awaited::FirstOctet => Want::Look(until),
                    Awaited::Nothing => Want::Hold(until),
                    Awaited::Answer | Awaited::Rest | Awaited::End => Want::Read(until),
                    Awaited::Acknowledgement => Want::Acknowledged(until),
                }
            }
        }
    }

    /// So many milliseconds after the present step began.
    const fn after(&self, ms: u64) -> Moment {
        Moment(self.since.0.saturating_add(ms))
    }

    /// The kernel took so many octets.
    pub fn handle_written(&mut self, octets: usize, seen: Seen) {
        self.wrote(octets, None, seen);
    }

    /// The kernel took so many octets of TLS, and with them all that belongs to so many of the message.
    pub fn handle_sealed(&mut self, octets: usize, wire: usize, seen: Seen) {
        self.wrote(octets, Some(wire as u64), seen);
    }

    /// The handshake is over; this was agreed on.
    pub fn handle_secured(&mut self, agreed: Tls, seen: Seen) {
        self.observed.tls = Some(agreed);
        self.push(Happened::Secured, seen);
        self.since = seen.at;
        self.next();
    }

    /// There is something to read.
    pub fn handle_readable(&mut self, seen: Seen) {
        self.answering = true;
        self.push(Happened::Answering, seen);
        self.next();
    }

    /// This was read.
    pub fn handle_octets(&mut self, octets: &[u8], seen: Seen) {
        self.read(octets, None, seen);
    }

    /// So many octets of TLS were read, and this came out of them: nothing, where they are words of its own, or not a
    /// whole record yet.
    pub fn handle_unsealed(&mut self, octets: &[u8], wire: usize, seen: Seen) {
        if !octets.is_empty() {
            self.read(octets, Some(wire as u64), seen);
            return;
        }
        self.put(Happened::Read(0), Some(wire as u64), seen);
        // A handshake has one bound, however it trickles.
        if self.observed.tls.is_some() {
            self.since = seen.at;
        }
    }

    /// The peer's `close_notify` came.
    pub fn handle_close_notify(&mut self, seen: Seen) {
        if self.notified.there {
            return;
        }
        self.notified.there = true;
        if let Some(tls) = &mut self.observed.tls {
            tls.close_notify = true;
        }
        self.push(Happened::PeerCloseNotify, seen);
        // What only the close ends is whole by that alone (RFC 9112 §9.8).
        if let Some(answer) = &mut self.answer {
            answer.end();
        }
        self.settle();
    }

    fn read(&mut self, octets: &[u8], wire: Option<u64>, seen: Seen) {
        self.answering = true;
        self.observed.received += octets.len() as u64;
        self.since = seen.at;
        self.put(Happened::Read(octets.len() as u64), wire, seen);
        if let Some(answer) = &mut self.answer {
            let was_over = answer.is_over();
            answer.take(octets);
            if !was_over && matches!(answer.extent(), Extent::Whole { .. }) {
                self.push(Happened::Answered, seen);
            }
        }
        if self.observed.received > self.most_read {
            self.push(Happened::TooMuch, seen);
            self.end = Ended::Over;
        }
        self.settle();
    }

    /// Reading gave 0.
    pub fn handle_end(&mut self, seen: Seen) {
        match self.end {
            Ended::Draining => {
                self.push(Happened::FalseEnd, seen);
                self.end = Ended::Over;
                if self.fin_behind {
                    self.end_answer();
                }
            }
            Ended::No => {
                self.push(Happened::PeerFin, seen);
                self.end = Ended::ByFin;
                self.end_answer();
                if self.is_opening() {
                    self.handle_failure("it closed during the TLS handshake".into(), seen);
                }
                self.settle();
            }
            Ended::ByFin | Ended::Over => {}
        }
    }

    /// What the peer's FIN alone ends is over. Over TLS anybody on the way can make a FIN, so it ends no message (RFC 9112
    /// §9.8).
    fn end_answer(&mut self) {
        if let Some(answer) = self.answer.as_mut().filter(|_| !self.observed.speaks_tls) {
            answer.end();
        }
    }

    /// A reset came, and the peer's FIN before it.
    pub fn handle_reset_after_fin(&mut self, told: Told, seen: Seen) {
        self.fin_behind |= self.end == Ended::No;
        self.handle_reset(told, seen);
    }

    /// A reset came.
    pub fn handle_reset(&mut self, told: Told, seen: Seen) {
        let is_new = matches!(self.end, Ended::No | Ended::ByFin);
        if is_new {
            self.push(Happened::Reset(told), seen);
        }
        if self.is_opening() {
            self.handle_failure("it reset the connection during the TLS handshake".into(), seen);
            return;
        }
        // A reader is told last: what was in the queue comes before the error (`tcp_recvmsg_locked`).
        let is_read_out = told == Told::Reader || self.end != Ended::No;
        self.end = if is_read_out { Ended::Over } else { Ended::Draining };
        self.since = seen.at;
    }

    /// The kernel gave the connection up.
    pub fn handle_failure(&mut self, cause: String, seen: Seen) {
        self.push(Happened::Failed(cause), seen);
        self.end = Ended::Over;
    }

    /// `close_notify` was given to the kernel, in so many octets.
    pub fn handle_notified(&mut self, wire: usize, seen: Seen) {
        self.notified.here = true;
        self.put(Happened::Wrote(0), Some(wire as u64), seen);
        self.push(Happened::CloseNotify, seen);
    }

    /// The FIN was sent.
    pub fn handle_shutdown(&mut self, seen: Seen) {
        self.shut = true;
        self.push(Happened::Shutdown, seen);
        self.since = seen.at;
        self.next();
    }

    /// Nothing is unacknowledged.
    pub fn handle_acknowledged(&mut self, seen: Seen) {
        self.push(Happened::Acknowledged, seen);
        self.since = seen.at;
        self.next();
    }

    /// The moment that [`Talk::want`] named has come.
    pub fn handle_time(&mut self, seen: Seen) {
        self.now = seen.at;
        if self.end == Ended::Draining {
            self.end = Ended::Over;
            return;
        }
        self.since = seen.at;
        match self.steps.get(self.step) {
            Some(Step::Write(..)) if !self.stuck => {
                self.stuck = true;
                self.push(Happened::Stuck, seen);
            }
            Some(Step::Await(Awaited::Nothing, _) | Step::Write(..)) => self.next(),
            Some(Step::Await(Awaited::Handshake, ms)) => {
                let waited = super::words::seconds(*ms);
                let cause = format!("its TLS handshake was not over after {waited}");
                self.handle_failure(cause, seen);
            }
            Some(Step::Await(what, _)) => {
                let what = *what;
                self.push(Happened::Overdue(what), seen);
                self.next();
            }
            // It cannot be sent, so the FIN goes without it.
            Some(Step::Shutdown) => self.notified.here = true,
            None => {}
        }
    }

    /// True when octets are left unread or unsent on purpose, so that closing the descriptor resets the connection.
    pub fn is_unfinished(&self) -> bool {
        self.end != Ended::ByFin || !self.shut
    }

    /// The log.
    pub fn into_observed(mut self) -> Observed {
        if let Some(answer) = &self.answer {
            self.observed.status = answer.status();
            self.observed.server = answer.server().map(str::to_owned);
            self.observed.extent = Some(answer.extent());
            self.observed.announces_close = answer.announces_close();
        }
        self.observed
    }

    fn wrote(&mut self, octets: usize, wire: Option<u64>, seen: Seen) {
        // The end of a record may leave with the next step, which it is no part of.
        let left = match self.steps.get(self.step) {
            Some(Step::Write(all, _)) => all.len() - self.written,
            Some(Step::Await(..) | Step::Shutdown) | None => 0,
        };
        let octets = octets.min(left);
        self.written += octets;
        self.observed.sent += octets as u64;
        self.since = if self.is_opening() { self.since } else { seen.at };
        self.put(Happened::Wrote(octets as u64), wire, seen);
        self.settle();
    }

    /// Whether the handshake of TLS is under way.
    fn is_opening(&self) -> bool {
        matches!(self.steps.get(self.step), Some(Step::Await(Awaited::Handshake, _)))
    }

    fn patience(&self) -> u64 {
        let waits = self.steps.iter().filter_map(|step| match step {
            Step::Await(_, ms) => Some(*ms),
            Step::Write(..) | Step::Shutdown => None,
        });
        waits.max().unwrap_or(STUCK_MS)
    }

    /// Passes over steps that what has happened makes needless.
    fn settle(&mut self) {
        while self.end != Ended::Over && self.end != Ended::Draining {
            let has_ended = self.end == Ended::ByFin;
            let says_no_more = has_ended || self.notified.there;
            let is_done = match self.steps.get(self.step) {
                Some(Step::Write(octets, _)) => self.written == octets.len(),
                Some(Step::Await(Awaited::Answer, _)) => {
                    says_no_more || self.answer.as_ref().is_none_or(Answer::is_over)
                }
                Some(Step::Await(Awaited::Rest, _)) => {
                    says_no_more
                        || !self.answering
                        || self.answer.as_ref().is_none_or(Answer::is_over)
                }
                Some(Step::Await(Awaited::FirstOctet, _)) => says_no_more || self.answering,
                Some(Step::Await(Awaited::End, _)) => has_ended,
                Some(
                    Step::Await(
                        Awaited::Nothing | Awaited::Acknowledgement | Awaited::Handshake,
                        _,
                    )
                    | Step::Shutdown,
                )
                | None => false,
            };
            if !is_done {
                return;
            }
            self.advance();
        }
    }

    fn next(&mut self) {
        self.advance();
        self.settle();
    }

    fn advance(&mut self) {
        self.step += 1;
        self.written = 0;
        self.since = self.now;
    }

    fn push(&mut self, what: Happened, seen: Seen) {
        self.put(what, None, seen);
    }

    /// Alike entries that follow each other are one.
    fn put(&mut self, what: Happened, wire: Option<u64>, seen: Seen) {
        self.now = seen.at;
        if let Some(last) = self.observed.log.last_mut().filter(|last| last.here == seen.here) {
            match (&mut last.what, &what) {
                (Happened::Wrote(before), Happened::Wrote(more))
                | (Happened::Read(before), Happened::Read(more)) => {
                    *before += more;
                    last.wire = last.wire.zip(wire).map(|(before, more)| before + more);
                    (last.at_ms, last.unacked) = (seen.at.0, seen.unacked);
                    return;
                }
                _ => {}
            }
        }
        let Seen { at, here, there, unacked } = seen;
        self.observed.log.push(Entry { at_ms: at.0, what, here, there, unacked, wire });
    }
}

/// How long the kernel may take nothing before what comes is read.
const STUCK_MS: u64 = 250;
/// How long a broken connection is read; its end is there at once.
const DRAIN_MS: u64 = 250;
