//! Runs of many cases, on every processor, and what they add up to.

use crate::bench::Bench;
use crate::case::{Outcome, examine};
use crate::exam::{Exam, Fault, Question};
use crate::stage::Knowledge;
use lastack_lab::random::Random;
use lastack_model::bind::Rules;
use lastack_model::facts::Transport;
use lastack_model::state::State;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Which cases to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) transport: Transport,
    pub(crate) seed: u64,
    pub(crate) cases: Range<u64>,
    /// Whether the questions are kept, to be judged again.
    pub(crate) keep_exams: bool,
}

/// What came of the cases.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cases: usize,
    /// Cases that settled nothing because connections went on by themselves.
    pub(crate) moved: usize,
    pub(crate) questions: usize,
    /// Binds to a named port, and of those the ones decided by a dump, and with options read.
    pub(crate) binds: usize,
    pub(crate) by_dump: usize,
    pub(crate) by_descriptors: usize,
    /// Binds of cases with the trial allowed, and of those the ones that a trial decided.
    pub(crate) trials_allowed: usize,
    pub(crate) trials: usize,
    pub(crate) remedies: usize,
    /// The sockets that stood on the ports, by state.
    pub(crate) states: BTreeMap<State, usize>,
    pub(crate) refused: usize,
    pub(crate) exams: Vec<Exam>,
    pub(crate) failures: Vec<String>,
}

impl Plan {
    /// As the environment says, or so many cases of a new seed.
    pub(crate) fn from_environment(transport: Transport, cases: u64) -> Self {
        let seed = number("LASTACK_DIFF_SEED").unwrap_or_else(lastack_os::host::now_ms);
        let cases = match number("LASTACK_DIFF_CASE") {
            Some(one) => one..one + 1,
            None => 0..number("LASTACK_DIFF_CASES").unwrap_or(cases),
        };
        Self { transport, seed, cases, keep_exams: false }
    }

    /// So many cases of this seed.
    pub(crate) fn of(transport: Transport, seed: u64, cases: u64) -> Self {
        Self { transport, seed, cases: 0..cases, keep_exams: false }
    }
}

/// Runs the cases, each thousand in a namespace of its own.
pub(crate) fn run(plan: &Plan) -> Tally {
    lastack_lab::privilege::require_root();
    let first = plan.cases.start / PER_NAMESPACE;
    let last = plan.cases.end.div_ceil(PER_NAMESPACE);
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut total = Tally::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let mine = (first..last).filter(move |n| n % workers == worker);
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    mine.for_each(|namespace| run_namespace(plan, namespace, &mut tally));
                    tally
                })
            })
            .collect();
        for thread in threads {
            total.add(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    total
}

fn run_namespace(plan: &Plan, namespace: u64, tally: &mut Tally) {
    let bench = Bench::enter(&mut Random::for_case(!plan.seed, namespace));
    let all = namespace * PER_NAMESPACE..(namespace + 1) * PER_NAMESPACE;
    for number in all.filter(|number| plan.cases.contains(number)) {
        let random = Random::for_case(plan.seed, number);
        let at = (number % PER_NAMESPACE) as u16;
        tally.count(plan, number, examine(&bench, random, plan.transport, at));
    }
}

impl Tally {
    fn count(&mut self, plan: &Plan, number: u64, outcome: Outcome) {
        self.cases += 1;
        if outcome.moved {
            self.moved += 1;
            return;
        }
        let mut faults = faults(&outcome);
        self.trials += usize::from(outcome.trial.is_some());
        self.trials_allowed += usize::from(outcome.trial_allowed);
        self.remedies += outcome.remedies.len();
        for exam in &outcome.exams {
            let rules = Rules::of(exam.host.kernel);
            let is_bind = matches!(exam.question, Question::Bind(_));
            let decided =
                |knowledge| usize::from(is_bind && exam.verdict(knowledge, rules).is_some());
            self.binds += usize::from(is_bind);
            self.questions += 1;
            for socket in &exam.by_dump {
                *self.states.entry(socket.state).or_default() += 1;
            }
            self.refused += usize::from(exam.kernel.is_err());
            self.by_dump += decided(Knowledge::Dump);
            self.by_descriptors += decided(Knowledge::Descriptors);
        }
        if !faults.is_empty() && self.failures.len() < MOST_REPORTED {
            faults.insert(0, format!("case {number} of seed {}", plan.seed));
            self.failures.push(report(&faults, &outcome));
        }
        if plan.keep_exams {
            self.exams.extend(outcome.exams);
        }
    }

    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.moved += other.moved;
        self.questions += other.questions;
        self.binds += other.binds;
        self.by_dump += other.by_dump;
        self.by_descriptors += other.by_descriptors;
        self.trials_allowed += other.trials_allowed;
        self.trials += other.trials;
        self.remedies += other.remedies;
        for (state, count) in other.states {
            *self.states.entry(state).or_default() += count;
        }
        self.refused += other.refused;
        self.exams.extend(other.exams);
        self.failures.extend(other.failures);
    }

    /// The failures, and how to see one again.
    pub(crate) fn report(&self, plan: &Plan) -> String {
        format!(
            "{} failures, repeat with LASTACK_DIFF_SEED={} (and LASTACK_DIFF_CASE=…)\n{}\n{self}",
            self.failures.len(),
            plan.seed,
            self.failures.join("\n")
        )
    }
}

