//! The waiting itself: the loop between `model::waiting`, which says when to look next, and the operating system, which
//! is looked at and which wakes the sleeper.
//!
//! Nothing is written here; whoever waits is told how it stands. [`until_bindable`] serves everybody who needs an address
//! to become free. All of it happens in the calling thread's network namespace.

mod arrival;
mod bindable;

pub use arrival::{until_connectable, until_listening};
pub use bindable::until_bindable;

use lastack_model::why::Explanation;
use lastack_os::interrupt::Interrupt;
use std::time::{Duration, Instant};

/// How long and how far to wait.
#[derive(Debug)]
pub struct Limits<'a> {
    /// When to give up.
    pub deadline: Option<Instant>,
    /// What ends the wait from outside.
    pub interrupt: Option<&'a Interrupt>,
    /// What to do where the host refuses the bind for a reason that is no socket.
    pub refused: Refused,
}

/// What to do about a refusal that no passing of time takes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// Say so and stop.
    GivesUp,
    /// Wait for the host to change.
    Waits,
}

/// A wait that is over.
#[derive(Debug)]
pub struct Waited {
    /// How it ended.
    pub end: End,
    /// How long it took.
    pub time: Duration,
    /// How often the tables of sockets were read.
    pub looks: u64,
    /// How many trial binds, or attempts to connect, were made.
    pub trials: u64,
}

/// How a wait ended.
#[derive(Debug)]
pub enum End {
    /// What was waited for came.
    Reached,
    /// It will not come by waiting.
    Refused(Box<Explanation>),
    /// The deadline came first; this still stands in the way.
    TimedOut(Obstacle),
    /// Somebody wanted it to stop.
    Interrupted,
}

/// What stands in the way.
#[derive(Debug)]
pub enum Obstacle {
    /// Sockets, or what is not visible.
    Sockets(Box<Explanation>),
    /// Nobody listens.
    NobodyListens,
    /// Nobody answers, for these reasons.
    NobodyAnswers(Vec<String>),
}

/// How it stands while it lasts.
#[derive(Debug)]
pub struct Progress<'a> {
    /// How long it has lasted.
    pub waited: Duration,
    /// What stands in the way, as far as it was looked at, and how old the picture is.
    pub picture: Option<(&'a Explanation, Duration)>,
}

impl Limits<'_> {
    fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    fn is_over(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// At most so long, and not past the deadline.
    fn clip(&self, pause: Duration) -> Duration {
        self.left().map_or(pause, |left| left.min(pause))
    }
}

/// How often whoever waits is told how it stands, at least.
const TICK: Duration = Duration::from_secs(1);
