//! Waiting until a bind would succeed.
//!
//! The kernel's own answer decides: a trial bind, made and closed at once. The tables say how long it may last and whose
//! end to listen for. Where trials are forbidden, or would ask for `SO_REUSEPORT`, the tables decide as well.

use super::{End, Limits, Obstacle, Progress, Refused, TICK, Waited};
use crate::error::Error;
use lastack_model::facts::{Facts, Kind, Trial, TrialOutcome};
use lastack_model::waiting::{self, Cost, Hearing, Occasion, Outlook, Prospect};
use lastack_model::why::{Explanation, Permission, Question};
use lastack_os::gather::{self, Binder};
use lastack_os::process::Handle;
use lastack_os::sock_diag::{Destroyed, Presence, Sentry};
use lastack_os::watch::{Ears, Watch, Woken};
use lastack_os::{host, trial, usage};
use std::time::{Duration, Instant};

/// Waits until every bind of the question would succeed. Who waits is told how it stands once a second or more often.
pub fn until_bindable(
    question: &Question,
    binder: Binder,
    limits: &Limits<'_>,
    on_progress: &mut dyn FnMut(&Progress<'_>),
) -> Result<Waited, Error> {
    let mut waiter = Waiter::new(question, binder, limits);
    let end = loop {
        if let Some(end) = waiter.look()? {
            break end;
        }
        on_progress(&waiter.progress());
        if waiter.sleep()? == Woken::ByInterrupt {
            break End::Interrupted;
        }
    };
    let time = waiter.began.elapsed();
    Ok(Waited { end, time, looks: waiter.looks, trials: waiter.trials.made })
}

struct Waiter<'a> {
    question: Question,
    binder: Binder,
    limits: &'a Limits<'a>,
    watch: Watch<'a>,
    began: Instant,
    trials: Trials,
    picture: Option<Picture>,
    looks: u64,
    /// Something ended since the last trial or explanation.
    news: bool,
}

/// The trial binds: whether they are made, and what they cost.
struct Trials {
    allowed: bool,
    made: u64,
    cost: Cost,
    last: Option<Instant>,
    next: Instant,
    /// The position of the bind that was refused last.
    refused: usize,
    /// What the process had used when the last look was over.
    mark: Duration,
}

/// What was seen, and when.
struct Picture {
    explanation: Explanation,
    outlook: Outlook,
    at: Instant,
    cost: Duration,
    occasion: Occasion,
    sentry: Option<Sentry>,
    next_sentry: Instant,
}

impl<'a> Waiter<'a> {
    fn new(question: &Question, binder: Binder, limits: &'a Limits<'a>) -> Self {
        let now = Instant::now();
        let shares = question.requests.iter().any(|request| request.options.reuse_port);
        let trials = Trials {
            // A trial with SO_REUSEPORT may change what the kernel lets into the group: none without need.
            allowed: question.trial == Permission::Allowed && !shares,
            made: 0,
            cost: Cost::default(),
            last: None,
            next: now,
            refused: 0,
            mark: usage::own_cpu(),
        };
        Self {
            // Other namespaces never stand in the way, and searching them is dear.
            question: Question { elsewhere: Permission::Forbidden, ..question.clone() },
            binder,
            limits,
            watch: Watch { interrupt: limits.interrupt, ..Watch::default() },
            began: now,
            trials,
            picture: None,
            looks: 0,
            news: false,
        }
    }

    /// Looks at whatever is due, cheapest first.
    fn look(&mut self) -> Result<Option<End>, Error> {
        if self.trials.allowed && Instant::now() >= self.trials.next {
            if self.try_all().is_none() {
                return Ok(Some(End::Reached));
            }
            self.account_trial();
        }
        self.see_sentry()?;
        if Instant::now() >= self.next_explanation()
            && let Some(end) = self.explain()?
        {
            return Ok(Some(end));
        }
        if self.limits.is_over() { self.give_up() } else { Ok(None) }
    }

