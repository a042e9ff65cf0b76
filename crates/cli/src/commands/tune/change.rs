//! `lastack tune KEY=VALUE…`: shows what the changes would do; records, makes and verifies them if allowed.
//!
//! Every value is checked and every file opened before the first is written. When one write fails, those before it are
//! taken back.

use super::record::{Changed, Entry, Record};
use super::{Done, Look, Outcome, find, look, persist};
use crate::args::TuneArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::page::{self, Page};
use crate::report::tune::change::{self as report, Asked};
use crate::report::tune::json;
use crate::typed::quoted;
use lastack_model::tune::{self, Change, Invalid, Plan, Setting};
use lastack_os::act::sysctl;
use lastack_os::host;
use std::io::{self, BufRead, IsTerminal, Write};

/// Shows, and does what is allowed.
pub(super) fn run(args: &TuneArgs) -> Result<Exit, Error> {
    let look = look::look()?;
    let plan = planned(args, &look)?;
    let mut asked = Asked::Nobody;
    let attempt = match decide(args, &plan, &mut asked) {
        Some(done) => Ok(Outcome::new(done)),
        None => apply(args, &plan, &look),
    };
    let (outcome, failure) = match attempt {
        Ok(outcome) => (outcome, None),
        Err(Failure::AsItWas(error)) => (Outcome::new(Done::Failed), Some(error)),
        Err(Failure::Halfway(error)) => (Outcome::new(Done::Halfway), Some(error)),
    };
    let exit = outcome.exit();
    if args.output.json {
        let changes: Vec<json::Change> = plan.changes.iter().map(json::Change::of).collect();
        page::print(&json::line(&look, &[], &changes, Some(&outcome), exit))?;
    } else {
        let mut page = Page::of_terminal();
        report::write(&mut page, &plan, &outcome, asked, args, &command(&plan, args));
        page.print()?;
    }
    failure.map_or(Ok(exit), Err)
}

