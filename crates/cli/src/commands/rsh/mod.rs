//! `lastack rsh -w HOSTS COMMAND`: a command on many hosts at once.
//!
//! What was typed is checked whole before anything is started. What happens is taken from the fan-out event by event and
//! handed to the report; signals are heard beside it, also while nobody reads what is written.

mod course;
mod signals;
mod wanted;
mod way;

use crate::args::{ExitRule, RshArgs, Via};
use crate::error::Error;
use crate::exit::Exit;
use crate::report::rsh::{self as report, Tally};
use lastack_os::open_files;
use lastack_rsh::ssh::Ssh;
use wanted::Job;

/// Runs it.
pub fn run(args: &RshArgs) -> Result<Exit, Error> {
    way::check(&args.way)?;
    let mut job = wanted::job(args)?;
    if args.dry_run {
        let first = match args.way.via {
            Via::Ssh => Ssh::command_line(&way::settings(&args.way, &job), &job.lists[0][0]),
            Via::Rsh => Vec::new(),
        };
        report::planned(&job.plan(args), args, &first)?;
        return Ok(Exit::Yes);
    }
    widen(&mut job, way::descriptors_each(args.way.via))?;
    let tally = way::run(job, args)?;
    Ok(exit(&tally, args.show.exit))
}

/// Files for as many at once, or fewer at once.
fn widen(job: &mut Job, each: u64) -> Result<(), Error> {
    let width = job.terms.width.min(job.lists.len()) as u64;
    let have = open_files::raise(width * each + FILES_BESIDE)?;
    let possible = have.saturating_sub(FILES_BESIDE) / each;
    if possible < width {
        job.terms.width = usize::try_from(possible).unwrap_or(usize::MAX).max(1);
        let width = job.terms.width;
        report::say(&format!(
            "{width} at once, not more: the hard limit is {have} open files (ulimit -Hn)"
        ));
    }
    Ok(())
}

fn exit(tally: &Tally, rule: ExitRule) -> Exit {
    match (tally.end(), rule) {
        (report::End::Interrupted, _) => Exit::Interrupted,
        (report::End::TimedOut, _) => Exit::TimedOut,
        (report::End::Complete, _) if tally.is_output_lost() => Exit::Partly,
        (report::End::Complete, ExitRule::Worst) => match tally.worst() {
            0 => Exit::Yes,
            status => Exit::Remote(status),
        },
        (report::End::Complete, ExitRule::Some) if tally.all_succeeded() => Exit::Yes,
        (report::End::Complete, ExitRule::Some) => Exit::Partly,
    }
}

/// Standard streams, the runtime's own, a folder's lock, listeners for call-backs.
const FILES_BESIDE: u64 = 64;
