//! `lastack free ADDR…`: plan, leave, act, look again, until the address is usable or nothing more may be done.
//!
//! What was done is believed only after a look and a trial bind; the exit code says what is true then.

use crate::address::Target;
use crate::args::FreeArgs;
use crate::ask;
use crate::carry::{self, Done, Outcome};
use crate::commands;
use crate::consent::{Answer, Leave};
use crate::error::Error;
use crate::exit::Exit;
use crate::report::page::{self, Page};
use crate::report::{free as report, json, plan as paper};
use crate::waiting::{self, Limits, Refused};
use lastack_model::facts::{Holder, Host, Socket};
use lastack_model::ids::Pid;
use lastack_model::plan::{self, Act, Obstacle, Plan, Step, Taken, Terms};
use lastack_model::stop::Stop;
use lastack_model::why::{Conflict, Explanation, Permission, Question, Role, Verdict};
use lastack_os::act::stop::{self, Kill};
use lastack_os::gather::{self, Binder};
use lastack_os::sock_diag::{self, Filter};
use lastack_os::{act, host, namespace};
use std::time::{Duration, Instant};

/// Makes every address usable, one after the other; the exit code is the worst.
pub fn run(args: &FreeArgs) -> Result<Exit, Error> {
    let targets = commands::targets(&args.addresses)?;
    match ask::namespace(&args.bind)? {
        Some(other) => namespace::within(&other, || free_all(&targets, args))?,
        None => free_all(&targets, args),
    }
}

fn free_all(targets: &[Target], args: &FreeArgs) -> Result<Exit, Error> {
    // All questions first: a mistake in the last one must not be found after the first was acted on.
    let campaigns: Vec<Campaign> =
        targets.iter().map(|target| Campaign::new(target, args)).collect::<Result<_, _>>()?;
    let mut worst = Exit::Yes;
    for campaign in campaigns {
        worst = worst.worst(campaign.run()?);
    }
    Ok(worst)
}

/// One address on its way to being usable.
struct Campaign<'a> {
    args: &'a FreeArgs,
    question: Question,
    binder: Binder,
    leave: Leave,
    terms: Terms,
    announced: Vec<Act>,
    done: Vec<Done>,
}

/// Whether a look asks the kernel by binding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trial {
    /// Where the rules leave the answer open.
    IfOpen,
    /// Always: the rules are not the last word.
    Always,
}

/// What a look showed.
struct Look {
    explanation: Explanation,
    host: Host,
}

impl<'a> Campaign<'a> {
    fn new(target: &Target, args: &'a FreeArgs) -> Result<Self, Error> {
        let host = host::host()?;
        let binder = ask::binder(&args.bind, host.asker)?;
        let terms = Terms {
            patience_ms: args.consent.patience.as_millis() as u64,
            guard: commands::guard(&args.guard),
            ..Terms::default()
        };
        Ok(Self {
            args,
            question: ask::question(target, &args.bind, &args.look, &host, binder.asker)?,
            binder,
            leave: Leave::of(&args.consent, args.output.json),
            terms,
            announced: Vec::new(),
            done: Vec::new(),
        })
    }

    fn run(mut self) -> Result<Exit, Error> {
        let before = self.look(Trial::IfOpen)?;
        let first = self.plan(&before)?;
        self.terms.show(&before.explanation);
        self.show_plan(&before.explanation, &first)?;
        self.announced = first.steps.iter().map(|step| step.act.clone()).collect();
        let (after, obstacles) = self.act(before, first.clone())?;
        let exit = exit(&after.explanation);
        self.show_end(&first, &after.explanation, &obstacles, exit)?;
        Ok(exit)
    }

    /// Takes step after step, looking again after each, since what one leaves is known only then.
    fn act(&mut self, mut look: Look, mut plan: Plan) -> Result<(Look, Vec<Obstacle>), Error> {
        loop {
            if look.explanation.verdict == Verdict::Free || !plan.obstacles.is_empty() {
                return Ok((self.verified(look)?, plan.obstacles));
            }
            let Some(step) = plan.steps.first() else { return Ok((look, Vec::new())) };
            if !self.leave.covers(&plan.steps) || !self.may(step, &look)? {
                return Ok((look, Vec::new()));
            }
            let outcome = self.take(step, &look)?;
            self.note(step, &outcome, &look)?;
            look = self.look_after(step, &outcome, &look)?;
            let failed = matches!(outcome, Outcome::Failed(_));
            self.done.push(Done { step: step.clone(), outcome });
            if failed {
                return Ok((look, Vec::new()));
            }
            plan = self.plan(&look)?;
        }
    }
}

