//! Closing a listener as a plan without I/O: which way is taken, and when nothing is left.
//!
//! Whoever drives it does what [`Plan::want`] says and tells what came of it. A listener is empty when every handshake
//! that had begun is out of the kernel's table, and the queue was found empty after that; between the two lies a moment
//! in which a connection is in neither, which [`Want::Settle`] waits out.

use super::report::{Method, Successor};
use lastack_model::ids::Cookie;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// What is to be done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Want {
    /// Keep new connections away by this method; then `handle_begun` or `handle_refused`.
    Begin(Method),
    /// Wait until the kernel has dealt with every segment in hand; then `handle_settled`.
    Settle,
    /// See what waits; then `handle_waiting`.
    Look,
    /// Accept everything, waiting for more until then; `handle_accepted` each, and `handle_quiet` in the end.
    Accept(Instant),
    /// Accept what is there without waiting; `handle_accepted` each, and `handle_quiet` when there is nothing.
    Sweep,
    /// Close it.
    Close,
}

/// What waits in a listener.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Waiting {
    /// Handshakes that may be its own; `None` where the system does not tell.
    pub half_open: Option<HashSet<Cookie>>,
    /// Connections in its accept queue.
    pub queued: u32,
}

/// The closing of one listener.
///
/// ```
/// use lastack_graceful::listener::{Method, Plan, Successor, Waiting, Want};
/// use lastack_model::ids::Cookie;
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let mut plan = Plan::new(Successor::None, now, now + Duration::from_secs(5));
/// assert_eq!(plan.want(), Want::Begin(Method::SynFilter));
/// plan.handle_refused();
/// assert_eq!(plan.want(), Want::Begin(Method::TtlFloor));
/// plan.handle_begun();
/// assert_eq!(plan.want(), Want::Settle);
/// plan.handle_settled();
/// assert_eq!(plan.want(), Want::Look);
/// plan.handle_waiting(now, Waiting { half_open: Some([Cookie(7)].into()), queued: 1 });
/// assert!(matches!(plan.want(), Want::Accept(_)));
/// plan.handle_accepted(now);
/// plan.handle_accepted(now);
/// plan.handle_quiet(now);
/// // The handshake has ended, and its connection was accepted.
/// plan.handle_waiting(now, Waiting { half_open: Some([].into()), queued: 0 });
/// assert_eq!(plan.want(), Want::Settle);
/// plan.handle_settled();
/// assert_eq!(plan.want(), Want::Sweep);
/// plan.handle_quiet(now);
/// assert_eq!((plan.want(), plan.accepted()), (Want::Close, 2));
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    methods: &'static [Method],
    began: Instant,
    deadline: Instant,
    stage: Stage,
    pending: Pending,
    pause: Duration,
    accepted: u64,
    /// How many more may come here if new ones are kept away.
    expected: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Begin,
    /// New ones are kept away; those in hand are not recorded yet.
    Begun,
    Look,
    Accept(Instant),
    /// No handshake is left; the last of them may not be queued yet.
    Finished,
    Sweep,
    Close,
}

/// The handshakes that are waited for.
#[derive(Clone, Debug)]
enum Pending {
    /// Not looked for yet.
    Unseen,
    Known(HashSet<Cookie>),
    /// The system does not tell; waited for until then.
    Unknown(Instant),
}

impl Plan {
    /// The plan for a listener with this successor, to be closed at the deadline at the latest.
    pub const fn new(successor: Successor, now: Instant, deadline: Instant) -> Self {
        Self {
            methods: successor.methods(),
            began: now,
            deadline,
            stage: Stage::Begin,
            pending: Pending::Unseen,
            pause: FIRST_PAUSE,
            accepted: 0,
            expected: 0,
        }
    }

    /// What is to be done next.
    pub fn want(&self) -> Want {
        match self.stage {
            Stage::Begin => Want::Begin(self.method()),
            Stage::Begun | Stage::Finished => Want::Settle,
            Stage::Look => Want::Look,
            Stage::Accept(until) => Want::Accept(until.min(self.deadline)),
            Stage::Sweep => Want::Sweep,
            Stage::Close => Want::Close,
        }
    }