    /// Tries every bind until one is refused: that one, or none. It begins with the one that was refused before: the end
    /// of a trial socket that was bound is news too, and nobody should wake himself.
    fn try_all(&mut self) -> Option<Trial> {
        let count = self.question.requests.len();
        for at in 0..count {
            let at = (self.trials.refused + at) % count;
            let request = &self.question.requests[at];
            let outcome = trial::bind(request, self.binder.trial);
            match outcome {
                TrialOutcome::NotTried(_) => self.trials.allowed = false,
                TrialOutcome::Bound | TrialOutcome::Refused(_) => self.trials.made += 1,
            }
            if outcome != TrialOutcome::Bound {
                self.trials.refused = at;
                return Some(Trial { request: request.clone(), outcome });
            }
        }
        None
    }

    /// Everything since the last look counts to the price of a trial: what woke us, too.
    fn account_trial(&mut self) {
        let (now, used) = (Instant::now(), usage::own_cpu());
        let trials = &mut self.trials;
        trials.cost.waited = now - self.began;
        trials.cost = trials.cost.plus(used.saturating_sub(trials.mark));
        trials.mark = used;
        trials.last = Some(now);
        self.news = false;
        if let Some(picture) = &mut self.picture {
            let age = now - picture.at;
            trials.next = now + picture.outlook.pause(age, trials.cost);
            if picture.outlook.is_past(age) {
                picture.occasion = Occasion::Changed;
            }
        }
    }

    /// Sees whether the one socket that certainly stands in the way is still there.
    fn see_sentry(&mut self) -> Result<(), Error> {
        let Some(picture) = &mut self.picture else { return Ok(()) };
        let Some(sentry) = &mut picture.sentry else { return Ok(()) };
        let now = Instant::now();
        if now < picture.next_sentry {
            return Ok(());
        }
        if sentry.look()? == Presence::Here {
            let pause = picture.outlook.pause(now - picture.at, self.trials.cost);
            let until_trial = self.trials.allowed.then_some(pause);
            picture.next_sentry = now + picture.outlook.sentinel_pause(until_trial);
        } else {
            picture.sentry = None;
            self.note_change();
        }
        Ok(())
    }

    /// Something ended: looks again as soon as the price of the last look allows.
    fn note_change(&mut self) {
        self.news = true;
        if let Some(picture) = &mut self.picture {
            picture.occasion = Occasion::Changed;
        }
        if let Some(last) = self.trials.last {
            let soonest = last + self.trials.cost.pause_after_news();
            self.trials.next = self.trials.next.min(soonest);
        }
    }

    fn next_explanation(&self) -> Instant {
        let Some(picture) = &self.picture else { return self.began };
        let by_occasion = picture.at + picture.occasion.pause(picture.cost);
        if self.trials.allowed || picture.sentry.is_some() {
            return by_occasion;
        }
        // The tables are all there is to look at.
        let spent = picture.cost * u32::try_from(self.looks).unwrap_or(u32::MAX);
        let cost = Cost { last: picture.cost, spent, waited: self.began.elapsed() };
        by_occasion.min(picture.at + picture.outlook.pause(picture.at.elapsed(), cost))
    }

    /// Reads the tables and explains them; an end, if that shows one.
    fn explain(&mut self) -> Result<Option<End>, Error> {
        let (at, before) = (Instant::now(), usage::own_cpu());
        let explanation = self.explanation()?;
        let cost = usage::own_cpu().saturating_sub(before);
        self.trials.mark += cost;
        self.looks += 1;
        self.news = false;
        match Prospect::of(&explanation) {
            Prospect::Open => return Ok(Some(End::Reached)),
            Prospect::Refused if self.limits.refused == Refused::GivesUp => {
                return Ok(Some(End::Refused(Box::new(explanation))));
            }
            Prospect::Refused | Prospect::Blocked => {}
        }
        let occasion = self.listen_for(&explanation);
        let hearing = self.watch.destroyed.as_ref().map_or(Hearing::Deaf, |_| Hearing::Heard);
        let outlook = Outlook::of(&explanation, hearing);
        let now = Instant::now();
        let pause = outlook.pause(now - at, self.trials.cost);
        self.trials.next = match self.picture {
            Some(_) => self.trials.next.min(now + pause),
            None => now + pause,
        };
        let sentry = waiting::sentinel(&explanation).and_then(|one| Sentry::over(one).ok());
        let next_sentry = now;
        self.picture =
            Some(Picture { explanation, outlook, at, cost, occasion, sentry, next_sentry });
        Ok(None)
    }

