//! The end of a server without I/O: which phase it is in, who is waited for, and until when.
//!
//! Whoever drives it does what [`Course::want`] says, asks again whenever something was told to it, and tells of every
//! connection when it comes, is heard of, begins to be closed, and is gone.

use super::plan::ShutdownPlan;
use super::report::{Elapsed, ShutdownReport};
use crate::close::Outcome;
use crate::listener::DrainReport;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// The connections of a server, and how far its end has come.
#[derive(Clone, Debug)]
pub(super) struct Course {
    plan: ShutdownPlan,
    phase: Phase,
    /// When the end began, and when the phase did.
    began: Option<Instant>,
    turned: Option<Instant>,
    listeners: usize,
    names: u64,
    open: HashMap<Name, FirstByte>,
    closing: HashSet<Name>,
    report: ShutdownReport,
}

/// A connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Name(u64);

#[derive(Clone, Copy, Debug)]
enum FirstByte {
    /// Nothing was read since it was accepted.
    AwaitedSince(Instant),
    Read,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Serve,
    Queue,
    FirstByte,
    Finish,
    Linger,
    Over,
}

/// What is to be done next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Want {
    /// Nothing until something is told, or until this moment.
    Wait(Option<Instant>),
    /// Tell the server to finish what it has begun.
    Tell,
    /// End these connections.
    Cut(Vec<Name>),
    /// Say how it went, and leave these connections to somebody else.
    Report(ShutdownReport, Vec<Name>),
}

impl Course {
    pub(super) fn new(plan: ShutdownPlan) -> Self {
        Self {
            plan,
            phase: Phase::Serve,
            began: None,
            turned: None,
            listeners: 0,
            names: 0,
            open: HashMap::new(),
            closing: HashSet::new(),
            report: ShutdownReport::default(),
        }
    }

    pub(super) const fn plan(&self) -> ShutdownPlan {
        self.plan
    }

    /// When every queue is to be empty; `None` before the end has begun, and where that is never.
    pub(super) fn queues_end(&self) -> Option<Instant> {
        later(self.began, self.plan.queue)
    }

    /// Whether the end has begun and is not over.
    pub(super) const fn is_under_way(&self) -> bool {
        !matches!(self.phase, Phase::Serve | Phase::Over)
    }

    /// What is to be done next.
    pub(super) fn want(&mut self, now: Instant) -> Want {
        loop {
            let (left, until) = self.awaited();
            if left > 0 && until.is_none_or(|until| now < until) {
                return Want::Wait(until);
            }
            let want = match self.phase {
                Phase::Serve | Phase::Over => Some(Want::Wait(None)),
                Phase::Queue => {
                    self.report.undrained += left;
                    self.turn(Phase::FirstByte, now);
                    None
                }
                Phase::FirstByte => {
                    self.report.let_go = left as u64;
                    self.turn(Phase::Finish, now);
                    Some(Want::Tell)
                }
                Phase::Finish => Some(self.cut(now)),
                Phase::Linger => {
                    let left: Vec<Name> = self.closing.drain().collect();
                    self.report.left = left.len() as u64;
                    self.turn(Phase::Over, now);
                    Some(Want::Report(self.report.clone(), left))
                }
            };
            if let Some(want) = want {
                return want;
            }
        }
    }

    /// There is one more listener.
    pub(super) const fn handle_listening(&mut self) {
        self.listeners += 1;
    }

    /// The end begins; whether it had not before.
    pub(super) fn handle_begin(&mut self, now: Instant) -> Begun {
        if self.phase != Phase::Serve {
            return Begun::Before;
        }
        self.began = Some(now);
        self.turned = Some(now);
        self.phase = Phase::Queue;
        Begun::Now
    }

    /// A listener is closed; without a report if it was not emptied.
    pub(super) fn handle_closed(&mut self, report: Option<DrainReport>) {
        self.listeners = self.listeners.saturating_sub(1);
        // Later it has been counted as one that was not emptied.
        if matches!(self.phase, Phase::Serve | Phase::Queue) {
            match report {
                Some(report) => self.report.listeners.push(report),
                None => self.report.undrained += 1,
            }
        }
    }

    /// A connection was accepted.
    pub(super) fn handle_accepted(&mut self, now: Instant) -> Name {
        self.names += 1;
        self.open.insert(Name(self.names), FirstByte::AwaitedSince(now));
        Name(self.names)
    }

    /// Something was read from it for the first time, be it its end.
    pub(super) fn handle_first_byte(&mut self, name: Name) {
        if let Some(first) = self.open.get_mut(&name) {
            *first = FirstByte::Read;
        }
    }

    /// The server is done with it, and its closing begins.
    pub(super) fn handle_closing(&mut self, name: Name) {
        if self.open.remove(&name).is_some() {
            self.report.finished += u64::from(self.is_under_way());
            self.closing.insert(name);
        }
    }

    /// It is closed.
    pub(super) fn handle_ended(&mut self, name: Name, outcome: Option<Outcome>) {
        self.handle_closing(name);
        if self.closing.remove(&name)
            && self.is_under_way()
            && let Some(outcome) = outcome
        {
            self.report.closes.count(outcome);
        }
    }

    /// For how many the phase waits, and until when.
    fn awaited(&self) -> (usize, Option<Instant>) {
        match self.phase {
            Phase::Serve | Phase::Over => (0, None),
            Phase::Queue => {
                (self.listeners, later(self.began, self.plan.queue.saturating_add(SLACK)))
            }
            Phase::FirstByte => self.first_bytes(),
            Phase::Finish => (self.open.len(), later(self.turned, self.plan.finish)),
            Phase::Linger => {
                let limit = self.plan.linger.total.saturating_add(SLACK);
                (self.closing.len(), later(self.turned, limit))
            }
        }
    }

    /// How many have sent nothing yet, and until when they are waited for: who comes when every queue ought to be empty
    /// is given no longer than those before.
    fn first_bytes(&self) -> (usize, Option<Instant>) {
        let since = self.open.values().filter_map(|first| match first {
            FirstByte::AwaitedSince(accepted) => {
                Some(Some(*accepted).max(self.began).min(self.turned))
            }
            FirstByte::Read => None,
        });
        let (silent, last) = since.fold((0, None), |(count, last), one| (count + 1, one.max(last)));
        (silent, later(last, self.plan.first_byte))
    }

    fn cut(&mut self, now: Instant) -> Want {
        let cut: Vec<Name> = self.open.drain().map(|(name, _)| name).collect();
        self.report.cut = cut.len() as u64;
        self.closing.extend(&cut);
        self.turn(Phase::Linger, now);
        Want::Cut(cut)
    }

    fn turn(&mut self, phase: Phase, now: Instant) {
        let took =
            self.turned.map_or(Duration::ZERO, |turned| now.saturating_duration_since(turned));
        let Elapsed { queue, first_byte, finish, linger } = &mut self.report.elapsed;
        match self.phase {
            Phase::Queue => *queue = took,
            Phase::FirstByte => *first_byte = took,
            Phase::Finish => *finish = took,
            Phase::Linger => *linger = took,
            Phase::Serve | Phase::Over => {}
        }
        self.phase = phase;
        self.turned = Some(now);
    }
}

/// Whether it was now that the end began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Begun {
    Now,
    Before,
}

/// A moment too far away to be told is never.
fn later(since: Option<Instant>, limit: Duration) -> Option<Instant> {
    since.and_then(|since| since.checked_add(limit))
}

/// What has a deadline of its own is not cut short by a timer that fires a little earlier.
const SLACK: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
