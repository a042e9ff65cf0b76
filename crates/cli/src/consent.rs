//! Leave to act: given in advance by flags, or asked for step by step on a terminal.

use crate::args::{ConsentArgs, YesArgs};
use crate::error::Error;
use lastack_model::plan;
use std::io::{self, BufRead, IsTerminal, Write};

/// How leave is given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leave {
    /// Nothing is to be done.
    DryRun,
    /// By flags alone.
    Flags {
        /// Steps that stop nobody.
        yes: bool,
        /// Stopping the owner too.
        stop: bool,
        /// And killing it when it does not stop.
        kill: bool,
    },
    /// By asking the person at the terminal.
    Ask,
}

/// What to do with a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Take it.
    Go,
    /// The person said no.
    Declined,
    /// No flag allows it and nobody can be asked.
    NotAllowed,
}

impl Leave {
    /// From what was typed, and whether somebody can be asked. JSON is for programs, which cannot.
    pub fn of(args: &ConsentArgs, json: bool) -> Self {
        let stop = args.yes && (args.stop || args.kill);
        let flags = Self::Flags { yes: args.yes, stop, kill: args.yes && args.kill };
        Self::given(args.dry_run, json, flags)
    }

    /// The same where no program is ever stopped.
    pub fn of_yes(args: YesArgs, json: bool) -> Self {
        let YesArgs { dry_run, yes } = args;
        Self::given(dry_run, json, Self::Flags { yes, stop: false, kill: false })
    }

    fn given(dry_run: bool, json: bool, flags: Self) -> Self {
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal() && !json;
        match flags {
            _ if dry_run => Self::DryRun,
            Self::Flags { yes: false, .. } if terminal => Self::Ask,
            flags => flags,
        }
    }

    /// Whether this step may be taken; asks where that is how leave is given.
    pub fn to(self, step: &plan::Step, question: &str) -> Result<Answer, Error> {
        let allowed = |yes: bool| if yes { Answer::Go } else { Answer::NotAllowed };
        Ok(match (self, step.consent()) {
            (Self::DryRun, _) => Answer::NotAllowed,
            (Self::Flags { yes, .. }, plan::Consent::StopsNobody) => allowed(yes),
            (Self::Flags { stop, .. }, plan::Consent::StopsOwner) => allowed(stop),
            (Self::Ask, _) => ask(question)?,
        })
    }

    /// Whether every step has leave already. Half a plan is harm without use, so flags allow all of it or none.
    pub fn covers(self, steps: &[plan::Step]) -> bool {
        match self {
            Self::DryRun => false,
            Self::Ask => true,
            Self::Flags { yes, stop, .. } => steps.iter().all(|step| match step.consent() {
                plan::Consent::StopsNobody => yes,
                plan::Consent::StopsOwner => stop,
            }),
        }
    }

    /// Whether a program that ignores being told to end may be killed.
    pub fn to_kill(self, question: &str) -> Result<Answer, Error> {
        match self {
            Self::Flags { kill: true, .. } => Ok(Answer::Go),
            Self::DryRun | Self::Flags { .. } => Ok(Answer::NotAllowed),
            Self::Ask => ask(question),
        }
    }
}

/// Only a clear yes is one; the end of the input is a no.
fn ask(question: &str) -> Result<Answer, Error> {
    let failed = |cause: io::Error| Error::new(format!("failed to ask on the terminal: {cause}"));
    eprint!("{question} [y/N] ");
    io::stderr().flush().map_err(failed)?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line).map_err(failed)? == 0 {
        // Nobody pressed Enter: what follows begins a line of its own.
        eprintln!();
    }
    let answer = line.trim().to_ascii_lowercase();
    Ok(if answer == "y" || answer == "yes" { Answer::Go } else { Answer::Declined })
}
