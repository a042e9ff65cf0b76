//! Replacing a whole file at once: whoever reads it sees the old text or the new, never a part, also after a crash.
//!
//! The new text is on the disk before anything is replaced, so that a folder that cannot be written shows early.

use crate::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// New text for a file, written beside it and not yet in its place. Dropped, it leaves the file as it was.
#[derive(Debug)]
pub struct Replacement {
    target: PathBuf,
    beside: PathBuf,
}

/// A lock that other runs of this program wait for; released when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Replacement {
    /// Writes the text beside the file. A link is followed, so that it stays one.
    pub fn prepare(file: &Path, text: &str) -> Result<Self> {
        let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let mut name = target.file_name().unwrap_or_default().to_owned();
        // No reader of a configuration folder takes a file with this ending.
        name.push(format!(".{}.new", std::process::id()));
        let beside = target.with_file_name(name);
        let mode = fs::metadata(&target).map_or(0o644, |old| old.permissions().mode() & 0o7777);
        let replacement = Self { target, beside };
        let write = || {
            let mut new = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&replacement.beside)?;
            new.write_all(text.as_bytes())?;
            new.set_permissions(Permissions::from_mode(mode))?;
            new.sync_all()
        };
        write().map_err(|cause| failed("write", file, cause))?;
        Ok(replacement)
    }

    /// Puts it in the file's place.
    pub fn commit(self) -> Result<()> {
        let moved = fs::rename(&self.beside, &self.target).and_then(|()| sync_folder(&self.target));
        moved.map_err(|cause| failed("replace", &self.target, cause))
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After a commit there is nothing by that name.
        let _ = fs::remove_file(&self.beside);
    }
}

impl Lock {
    /// Makes the folder if need be, and waits until no other run has the lock in it.
    pub fn of_folder(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|cause| failed("make", folder, cause))?;
        let path = folder.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|cause| failed("write", &path, cause))?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|cause| failed("lock", &path, cause.into()))?;
        Ok(Self { _file: file })
    }
}

/// The text of a file; `None` when there is none.
pub fn read(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed("read", file, cause)),
    }
}

/// Removes a file, if there is one.
pub fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(failed("remove", file, cause)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_folder(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn failed(operation: &'static str, file: &Path, cause: io::Error) -> Error {
    let remedy = match cause.kind() {
        io::ErrorKind::PermissionDenied => Some("run as root, or name a folder of your own"),
        io::ErrorKind::NotFound => Some("the folder does not exist: make it, or name another"),
        io::ErrorKind::ReadOnlyFilesystem => Some("name a folder that can be written"),
        _ => None,
    };
    let error = Error::new(operation, file.display().to_string(), cause);
    match remedy {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test alone, removed when it is over.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("lastack-file-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a scratch folder");
            Self(path)
        }

        fn entries(&self) -> Vec<String> {
            let names = fs::read_dir(&self.0).expect("the folder").flatten();
            names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let folder = Folder::new("whole");
        let file = folder.0.join("settings.conf");
        fs::write(&file, "old\n").expect("a file");
        fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("a mode");
        let replacement = Replacement::prepare(&file, "new\n").expect("prepared");
        assert_eq!(
            read(&file).expect("read"),
            Some("old\n".into()),
            "not before it is put in place"
        );
        replacement.commit().expect("in place");
        assert_eq!(read(&file).expect("read"), Some("new\n".into()));
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o7777, 0o640);
        assert_eq!(folder.entries(), ["settings.conf"]);
    }

    #[test]
    fn a_replacement_that_is_dropped_leaves_nothing_behind() {
        let folder = Folder::new("dropped");
        let file = folder.0.join("settings.conf");
        drop(Replacement::prepare(&file, "new\n").expect("prepared"));
        assert_eq!(folder.entries(), Vec::<String>::new());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let missing = Path::new("/nonexistent/folder/settings.conf");
        let error = Replacement::prepare(missing, "new\n").expect_err("no folder").to_string();
        assert!(
            error.contains("/nonexistent/folder/settings.conf") && error.contains("make it"),
            "{error}"
        );
    }
}