fn planned(args: &TuneArgs, look: &Look) -> Result<Plan, Error> {
    let mut requests: Vec<(&'static Setting, &str)> = Vec::new();
    for text in &args.settings {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let found = find(name.trim())?;
        let linux = found.iter().find(|row| row.sysctl().is_some()).or_else(|| found.first());
        requests.extend(linux.map(|row| (*row, value)));
    }
    tune::plan(&requests, &look.here).map_err(|Invalid(why)| Error::new(why))
}

/// What keeps the changes from being made, if anything does.
fn decide(args: &TuneArgs, plan: &Plan, asked: &mut Asked) -> Option<Done> {
    let needed = plan.changes.iter().any(Change::is_needed);
    let dangerous = plan.changes.iter().any(|change| !change.dangers.is_empty());
    if dangerous && !args.force {
        Some(Done::Refused)
    } else if args.dry_run {
        Some(Done::Shown)
    } else if !needed && !args.persist {
        Some(Done::Unchanged)
    } else if args.yes || confirmed(args, plan, asked) {
        None
    } else {
        Some(Done::Unconfirmed)
    }
}

/// Asks, where somebody can answer.
fn confirmed(args: &TuneArgs, plan: &Plan, asked: &mut Asked) -> bool {
    let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    if args.output.json || !is_terminal {
        return false;
    }
    *asked = Asked::Somebody;
    let mut page = Page::of_terminal();
    report::effects(&mut page, plan);
    let _ = page.print();
    anstream::eprint!("\nMake this change? [y/N] ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Checks, records, writes and verifies.
fn apply(args: &TuneArgs, plan: &Plan, look: &Look) -> Result<Outcome, Failure> {
    let needed: Vec<&Change> = plan.changes.iter().filter(|change| change.is_needed()).collect();
    for change in &needed {
        sysctl::check_writable(path(change)).map_err(|error| not_permitted(error, plan, args))?;
    }
    let mut record = Record::open(&args.state_dir)?;
    let prepare = || persist::prepare(&args.config_dir, &plan.changes);
    let prepared = args.persist.then(prepare).transpose()?;
    record.push(Entry {
        at_ms: host::now_ms(),
        boot: host::boot_id()?,
        namespace: look.namespace,
        values: needed.iter().map(|change| recorded(change)).collect(),
        persisted: prepared.as_ref().map(|prepared| prepared.persisted.clone()),
    })?;
    if let Err(failure) = set_all(&needed) {
        if matches!(failure, Failure::AsItWas(_)) {
            record.remove(record.entries().len() - 1)?;
        }
        return Err(failure);
    }
    let mut outcome = Outcome::new(Done::Applied);
    outcome.record = Some(record.path().to_owned());
    if let Some(prepared) = prepared {
        let file = prepared.persisted.file.clone();
        match prepared.commit() {
            Ok(()) => outcome.file = Some(file),
            Err(error) => {
                outcome.done = Done::NotPersisted;
                outcome.notes.push(error.to_string());
            }
        }
        outcome.notes.extend(persist::overruled(&args.config_dir, &plan.changes));
        if !host::is_first_namespace() {
            outcome.notes.push(
                "the file is read when the host starts, for its first network namespace and not for this one".into(),
            );
        }
    }
    Ok(outcome)
}

/// A change that failed, and what that left behind.
enum Failure {
    /// Nothing.
    AsItWas(Error),
    /// Values that could not be put back; the record still has what they were.
    Halfway(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::AsItWas(error.into())
    }
}

/// Sets one after the other; when one fails, those before it get their values back.
fn set_all(changes: &[&Change]) -> Result<(), Failure> {
    for (at, change) in changes.iter().enumerate() {
        let Err(error) = set(change) else { continue };
        let put_back = |done: &&Change| sysctl::write(path(done), &done.present.to_string()).err();
        let stuck: Vec<String> = changes[..=at]
            .iter()
            .rev()
            .filter_map(|done| put_back(done).map(|error| format!("; and failed to {error}")))
            .collect();
        if stuck.is_empty() {
            return Err(Failure::AsItWas(error));
        }
        return Err(Failure::Halfway(Error::new(format!("{error}{}", stuck.concat()))));
    }
    Ok(())
}

fn set(change: &Change) -> Result<(), Error> {
    let shown = sysctl::write(path(change), &change.wanted.to_string())?;
    let now = change.setting.format.read(&shown);
    if now == change.wanted {
        return Ok(());
    }
    let (name, wanted) = (change.setting.name, &change.wanted);
    Err(Error::new(format!(
        "failed to set {name}: {wanted} was written and the kernel shows {now}"
    )))
}

fn recorded(change: &Change) -> Changed {
    Changed {
        path: path(change).to_owned(),
        before: change.present.to_string(),
        after: change.wanted.to_string(),
    }
}

/// What is missing, and the command that has it.
fn not_permitted(error: lastack_os::Error, plan: &Plan, args: &TuneArgs) -> Error {
    let is_forbidden = error.cause().kind() == io::ErrorKind::PermissionDenied;
    let error = Error::from(error);
    if is_forbidden {
        Error::new(format!("{error}\n  sudo {}", command(plan, args)))
    } else {
        error
    }
}

/// The command that makes these changes without asking.
fn command(plan: &Plan, args: &TuneArgs) -> String {
    let mut command = "lastack tune".to_owned();
    for change in &plan.changes {
        let change = format!("{}={}", change.setting.name, change.wanted);
        command = format!("{command} {}", quoted(&change));
    }
    if args.persist {
        command.push_str(" --persist");
    }
    command.push_str(&args.folders());
    if args.force {
        command.push_str(" --force");
    }
    command + " --yes"
}

fn path(change: &Change) -> &'static str {
    // A change is of a sysctl: `plan` makes no other.
    change.setting.sysctl().map_or("", |(_, path, _)| path)
}