impl Campaign<'_> {
    /// The sockets of the port, whatever they are bound to.
    fn filter(&self) -> Filter {
        let request = &self.question.requests[0];
        Filter::on_port(request.transport, request.port)
    }

    fn look(&self, trial: Trial) -> Result<Look, Error> {
        let mut host = host::host()?;
        host.asker = self.binder.asker;
        let ports: Vec<_> = self.question.requests.iter().map(|r| (r.transport, r.port)).collect();
        let mut facts = gather::facts(&ports, &host)?;
        if trial == Trial::Always && self.question.trial == Permission::Allowed {
            gather::try_all(&self.question, &mut facts, self.binder);
        }
        let explanation = gather::explain(&self.question, &mut facts, self.binder);
        Ok(Look { explanation, host })
    }

    fn plan(&mut self, look: &Look) -> Result<Plan, Error> {
        let conflicts = &look.explanation.conflicts;
        let holders: Vec<Holder> = conflicts.iter().flat_map(|c| c.holders.clone()).collect();
        self.terms.around = act::around(&holders, &self.named())?;
        if !holders.is_empty() {
            let request = &self.question.requests[0];
            self.terms.port_named = sock_diag::port_named(request.transport, request.port)?;
        }
        Ok(plan::plan(&look.explanation, &look.host, &self.terms))
    }

    fn named(&self) -> Vec<Pid> {
        self.args.consent.even.iter().copied().map(Pid).collect()
    }

    /// The kernel's own word on an address that the tables show as usable.
    fn verified(&self, look: Look) -> Result<Look, Error> {
        if look.explanation.verdict == Verdict::Free { self.look(Trial::Always) } else { Ok(look) }
    }

    /// Looks again. What a process held goes a moment after the process, and what it had under way is acknowledged
    /// after a round trip, which is gentler than to drop it.
    fn look_after(&self, step: &Step, outcome: &Outcome, before: &Look) -> Result<Look, Error> {
        let settling = if outcome.ended_something() { SETTLING } else { Duration::ZERO };
        let deadline = Instant::now() + settling;
        loop {
            let look = self.look(Trial::Always)?;
            let ended = step.conflicts.iter().map(|at| &before.explanation.conflicts[*at]);
            if !lingers(ended, &look.explanation.conflicts) || Instant::now() >= deadline {
                return Ok(look);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Nobody is asked about a step whose harm was not shown.
    fn may(&self, step: &Step, look: &Look) -> Result<bool, Error> {
        if self.leave == Leave::Ask && !self.announced.contains(&step.act) {
            let conflicts = &look.explanation.conflicts;
            self.on_paper(|page| paper::write_step(page, "+ ", step, conflicts))?;
        }
        let act = paper::act(step, &look.explanation.conflicts);
        let answer = self.leave.to(step, &format!("{}?", paper::sentence(&act)))?;
        Ok(answer == Answer::Go)
    }

    fn take(&self, step: &Step, look: &Look) -> Result<Outcome, Error> {
        let conflicts = &look.explanation.conflicts;
        let conflicts: Vec<_> = step.conflicts.iter().map(|at| &conflicts[*at]).collect();
        Ok(match &step.act {
            Act::Wait { .. } => self.wait()?,
            Act::Destroy { .. } => carry::destroy(&conflicts, self.filter(), |_| true),
            Act::Disconnect { .. } => carry::disconnect(&conflicts, &self.filter(), |_| true),
            Act::Stop(owner) => self.stop(owner)?,
        })
    }

    fn stop(&self, what: &Stop) -> Result<Outcome, Error> {
        let kill = match self.leave {
            Leave::Flags { kill: true, .. } => Kill::AfterGrace,
            Leave::Flags { .. } | Leave::DryRun | Leave::Ask => Kill::Never,
        };
        let grace = self.args.consent.grace;
        let terms = stop::Terms { grace, kill, named: self.named() };
        let outcome = carry::stop(what, &terms);
        let Outcome::StillRuns(survivors) = &outcome else { return Ok(outcome) };
        let question = format!("{}. End with SIGKILL?", paper::survivors(survivors));
        if kill == Kill::Never && self.leave.to_kill(&question)? == Answer::Go {
            let terms = stop::Terms { grace: Duration::ZERO, kill: Kill::AfterGrace, ..terms };
            return Ok(carry::stop(what, &terms));
        }
        Ok(outcome)
    }

    fn wait(&self) -> Result<Outcome, Error> {
        let deadline = Some(Instant::now() + self.args.consent.patience);
        let limits = Limits { deadline, interrupt: None, refused: Refused::GivesUp };
        let waited = waiting::until_bindable(&self.question, self.binder, &limits, &mut |_| {})?;
        Ok(Outcome::Waited(waited.time.as_millis() as u64))
    }

    fn note(&mut self, step: &Step, outcome: &Outcome, look: &Look) -> Result<(), Error> {
        match (&step.act, outcome) {
            (Act::Wait { .. }, _) => self.terms.patience_ms = 0,
            (_, Outcome::NotTraced(_)) => self.terms.taken.push(Taken::NotTraced),
            (Act::Destroy { role, .. } | Act::Disconnect { role }, _) => {
                self.terms.taken.push(Taken::Destroyed(*role));
            }
            (Act::Stop(_), Outcome::StillRuns(survivors)) => {
                let pids = survivors.iter().map(|survivor| survivor.pid).collect();
                self.terms.taken.push(Taken::RunOn(pids));
            }
            (Act::Stop(_), _) => {}
        }
        self.show_done(step, outcome, look)
    }
}

/// What is shown on the way.
impl Campaign<'_> {
    fn show_plan(&self, explanation: &Explanation, plan: &Plan) -> Result<(), Error> {
        self.on_paper(|page| report::before(page, explanation, plan))
    }

    fn show_done(&self, step: &Step, outcome: &Outcome, look: &Look) -> Result<(), Error> {
        self.on_paper(|page| paper::write_done(page, step, outcome, &look.explanation.conflicts))
    }

    fn show_end(
        &self,
        plan: &Plan,
        after: &Explanation,
        obstacles: &[Obstacle],
        exit: Exit,
    ) -> Result<(), Error> {
        if self.args.output.json {
            return page::print(&json::line(&report::Freed {
                schema: "lastack.free/1",
                exit: exit.code(),
                asked: &self.question.asked,
                plan,
                done: &self.done,
                obstacles,
                explanation: after,
            }));
        }
        let undone = self.done.is_empty() && !plan.is_empty();
        let leave = undone.then_some(self.leave);
        self.on_paper(|page| report::after(page, after, plan, obstacles, leave))
    }

    fn on_paper(&self, write: impl FnOnce(&mut Page)) -> Result<(), Error> {
        commands::on_paper(&self.args.output, write)
    }
}

/// Whether some of what was ended is as it was, or is being closed. What a connection turns into keeps its cookie.
fn lingers<'a>(mut ended: impl Iterator<Item = &'a Conflict>, now: &[Conflict]) -> bool {
    let closing = |conflict: &Conflict| conflict.role == Role::OrphanUnacknowledged;
    ended.any(|before| {
        let Socket { cookie, state, .. } = before.sockets.example;
        now.iter().any(|after| {
            let example = &after.sockets.example;
            example.cookie == cookie && example.state == state || closing(after) && !closing(before)
        })
    })
}

/// Only what can be bound counts.
const fn exit(explanation: &Explanation) -> Exit {
    match explanation.verdict {
        Verdict::Free => Exit::Yes,
        Verdict::Undecided => Exit::Partly,
        Verdict::Partly | Verdict::InUse | Verdict::Refused => Exit::No,
    }
}

/// How long what an ended process held may linger.
const SETTLING: Duration = Duration::from_secs(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
