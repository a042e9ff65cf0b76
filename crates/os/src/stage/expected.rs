//! What the model says a step leads to, and how much of it was seen of the kernel.

use crate::Error;
use lastack_model::ladder::{Flight, Side};
use lastack_model::state::State;
use lastack_model::tcp::segment::Segment;
use lastack_model::tcp::tcb::{Report, Timer};
use std::time::{Duration, Instant};

/// Why a story ends before its end.
pub(super) enum Stop {
    Differs { expected: String, got: String },
    Broken(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// What the model says a step leads to, and how much of it was seen.
pub(super) struct Expected {
    pub(super) sent: [Vec<Flight>; 2],
    pub(super) told: [Vec<Report>; 2],
    pub(super) states: [Option<State>; 2],
    /// Whether what comes now may come from a timer.
    pub(super) cause: Cause,
    /// When it came to be expected.
    pub(super) since: Instant,
    /// Whether a minute passes, so that any `TIME_WAIT` may be over.
    pub(super) minute: bool,
    pub(super) patience: Duration,
}

/// Why the kernel does something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    /// A call or a segment at this end, just now: what that sends again is an answer, and not passed over.
    Step(Side),
    /// Time.
    Timer,
}

impl Expected {
    pub(super) fn is_met(&self, states: [Option<State>; 2]) -> bool {
        self.sent.iter().all(Vec::is_empty)
            && self.told.iter().all(Vec::is_empty)
            && states.iter().zip(self.states).all(|(is, wanted)| self.is_state(*is, wanted))
    }

    pub(super) fn is_state(&self, is: Option<State>, wanted: Option<State>) -> bool {
        let over = (is, wanted) == (Some(State::Closed), Some(State::TimeWait));
        is == wanted || self.minute && over
    }

    /// Whether what this end sends now may come from a timer, one that ran out while the machine was busy included.
    pub(super) fn may_be_timed(&self, from: Side) -> bool {
        self.cause != Cause::Step(from) || self.since.elapsed() > AT_ONCE
    }

    /// How long to wait before looking again, for what shows by no segment and no timer.
    pub(super) fn glance(&self) -> Duration {
        if self.patience <= PATIENCE { GLANCE } else { self.patience }
    }

    /// What did not come.
    pub(super) fn missing(&self, states: [Option<State>; 2]) -> Stop {
        for (name, at) in [("A", 0), ("B", 1)] {
            if let Some(flight) = self.sent[at].first() {
                return differs(format!("{name} to send {}", flight.segment), "nothing".to_owned());
            }
            if let Some(report) = self.told[at].first() {
                let expected = format!("{name} to be told {}", report.words());
                return differs(expected, "nothing".to_owned());
            }
            if let (Some(is), Some(wanted)) = (states[at], self.states[at])
                && is != wanted
            {
                return differs(format!("{name} in {wanted}"), is.to_string());
            }
        }
        differs("another state".to_owned(), "this one".to_owned())
    }
}

pub(super) const fn differs(expected: String, got: String) -> Stop {
    Stop::Differs { expected, got }
}

pub(super) fn same(one: &Segment, other: &Segment) -> bool {
    (one.seq, one.ack, one.length) == (other.seq, other.ack, other.length)
        && one.control() == other.control()
}

/// How long a timer may take, with the settings of a story's host and the slack of the kernel's timers.
pub(super) const fn longest(timer: Timer) -> Duration {
    Duration::from_secs(match timer {
        Timer::Retransmit | Timer::FinWait2 => 15,
        Timer::GiveUp => 40,
        // 60 s, and the eighth by which the timer wheel may be late.
        Timer::TimeWait => 75,
    })
}

/// What a call or a segment leads to comes at once, on a machine that is not too busy; acknowledgements may wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// Half of the shortest retransmission timeout (`TCP_RTO_MIN`).
const AT_ONCE: Duration = Duration::from_millis(100);
/// `TCP_DELACK_MAX`, and a little.
pub(super) const DELAYED: Duration = Duration::from_millis(250);
const GLANCE: Duration = Duration::from_millis(20);
