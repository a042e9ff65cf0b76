//! The record of changes, from which they are taken back: written and on the disk before anything is changed.

use crate::error::Error;
use lastack_model::ids::NamespaceId;
use lastack_os::act::file::{self, Lock, Replacement};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file, locked for as long as it is open.
#[derive(Debug)]
pub(super) struct Record {
    file: PathBuf,
    log: Log,
    _lock: Lock,
}

/// What stands in the file.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Log {
    schema: String,
    entries: Vec<Entry>,
}

/// One command's changes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Entry {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// In which run of the kernel.
    pub boot: String,
    /// In which network namespace.
    pub namespace: Option<NamespaceId>,
    /// The values set, in order.
    pub values: Vec<Changed>,
    /// The configuration file that was written with them.
    pub persisted: Option<Persisted>,
}

/// One value that was set.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Changed {
    /// The setting, below `/proc/sys`.
    pub path: String,
    /// What it was.
    pub before: String,
    /// What it was set to.
    pub after: String,
}

/// Lines in a configuration file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Persisted {
    /// The file.
    pub file: PathBuf,
    /// The lines.
    pub lines: Vec<Line>,
}

/// One line of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Line {
    /// The setting, with dots.
    pub name: String,
    /// What the file set it to before, if it did.
    pub before: Option<String>,
    /// What it sets it to now.
    pub after: String,
}

impl Record {
    /// Opens the record in a folder, which is made if need be.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let lock = Lock::of_folder(folder)?;
        let file = folder.join(NAME);
        let log = match file::read(&file)? {
            None => Log::default(),
            Some(text) => serde_json::from_str::<Log>(&text)
                .map_err(|cause| unreadable(&file, &cause.to_string()))
                .and_then(|log| match log.schema.as_str() {
                    SCHEMA => Ok(log),
                    other => Err(unreadable(&file, &format!("its schema is {other:?}"))),
                })?,
        };
        Ok(Self { file, log, _lock: lock })
    }

    /// Whether there is one in a folder, without making it.
    pub(super) fn exists(folder: &Path) -> bool {
        folder.join(NAME).exists()
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// The entries, oldest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.log.entries
    }

    /// Adds an entry; it is on the disk when this returns.
    pub(super) fn push(&mut self, entry: Entry) -> Result<(), Error> {
        self.log.entries.push(entry);
        self.save()
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, at: usize) -> Result<(), Error> {
        self.log.entries.remove(at);
        if self.log.entries.is_empty() {
            return Ok(file::remove(&self.file)?);
        }
        self.save()
    }

    fn save(&mut self) -> Result<(), Error> {
        SCHEMA.clone_into(&mut self.log.schema);
        let text = serde_json::to_string_pretty(&self.log)
            .map_err(|cause| unreadable(&self.file, &cause.to_string()))?;
        Ok(Replacement::prepare(&self.file, &(text + "\n"))?.commit()?)
    }
}

fn unreadable(file: &Path, cause: &str) -> Error {
    let name = file.display();
    Error::new(format!(
        "failed to read {name}: {cause} (move it away, or name another --state-dir)"
    ))
}

const NAME: &str = "tune-undo.json";
const SCHEMA: &str = "lastack.tune-undo/1";
