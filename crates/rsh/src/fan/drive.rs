//! Carries a plan out over tokio: starts tasks, hears of their ends, of orders and of the time.

use super::event::Teller;
use super::plan::{After, Ended, Next, Plan};
use super::{Event, NotRun, Terms};
use crate::{Carrier, Cause, Failure, Output, Ran, Report, Signal, Stage, Stop, Task};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

/// A fan-out that goes on.
pub(super) struct Drive<C> {
    carrier: Arc<C>,
    tasks: Vec<Task>,
    plan: Plan,
    began: Instant,
    total: Option<Duration>,
    /// The longest that a task has.
    grace: Duration,
    teller: Teller,
    running: JoinSet<Report>,
    /// What a task of tokio's carries: the list, the task, and when it began.
    known: HashMap<Id, (usize, usize, Instant)>,
    stop: watch::Sender<Option<Signal>>,
    stopped: Stop,
    stopped_at: Option<Instant>,
}

/// What came first.
enum Heard {
    Ended(Result<(Id, Report), JoinError>),
    Order(Signal),
    Nobody,
    Time,
}

impl<C: Carrier> Drive<C> {
    pub(super) fn new(
        carrier: Arc<C>,
        lists: Vec<Vec<Task>>,
        terms: Terms,
        teller: Teller,
    ) -> Self {
        let (stop, stopped) = Stop::new();
        let plan = Plan::new(lists.iter().map(Vec::len), terms.width, terms.retries);
        let tasks: Vec<Task> = lists.into_iter().flatten().collect();
        Self {
            plan,
            grace: tasks.iter().map(|task| task.limits.grace).max().unwrap_or_default(),
            tasks,
            carrier,
            began: Instant::now(),
            total: terms.total,
            teller,
            running: JoinSet::new(),
            known: HashMap::new(),
            stop,
            stopped,
            stopped_at: None,
        }
    }

    pub(super) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Signal>) {
        let mut is_controlled = true;
        loop {
            let at_most = match self.plan.next(self.began.elapsed()) {
                Next::Start { list, task, attempt } => {
                    self.start(list, task, attempt);
                    continue;
                }
                Next::Wait(until) => until.map(|until| self.began + until),
                Next::Over => {
                    // What the carrier leaves behind is gone when the last word is told.
                    let teller = self.teller.clone();
                    drop(self);
                    return teller.end();
                }
            };
            let teller = self.teller.clone();
            let wake = self.wake(at_most);
            let heard = tokio::select! {
                Some(ended) = self.running.join_next_with_id() => Heard::Ended(ended),
                order = orders.recv(), if is_controlled => order.map_or(Heard::Nobody, Heard::Order),
                () = teller.deserted(), if self.stopped_at.is_none() => Heard::Order(Signal::Terminate),
                () = sleep_until(wake) => Heard::Time,
            };
            match heard {
                Heard::Ended(ended) => self.ended(ended),
                Heard::Order(signal) => self.stop(signal, NotRun::Stopped),
                Heard::Nobody => is_controlled = false,
                Heard::Time => self.time(),
            }
        }
    }

    fn start(&mut self, list: usize, number: usize, attempt: u32) {
        self.tell(Event::Started { task: number, attempt });
        let (carrier, task) = (self.carrier.clone(), self.tasks[number].clone());
        let output = Output::told(number, self.teller.clone());
        let stop = self.stopped.clone();
        let handle = self.running.spawn(async move { carrier.run(task, output, stop).await });
        self.known.insert(handle.id(), (list, number, Instant::now()));
    }

    fn ended(&mut self, ended: Result<(Id, Report), JoinError>) {
        let (id, report) = match ended {
            Ok((id, report)) => (id, Ok(report)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some((list, task, began)) = self.known.remove(&id) else { return };
        let report = report.unwrap_or_else(|error| self.broken(&error, began.elapsed()));
        let retry = report.result.as_ref().err().filter(|failure| failure.may_be_retried());
        let how = if retry.is_some() { Ended::DidNot } else { Ended::Ran };
        match (self.plan.ended(list, how, self.began.elapsed()), retry.cloned()) {
            (After::Again(after), Some(failure)) => {
                self.tell(Event::Again { task, failure, after });
            }
            (After::Again(_), None) => {}
            (After::Over { attempts, not_run }, _) => {
                self.tell(Event::Ended { task, attempts, report });
                for after in not_run {
                    self.tell(Event::NotRun { task: after, why: NotRun::after(task) });
                }
            }
        }
    }

    /// A task that gave no report: given up after it was to stop, or a fault in the program.
    fn broken(&self, error: &JoinError, elapsed: Duration) -> Report {
        let cause = match self.stopped.signal() {
            Some(signal) if error.is_cancelled() => Cause::Stopped(signal),
            _ => Cause::System(format!("a fault in lastack itself: {error}")),
        };
        let failure = Failure { stage: Stage::Command, cause, ran: Ran::Perhaps };
        Report { result: Err(failure), elapsed, notes: Vec::new() }
    }

    /// Tells tasks to stop, once; those that wait are never run.
    fn stop(&mut self, signal: Signal, why: NotRun) {
        if self.stopped_at.is_none() {
            self.stopped_at = Some(Instant::now());
            self.tell(Event::Stopping(why));
            for task in self.plan.stop() {
                self.tell(Event::NotRun { task, why });
            }
            self.stop.send_replace(Some(signal));
        }
    }

    /// When to look at the clock: the plan's moment, the end of the time for all, the end of patience.
    fn wake(&self, at_most: Option<Instant>) -> Instant {
        let limit = match self.stopped_at {
            Some(stopped) => Some(stopped + self.patience()),
            None => self.total.map(|total| self.began + total),
        };
        let wakes = [at_most, limit].into_iter().flatten();
        wakes.min().unwrap_or_else(|| Instant::now() + A_DAY)
    }

    fn time(&mut self) {
        let now = Instant::now();
        match self.stopped_at {
            Some(stopped) if now >= stopped + self.patience() => self.running.abort_all(),
            None if self.total.is_some_and(|total| now >= self.began + total) => {
                self.stop(Signal::Terminate, NotRun::TimedOut);
            }
            Some(_) | None => {}
        }
    }

    /// A carrier ends within its task's grace, once to end and once to be killed, and a little for itself. One that does
    /// not is given up.
    fn patience(&self) -> Duration {
        self.grace * 3 + Duration::from_secs(2)
    }

    fn tell(&self, event: Event) {
        self.teller.tell(event);
    }
}

const A_DAY: Duration = Duration::from_secs(86_400);