    /// What the tables say; a trial must confirm it when they say that the way is free.
    fn explanation(&mut self) -> Result<Explanation, Error> {
        let mut host = host::host()?;
        host.asker = self.binder.asker;
        let ports: Vec<_> = self.question.requests.iter().map(|r| (r.transport, r.port)).collect();
        let mut facts = gather::facts(&ports, &host)?;
        let explanation = gather::explain(&self.question, &mut facts, self.binder);
        self.trials.made += trials_made(&facts);
        if Prospect::of(&explanation) != Prospect::Open || !self.trials.allowed {
            return Ok(explanation);
        }
        let Some(refused) = self.try_all() else { return Ok(explanation) };
        facts.trials.retain(|trial| trial.request != refused.request);
        facts.trials.push(refused);
        Ok(gather::explain(&self.question, &mut facts, self.binder))
    }

    /// Holds the processes whose end may free the port, and asks for news of their sockets. When one of them ended
    /// meanwhile, what was seen is out of date already.
    fn listen_for(&mut self, explanation: &Explanation) -> Occasion {
        let mut occasion = Occasion::Routine;
        let mut pids = Vec::new();
        self.watch.holders.clear();
        for holder in explanation.conflicts.iter().flat_map(|conflict| &conflict.holders) {
            if pids.contains(&holder.process.pid) || pids.len() == HOLDERS_WATCHED {
                continue;
            }
            pids.push(holder.process.pid);
            match Handle::of(&holder.process) {
                Ok(Some(handle)) => self.watch.holders.push(handle),
                Ok(None) => occasion = Occasion::Changed,
                // Without a handle its end is seen by the next trial.
                Err(_) => {}
            }
        }
        let announced = explanation.conflicts.iter().find(|c| c.sockets.example.kind == Kind::Full);
        self.watch.destroyed = match (announced, self.watch.destroyed.take()) {
            (None, _) => None,
            (Some(_), Some(heard)) => Some(heard),
            // A kernel that does not tell leaves the looks, which suffice.
            (Some(conflict), None) => {
                let socket = &conflict.sockets.example;
                Destroyed::on_port(socket.transport, socket.port()).ok()
            }
        };
        occasion
    }

    /// The deadline has come: looks once more, so that what is said is true now.
    fn give_up(&mut self) -> Result<Option<End>, Error> {
        let stale = self.picture.as_ref().is_none_or(|picture| picture.at.elapsed() > FRESH);
        if stale && let Some(end) = self.explain()? {
            return Ok(Some(end));
        }
        let explanation = self.picture.take().map(|picture| picture.explanation);
        Ok(explanation.map(|it| End::TimedOut(Obstacle::Sockets(Box::new(it)))))
    }

    fn sleep(&mut self) -> Result<Woken, Error> {
        let mut wake = self.next_explanation();
        if self.trials.allowed {
            wake = wake.min(self.trials.next);
        }
        if let Some(picture) = self.picture.as_ref().filter(|picture| picture.sentry.is_some()) {
            wake = wake.min(picture.next_sentry);
        }
        let pause = self.limits.clip(wake.saturating_duration_since(Instant::now()).min(TICK));
        let ears = if self.news { Ears::Shut } else { Ears::Open };
        let woken = self.watch.wait(pause, ears)?;
        if woken == Woken::ByNews {
            self.note_change();
        }
        Ok(woken)
    }

    fn progress(&self) -> Progress<'_> {
        let picture = self.picture.as_ref();
        Progress {
            waited: self.began.elapsed(),
            picture: picture.map(|picture| (&picture.explanation, picture.at.elapsed())),
        }
    }
}

/// The trials that an explanation called for.
fn trials_made(facts: &Facts) -> u64 {
    let tried = |trial: &&Trial| !matches!(trial.outcome, TrialOutcome::NotTried(_));
    facts.trials.iter().filter(tried).count() as u64
}

/// Whose end is waited for by name; the looks see the end of any more.
const HOLDERS_WATCHED: usize = 64;
/// A picture as young as this need not be taken again to be shown.
const FRESH: Duration = Duration::from_millis(50);
