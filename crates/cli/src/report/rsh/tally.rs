//! How every task went.

use lastack_rsh::Report;
use lastack_rsh::fan::NotRun;

/// How every task went.
#[derive(Clone, Debug)]
pub struct Tally {
    outcomes: Vec<Option<Outcome>>,
    end: End,
    is_output_lost: bool,
}

/// How it ended as a whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Every task had its chance.
    Complete,
    /// The time was over first.
    TimedOut,
    /// Somebody interrupted it.
    Interrupted,
}

/// How one task went.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Ended { attempts: u32, report: Report },
    NotRun(NotRun),
}

/// How many went how.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Counts {
    pub(super) succeeded: usize,
    /// With a status that is not 0.
    pub(super) failed: usize,
    /// Begun, and without a status.
    pub(super) without_status: usize,
    pub(super) not_run: usize,
}

impl Tally {
    pub(super) fn new(tasks: usize) -> Self {
        Self { outcomes: vec![None; tasks], end: End::Complete, is_output_lost: false }
    }

    pub(super) fn ended(&mut self, task: usize, attempts: u32, report: Report) {
        self.outcomes[task] = Some(Outcome::Ended { attempts, report });
    }

    pub(super) fn not_run(&mut self, task: usize, why: NotRun) {
        self.outcomes[task] = Some(Outcome::NotRun(why));
    }

    pub(super) const fn timed_out(&mut self) {
        self.end = End::TimedOut;
    }

    pub(super) const fn interrupted_if(&mut self, is_interrupted: bool) {
        if is_interrupted {
            self.end = End::Interrupted;
        }
    }

    pub(super) const fn output_lost(&mut self) {
        self.is_output_lost = true;
    }

    /// Whether what came back could not be written.
    pub const fn is_output_lost(&self) -> bool {
        self.is_output_lost
    }

    /// How it ended as a whole.
    pub const fn end(&self) -> End {
        self.end
    }

    /// Whether every command ran and ended with 0.
    pub fn all_succeeded(&self) -> bool {
        self.counts().succeeded == self.outcomes.len()
    }

    /// The highest status; 255 for a task without one.
    pub fn worst(&self) -> u8 {
        let status = |outcome: &Option<Outcome>| match outcome {
            Some(Outcome::Ended { report, .. }) => *report.result.as_ref().unwrap_or(&u8::MAX),
            Some(Outcome::NotRun(_)) | None => u8::MAX,
        };
        self.outcomes.iter().map(status).max().unwrap_or_default()
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for outcome in &self.outcomes {
            *match outcome {
                Some(Outcome::Ended { report, .. }) => match report.result {
                    Ok(0) => &mut counts.succeeded,
                    Ok(_) => &mut counts.failed,
                    Err(_) => &mut counts.without_status,
                },
                Some(Outcome::NotRun(_)) | None => &mut counts.not_run,
            } += 1;
        }
        counts
    }

    /// Every task and how it went.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, Option<&Outcome>)> {
        self.outcomes.iter().map(Option::as_ref).enumerate()
    }
}
