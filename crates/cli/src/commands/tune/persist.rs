//! The configuration file that sets values at the next start, merged with what stands in it.

use super::record::{Line, Persisted};
use crate::error::Error;
use lastack_model::tune::{Change, Conf};
use lastack_os::act::file::{self, Replacement};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// New text for the file, not yet in its place, and what is to be recorded of it.
#[derive(Debug)]
pub(super) struct Prepared {
    replacement: Replacement,
    pub(super) persisted: Persisted,
}

impl Prepared {
    /// Puts it in the file's place.
    pub(super) fn commit(self) -> Result<(), Error> {
        Ok(self.replacement.commit()?)
    }
}

/// Merges the values into the file of the folder.
pub(super) fn prepare(folder: &Path, changes: &[Change]) -> Result<Prepared, Error> {
    let file = folder.join(NAME);
    let mut conf = Conf::parse(&file::read(&file)?.unwrap_or_default());
    let mut lines = Vec::new();
    for change in changes {
        let (name, after) = (change.setting.full_name(), change.wanted.to_string());
        let before = conf.value(&name).map(str::to_owned);
        conf.set(&name, &after);
        lines.push(Line { name, before, after });
    }
    let replacement = Replacement::prepare(&file, &conf.text())?;
    Ok(Prepared { replacement, persisted: Persisted { file, lines } })
}

/// Takes the lines out of the file again, where they still say what was written. Returns what was changed since.
pub(super) fn take_back(persisted: &Persisted, force: bool) -> Result<TakeBack, Error> {
    let Some(text) = file::read(&persisted.file)? else {
        return Ok(TakeBack { changed_since: Vec::new(), step: Step::Nothing });
    };
    let mut conf = Conf::parse(&text);
    let mut changed_since = Vec::new();
    for line in &persisted.lines {
        let now = conf.value(&line.name);
        if now == line.before.as_deref() {
            continue;
        }
        if now != Some(&line.after) {
            changed_since.push(format!(
                "{} is {} in {} now, and {} was written",
                line.name,
                now.map_or_else(|| "not set".into(), |value| format!("set to {value}")),
                persisted.file.display(),
                line.after
            ));
            if !force {
                continue;
            }
        }
        match &line.before {
            Some(before) => conf.set(&line.name, before),
            None => conf.remove(&line.name),
        }
    }
    let step = if conf.text() == text {
        Step::Nothing
    } else if conf.is_spent() {
        Step::Remove(persisted.file.clone())
    } else {
        Step::Replace(Replacement::prepare(&persisted.file, &conf.text())?)
    };
    Ok(TakeBack { changed_since, step })
}

/// What taking the lines back means.
#[derive(Debug)]
pub(super) struct TakeBack {
    pub(super) changed_since: Vec<String>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Nothing,
    Remove(PathBuf),
    Replace(Replacement),
}

impl TakeBack {
    /// Does it.
    pub(super) fn commit(self) -> Result<(), Error> {
        match self.step {
            Step::Nothing => Ok(()),
            Step::Remove(file) => Ok(file::remove(&file)?),
            Step::Replace(replacement) => Ok(replacement.commit()?),
        }
    }
}

/// Files that are read after ours and set another value: they win at the next start.
pub(super) fn overruled(folder: &Path, changes: &[Change]) -> Vec<String> {
    let mut later = Vec::new();
    for folder in [folder, Path::new("/run/sysctl.d"), Path::new("/usr/lib/sysctl.d")] {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            if path.extension().is_some_and(|ending| ending == "conf")
                && name.as_os_str() > OsStr::new(NAME)
            {
                later.push(path);
            }
        }
    }
    if folder == Path::new("/etc/sysctl.d") {
        later.push("/etc/sysctl.conf".into());
    }
    let mut notes = Vec::new();
    for file in later {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let conf = Conf::parse(&text);
        for change in changes {
            let name = change.setting.full_name();
            if let Some(value) =
                conf.value(&name).filter(|value| *value != change.wanted.to_string())
            {
                notes.push(format!(
                    "{} sets {name} to {value} and is read later: it wins at the next start",
                    file.display()
                ));
            }
        }
    }
    notes
}

const NAME: &str = "90-lastack.conf";