/// Everything that the kernel did otherwise than it was said to.
fn faults(outcome: &Outcome) -> Vec<String> {
    let mut faults = Vec::new();
    for exam in &outcome.exams {
        let rules = Rules::of(exam.host.kernel);
        let found: Vec<Fault> = exam.faults(rules);
        faults.extend(found.iter().map(|fault| format!("{fault:?}")));
        if let (Question::Listen(..), true) = (&exam.question, outcome.exams.len() > 1)
            && exam.kernel.is_err()
        {
            faults.push(format!("bound, but may not listen: {:?}", exam.kernel));
        }
    }
    if let Some(trial) = outcome.trial
        && trial != outcome.exams[0].kernel
    {
        faults.push(format!("the trial answered {trial:?}"));
    }
    for (changed, answer) in outcome.remedies.iter().filter(|(_, answer)| answer.is_err()) {
        faults.push(format!("the remedy {:?} was answered {answer:?}", changed.options));
    }
    faults
}

fn report(faults: &[String], outcome: &Outcome) -> String {
    let mut lines = faults.to_vec();
    lines.extend(outcome.story.iter().map(|step| format!("  {step}")));
    for exam in &outcome.exams {
        lines.push(format!("  asked {:?}", exam.question));
        lines.push(format!("  kernel {:?}, port may remember: {}", exam.kernel, exam.remembers));
        let rules = Rules::of(exam.host.kernel);
        for knowledge in [Knowledge::Dump, Knowledge::Descriptors, Knowledge::Everything] {
            lines.push(format!("  model by {knowledge:?}: {:?}", exam.verdict(knowledge, rules)));
        }
        lines.extend(exam.by_everything.iter().map(|socket| {
            let (options, v6only) = (socket.options, socket.v6only);
            format!(
                "    {:?} {} -> {:?} {:?} {:?} device {:?} uid {:?} v6only {v6only:?} {options:?} named {:?}",
                socket.family,
                socket.local,
                socket.remote,
                socket.state,
                socket.kind,
                socket.device,
                socket.uid,
                socket.port_named
            )
        }));
    }
    lines.join("\n")
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let undecided = |decided| {
            let tenths = 1000 * (self.binds - decided) / self.binds.max(1);
            format!("{}.{} %", tenths / 10, tenths % 10)
        };
        let Self { cases, moved, questions, refused, binds, trials, trials_allowed, .. } = self;
        writeln!(
            f,
            "{cases} cases ({moved} moved by themselves), {questions} questions ({refused} refused)"
        )?;
        let (dump, read) = (undecided(self.by_dump), undecided(self.by_descriptors));
        writeln!(f, "{binds} binds: undecided by a dump {dump}, with options read {read}")?;
        writeln!(f, "{trials_allowed} binds with the trial allowed, of which {trials} needed it")?;
        writeln!(f, "{} changes of options proposed and tried", self.remedies)?;
        self.states.iter().try_for_each(|(state, count)| write!(f, "{state} {count}  "))
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

/// Few enough that every case of a namespace has a port below 1024 of its own.
const PER_NAMESPACE: u64 = 1_000;
const MOST_REPORTED: usize = 3;
