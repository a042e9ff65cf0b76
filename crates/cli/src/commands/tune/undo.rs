//! `lastack tune --undo`: takes the last recorded change of this network namespace back, if nobody changed it since.

use super::record::{Changed, Entry, Record};
use super::{Done, Outcome, look, persist};
use crate::args::TuneArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::page::{self, Page};
use crate::report::tune::{json, undo as report};
use lastack_model::ids::NamespaceId;
use lastack_model::tune::{self, Recorded, Setting, Undo, Value};
use lastack_os::act::sysctl;
use lastack_os::host;

/// One value to take back.
#[derive(Debug)]
pub struct Restore {
    /// The setting.
    pub setting: &'static Setting,
    /// What it is.
    pub present: Value,
    /// What it was before the change.
    pub before: Value,
    /// What it was set to.
    pub after: Value,
    /// What that means.
    pub undo: Undo,
}

/// Takes it back, or says why not.
pub(super) fn run(args: &TuneArgs) -> Result<Exit, Error> {
    let (restores, outcome) = attempt(args)?;
    let exit = outcome.exit();
    if args.output.json {
        let look = look::look()?;
        let changes: Vec<json::Change> = restores.iter().map(json::Change::back).collect();
        page::print(&json::line(&look, &[], &changes, Some(&outcome), exit))?;
    } else {
        let mut page = Page::of_terminal();
        report::write(&mut page, &restores, &outcome, args);
        page.print()?;
    }
    Ok(exit)
}

fn attempt(args: &TuneArgs) -> Result<(Vec<Restore>, Outcome), Error> {
    if !Record::exists(&args.state_dir) {
        return Ok((Vec::new(), Outcome::new(Done::NothingRecorded)));
    }
    let mut record = Record::open(&args.state_dir)?;
    let (boot, namespace) = (host::boot_id()?, host::own_namespace().ok());
    let Some(at) = last_of(record.entries(), &boot, namespace) else {
        let mut outcome = Outcome::new(Done::NothingRecorded);
        let others = record.entries().len();
        outcome.notes.push(format!("{others} recorded for other network namespaces: ask there"));
        return Ok((Vec::new(), outcome));
    };
    let entry = record.entries()[at].clone();
    let restores = restores(&entry.values)?;
    let file =
        entry.persisted.as_ref().map(|lines| persist::take_back(lines, args.force)).transpose()?;
    let conflicts = conflicts(&restores, &entry, &boot, file.as_ref());
    let mut outcome = Outcome::new(Done::Undone);
    outcome.notes.extend(conflicts.iter().cloned());
    if !conflicts.is_empty() && !args.force {
        outcome.done = Done::Conflict;
        return Ok((restores, outcome));
    }
    if args.dry_run {
        outcome.done = Done::Shown;
        return Ok((restores, outcome));
    }
    put_back(&restores)?;
    if let (Some(file), Some(persisted)) = (file, &entry.persisted) {
        file.commit()?;
        outcome.file = Some(persisted.file.clone());
    }
    record.remove(at)?;
    let left = record.entries().len();
    if left > 0 {
        outcome.notes.push(format!("{left} earlier or elsewhere recorded, not taken back"));
        outcome.record = Some(record.path().to_owned());
    }
    Ok((restores, outcome))
}

/// The last change of this namespace; after a restart of the host, namespaces cannot be told apart.
fn last_of(entries: &[Entry], boot: &str, namespace: Option<NamespaceId>) -> Option<usize> {
    entries.iter().rposition(|entry| entry.boot != boot || entry.namespace == namespace)
}

/// In the opposite order of the changes.
fn restores(values: &[Changed]) -> Result<Vec<Restore>, Error> {
    values.iter().rev().map(restore).collect()
}

fn restore(changed: &Changed) -> Result<Restore, Error> {
    let path = &changed.path;
    let known = tune::all().find(|row| row.sysctl().is_some_and(|(_, known, _)| known == path));
    let setting = known.ok_or_else(|| {
        Error::new(format!("the record names {path}, which is no setting of ours"))
    })?;
    let text = sysctl::read(path)?
        .ok_or_else(|| Error::new(format!("{} is not in this network namespace", setting.name)))?;
    let present = setting.format.read(&text);
    let before = setting.format.read(&changed.before);
    let after = setting.format.read(&changed.after);
    let undo = tune::undo(&Recorded { before: before.clone(), after: after.clone() }, &present);
    Ok(Restore { setting, present, before, after, undo })
}

fn conflicts(
    restores: &[Restore],
    entry: &Entry,
    boot: &str,
    file: Option<&persist::TakeBack>,
) -> Vec<String> {
    let restarted = if entry.boot == boot { "" } else { " (the host was started again since)" };
    let changed = restores.iter().filter(|restore| restore.undo == Undo::ChangedSince);
    let mut said: Vec<String> = changed
        .map(|restore| {
            format!(
                "{} is {} now, and {} was set: somebody else changed it{restarted}",
                restore.setting.name, restore.present, restore.after
            )
        })
        .collect();
    said.extend(file.iter().flat_map(|file| file.changed_since.iter().cloned()));
    said
}

fn put_back(restores: &[Restore]) -> Result<(), Error> {
    let due = || restores.iter().filter(|restore| restore.undo != Undo::AlreadyBack);
    let path = |restore: &Restore| restore.setting.sysctl().map_or("", |(_, path, _)| path);
    for restore in due() {
        sysctl::check_writable(path(restore))?;
    }
    for restore in due() {
        let shown = sysctl::write(path(restore), &restore.before.to_string())?;
        let now = restore.setting.format.read(&shown);
        if now != restore.before {
            let (name, before) = (restore.setting.name, &restore.before);
            return Err(Error::new(format!(
                "failed to set {name}: {before} was written and the kernel shows {now} (what was put back before it stays)"
            )));
        }
    }
    Ok(())
}
