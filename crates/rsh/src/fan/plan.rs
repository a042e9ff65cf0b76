//! Which task starts when: lists of tasks that run side by side, each one after the other; so many at once; tried again
//! after a pause that doubles.
//!
//! No I/O and no clock: moments are passed in, counted from the beginning.

use super::NotRun;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// The plan, and where it stands.
#[derive(Debug)]
pub(super) struct Plan {
    width: usize,
    retries: u32,
    lists: Vec<List>,
    /// Lists whose next task may start now, in this order.
    ready: VecDeque<usize>,
    /// Lists whose task is to be tried again, and when.
    resting: BTreeSet<(Duration, usize)>,
    running: usize,
}

#[derive(Debug)]
struct List {
    /// The first is the one that runs or is next.
    tasks: VecDeque<usize>,
    attempts: u32,
}

/// What to do now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Start this one.
    Start { list: usize, task: usize, attempt: u32 },
    /// Wait for an end, and not longer than until this moment.
    Wait(Option<Duration>),
    /// Nothing runs and nothing is left.
    Over,
}

/// How a task ended, as far as it matters here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ended {
    /// Its command ran, or may have.
    Ran,
    /// It certainly did not.
    DidNot,
}

/// What becomes of a task that ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum After {
    /// It is over.
    Over { attempts: u32, not_run: Vec<usize> },
    /// It is tried again after so long.
    Again(Duration),
}

impl Plan {
    /// Tasks are numbered through the lists.
    pub(super) fn new(
        lengths: impl IntoIterator<Item = usize>,
        width: usize,
        retries: u32,
    ) -> Self {
        let mut first = 0;
        let of = |length| {
            let tasks = (first..first + length).collect();
            first += length;
            List { tasks, attempts: 0 }
        };
        let lists: Vec<List> = lengths.into_iter().map(of).collect();
        let ready = (0..lists.len()).filter(|list| !lists[*list].tasks.is_empty()).collect();
        Self { width: width.max(1), retries, lists, ready, resting: BTreeSet::new(), running: 0 }
    }

    /// What to do now; to be asked again until it is to wait.
    pub(super) fn next(&mut self, now: Duration) -> Next {
        while let Some((due, list)) = self.resting.first().copied().filter(|(due, _)| *due <= now) {
            self.resting.remove(&(due, list));
            self.ready.push_front(list);
        }
        if self.running < self.width
            && let Some(list) = self.ready.pop_front()
        {
            return self.begin(list);
        }
        match self.resting.first() {
            _ if self.running == self.width => Next::Wait(None),
            Some((due, _)) => Next::Wait(Some(*due)),
            None if self.running > 0 => Next::Wait(None),
            None => Next::Over,
        }
    }

    /// The task of this list that was running has ended.
    pub(super) fn ended(&mut self, list: usize, how: Ended, now: Duration) -> After {
        self.running -= 1;
        let this = &mut self.lists[list];
        if how == Ended::DidNot && this.attempts <= self.retries {
            let pause = pause(this.attempts);
            self.resting.insert((now + pause, list));
            return After::Again(pause);
        }
        let attempts = std::mem::take(&mut this.attempts);
        this.tasks.pop_front();
        if how == Ended::DidNot {
            // Every further command would wait for the same host in vain.
            return After::Over { attempts, not_run: this.tasks.drain(..).collect() };
        }
        if !this.tasks.is_empty() {
            // First what is begun, then what is not: a host is finished soon, and its connection is still warm.
            self.ready.push_front(list);
        }
        After::Over { attempts, not_run: Vec::new() }
    }

    /// Starts nothing any more; the tasks that therefore never run.
    pub(super) fn stop(&mut self) -> Vec<usize> {
        let waiting = self.resting.iter().map(|(_, list)| *list).chain(self.ready.iter().copied());
        let waiting: BTreeSet<usize> = waiting.collect();
        self.resting.clear();
        self.ready.clear();
        self.retries = 0;
        let mut not_run = Vec::new();
        for (at, list) in self.lists.iter_mut().enumerate() {
            // The first of a list that waits for nothing is running.
            let runs = usize::from(!waiting.contains(&at)).min(list.tasks.len());
            not_run.extend(list.tasks.drain(runs..));
        }
        not_run
    }

    fn begin(&mut self, list: usize) -> Next {
        let this = &mut self.lists[list];
        this.attempts += 1;
        self.running += 1;
        let task = this.tasks.front().copied().expect("a list that is ready has a task");
        Next::Start { list, task, attempt: this.attempts }
    }
}

impl NotRun {
    /// For those that follow a task that could not be started.
    pub(super) const fn after(task: usize) -> Self {
        Self::After { task }
    }
}

/// Before the second attempt one second, then twice as long each time, up to half a minute.
fn pause(attempts: u32) -> Duration {
    Duration::from_secs(1 << (attempts.saturating_sub(1)).min(5)).min(LONGEST_PAUSE)
}

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