    /// The method in use.
    pub fn method(&self) -> Method {
        self.methods.first().copied().unwrap_or(Method::AcceptLoop)
    }

    /// When it is to be closed at the latest.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How many were accepted.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How long it has taken.
    pub fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    /// Of the handshakes that are there now, those that this listener was waiting for.
    pub fn left(&self, half_open: &HashSet<Cookie>) -> usize {
        match &self.pending {
            Pending::Known(pending) => pending.intersection(half_open).count(),
            Pending::Unseen | Pending::Unknown(_) => half_open.len(),
        }
    }

    /// The method is in force.
    pub fn handle_begun(&mut self) {
        self.stage = match self.method() {
            // What is left finds its way. Accepting first would go on for as long as clients come.
            Method::Shared | Method::Migrated => Stage::Close,
            Method::Steered | Method::SynFilter | Method::TtlFloor | Method::AcceptLoop => {
                Stage::Begun
            }
        };
    }

    /// The method cannot be had here: the next one.
    pub fn handle_refused(&mut self) {
        if let [_, rest @ ..] = self.methods {
            self.methods = rest;
        }
        self.pending = Pending::Unseen;
        self.stage = Stage::Begin;
    }

    /// The kernel has dealt with every segment that it had in hand.
    pub fn handle_settled(&mut self) {
        self.stage = match self.stage {
            Stage::Finished => Stage::Sweep,
            Stage::Begin
            | Stage::Begun
            | Stage::Look
            | Stage::Accept(_)
            | Stage::Sweep
            | Stage::Close => Stage::Look,
        };
    }

    /// This waits now.
    pub fn handle_waiting(&mut self, now: Instant, waiting: Waiting) {
        let queued = u64::from(waiting.queued);
        match (&mut self.pending, waiting.half_open) {
            (Pending::Unseen, Some(half_open)) => {
                self.expected = self.accepted + queued + half_open.len() as u64;
                self.pending = Pending::Known(half_open);
            }
            (Pending::Unseen, None) => {
                self.expected = u64::MAX;
                self.pending = Pending::Unknown(now + BLIND);
            }
            (Pending::Known(pending), Some(half_open)) => {
                pending.retain(|cookie| half_open.contains(cookie));
            }
            (Pending::Known(_) | Pending::Unknown(_), _) => {}
        }
        self.stage = if self.is_finished(now) {
            Stage::Finished
        } else {
            let until = now + self.pause;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            Stage::Accept(until)
        };
    }

    /// A connection was accepted.
    pub fn handle_accepted(&mut self, now: Instant) {
        self.accepted += 1;
        if now >= self.deadline {
            self.stage = Stage::Close;
        } else if matches!(self.method(), Method::Steered | Method::TtlFloor)
            && matches!(self.pending, Pending::Known(_))
            && self.accepted > self.expected
        {
            // More than was here when it began: they are steered to this very listener or not at all, or come with a TTL
            // that holds nobody off.
            self.handle_refused();
        }
    }

    /// There is nothing to accept.
    pub fn handle_quiet(&mut self, now: Instant) {
        self.stage = match self.stage {
            Stage::Sweep | Stage::Close => Stage::Close,
            _ if now >= self.deadline => Stage::Close,
            Stage::Begin | Stage::Begun | Stage::Look | Stage::Accept(_) | Stage::Finished => {
                Stage::Look
            }
        };
    }

    /// Something waits that cannot be accepted now, for want of descriptors or memory.
    pub fn handle_exhausted(&mut self, now: Instant) {
        if now >= self.deadline {
            self.stage = Stage::Close;
        }
    }

    fn is_finished(&self, now: Instant) -> bool {
        match &self.pending {
            Pending::Unseen => false,
            Pending::Known(pending) => pending.is_empty(),
            Pending::Unknown(until) => now >= *until,
        }
    }
}

/// A look walks the kernel's table of connections, which is not free: soon at first, when a handshake ends within a
/// round trip, then rarely.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);
/// Where handshakes cannot be seen: long enough for the first answer to be sent again once (RFC 6298 §2.1).
const BLIND: Duration = Duration::from_millis(1500);

#[cfg(test)]
mod tests;
