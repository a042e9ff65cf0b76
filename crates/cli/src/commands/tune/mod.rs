//! `lastack tune`: shows the settings that touch how connections end, explains one, changes some, takes a change back.

mod change;
mod look;
mod persist;
mod record;
pub mod undo;

use crate::args::TuneArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::page::{self, Page};
use crate::report::tune as report;
use lastack_model::facts::Unseen;
use lastack_model::ids::NamespaceId;
use lastack_model::tune::{self, Here, Setting, System};
use serde::Serialize;
use std::path::PathBuf;

/// What was seen before anything was done.
#[derive(Debug)]
pub struct Look {
    /// The present values and counts.
    pub here: Here,
    /// The network namespace they are of.
    pub namespace: Option<NamespaceId>,
    /// When.
    pub taken_at_ms: u64,
    /// What could not be seen.
    pub unseen: Vec<Unseen>,
}

/// What came of a wish to change something.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// In one word.
    pub done: Done,
    /// The file in which the change is recorded.
    pub record: Option<PathBuf>,
    /// The configuration file that was written.
    pub file: Option<PathBuf>,
    /// What else is to be said.
    pub notes: Vec<String>,
}

/// What came of it, in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// Only shown, as was asked.
    Shown,
    /// Not done, for nobody said yes.
    Unconfirmed,
    /// Not done, for it is dangerous.
    Refused,
    /// Nothing to do: the values are there.
    Unchanged,
    /// Done, and verified.
    Applied,
    /// Values are set, and the configuration file could not be written.
    NotPersisted,
    /// Taken back, and verified.
    Undone,
    /// Not taken back, for somebody else changed a value since.
    Conflict,
    /// Nothing is recorded that could be taken back.
    NothingRecorded,
    /// It failed, and everything is as it was.
    Failed,
    /// It failed half way, and what was done could not be put back.
    Halfway,
}

impl Outcome {
    fn new(done: Done) -> Self {
        Self { done, record: None, file: None, notes: Vec::new() }
    }

    /// The exit code that it gives.
    pub const fn exit(&self) -> Exit {
        match self.done {
            Done::Shown | Done::Unchanged | Done::Applied | Done::Undone => Exit::Yes,
            Done::Unconfirmed
            | Done::Refused
            | Done::NotPersisted
            | Done::Conflict
            | Done::NothingRecorded => Exit::No,
            Done::Failed | Done::Halfway => Exit::Error,
        }
    }
}

/// Does what was asked.
pub fn run(args: &TuneArgs) -> Result<Exit, Error> {
    if args.undo {
        return undo::run(args);
    }
    let changes = args.settings.iter().filter(|text| text.contains('=')).count();
    if changes == 0 {
        return show(args);
    }
    if changes < args.settings.len() {
        return Err(Error::new(
            "some of these have a value and some have none (KEY explains a setting, KEY=VALUE without spaces changes it: ask for one \
             kind at a time)",
        ));
    }
    if args.os.is_some() {
        return Err(Error::new(
            "--os only shows what other systems have; nothing can be changed there",
        ));
    }
    change::run(args)
}

/// Shows all settings, or explains those that were named.
fn show(args: &TuneArgs) -> Result<Exit, Error> {
    for (given, option) in
        [(args.yes, "--yes"), (args.dry_run, "--dry-run"), (args.persist, "--persist")]
    {
        if given {
            return Err(Error::new(format!("{option} needs something to change (KEY=VALUE)")));
        }
    }
    let named: Vec<&'static Setting> = if args.settings.is_empty() {
        tune::all().filter(|row| asked_by_system(args, row)).collect()
    } else {
        let found: Result<Vec<_>, _> = args.settings.iter().map(|name| find(name)).collect();
        let found: Vec<_> = found?.into_iter().flatten().collect();
        match args.os {
            Some(os) => found.into_iter().filter(|row| os.includes(row.system)).collect(),
            None => found,
        }
    };
    if named.is_empty() {
        return Err(Error::new("that system has no such setting (see `lastack tune --os all`)"));
    }
    let look = look::look()?;
    if args.output.json {
        page::print(&report::json::line(&look, &named, &[], None, Exit::Yes))?;
        return Ok(Exit::Yes);
    }
    let mut page = Page::of_terminal();
    if args.settings.is_empty() {
        report::table::write(&mut page, &look, &named);
    } else {
        report::explain::write(&mut page, &look, &named);
    }
    page.print()?;
    Ok(Exit::Yes)
}

/// Without `--os`, the table is about the system at hand.
fn asked_by_system(args: &TuneArgs, row: &Setting) -> bool {
    args.os.map_or(row.system == System::Linux, |os| os.includes(row.system))
}

/// The settings of that name: several where systems share it.
fn find(name: &str) -> Result<Vec<&'static Setting>, Error> {
    let found = tune::named(name);
    if !found.is_empty() {
        return Ok(found);
    }
    let is_value = name.starts_with(|c: char| c.is_ascii_digit());
    let hint = match tune::nearest(name) {
        _ if is_value => "to change a setting write KEY=VALUE, without spaces".to_owned(),
        Some(near) => format!("did you mean {}?", near.name),
        None => "`lastack tune` lists those that touch how connections end".into(),
    };
    Err(Error::new(format!("{name:?} is not one of the settings ({hint})")))
}
