//! A private folder for sockets and named pipes: mode 0700, one's own, and with a short path, for a Unix socket's is at
//! most 107 octets long.
//!
//! A run holds a lock on its folder for as long as it lives. So what a killed run left behind is told apart from what
//! another one uses, and the next run removes it.

use lastack_os::{Error, Result};
use rustix::fs::{FileType, FlockOperation, Mode, flock, mknodat};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The folder of this run; gone when dropped.
#[derive(Debug)]
pub(super) struct Folder {
    base: PathBuf,
    own: PathBuf,
    _lock: File,
}

/// A named pipe; gone when dropped.
#[derive(Debug)]
pub(super) struct NamedPipe(PathBuf);

impl Folder {
    /// Makes it below `XDG_RUNTIME_DIR`, else below `/tmp`.
    pub(super) fn new() -> Result<Self> {
        let uid = rustix::process::geteuid();
        let of_user = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let of_user = of_user.filter(|path| path.is_absolute() && path.is_dir());
        let base = of_user.map(|path| path.join("lastack-rsh")).filter(|path| fits(path));
        Self::below(base.unwrap_or_else(|| format!("/tmp/lastack-rsh-{uid}").into()))
    }

    fn below(base: PathBuf) -> Result<Self> {
        private(&base)?;
        remove_abandoned(&base);
        for number in 0.. {
            let own = base.join(format!("{}-{number}", std::process::id()));
            match DirBuilder::new().mode(PRIVATE).create(&own) {
                Ok(()) => {}
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(cause) => return Err(Error::new("make", own.display().to_string(), cause)),
            }
            // Between these two another run may have taken it for abandoned.
            let Some(lock) = locked(&own) else { continue };
            if own.is_dir() {
                let folder = Self { base, own, _lock: lock };
                private(&folder.masters())?;
                return Ok(folder);
            }
        }
        unreachable!("numbers do not end")
    }

    /// Where the masters of this run have their sockets.
    pub(super) fn masters(&self) -> PathBuf {
        self.own.join("m")
    }

    /// Where masters have theirs that outlive the run.
    pub(super) fn lasting_masters(&self) -> io::Result<PathBuf> {
        let path = self.base.join("m");
        private(&path).map_err(io::Error::other)?;
        Ok(path)
    }

    /// A named pipe of its own for each number.
    pub(super) fn named_pipe(&self, number: u64) -> io::Result<NamedPipe> {
        let path = self.own.join(format!("log-{number}"));
        mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        Ok(NamedPipe(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.own);
    }
}

impl NamedPipe {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for NamedPipe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes a folder that nobody else may enter, or makes sure that it is one: in `/tmp` somebody else may have been first.
fn private(path: &Path) -> Result<()> {
    let named = || path.display().to_string();
    match DirBuilder::new().mode(PRIVATE).create(path) {
        Ok(()) => return Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
        Err(cause) => return Err(Error::new("make", named(), cause)),
    }
    let found =
        fs::symlink_metadata(path).map_err(|cause| Error::new("look at", named(), cause))?;
    let is_ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    if is_ours && found.mode() & 0o777 == PRIVATE {
        return Ok(());
    }
    let cause = io::Error::other("it is not a folder of one's own with mode 0700");
    Err(Error::new("use", named(), cause).with_remedy("remove it, or set XDG_RUNTIME_DIR"))
}

/// Removes what runs left behind that were killed.
fn remove_abandoned(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_run = name.to_str().is_some_and(|name| {
            name.contains('-') && name.bytes().all(|octet| octet.is_ascii_digit() || octet == b'-')
        });
        if is_run && let Some(_lock) = locked(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The lock of a folder, if nobody has it.
fn locked(path: &Path) -> Option<File> {
    let folder = File::open(path).ok()?;
    flock(&folder, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(folder)
}

/// Whether a socket below it has a path that the system takes: behind the folder stand the run's name, a hash of 40
/// digits and, while ssh makes it, 17 characters more.
fn fits(base: &Path) -> bool {
    base.as_os_str().len() + "/4194304-0/m/".len() + 40 + 17 < 108
}

const PRIVATE: u32 = 0o700;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("lastack-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).expect("a scratch folder");
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_folder_is_private_and_goes_with_its_run() {
        let scratch = Scratch::new("folder");
        let base = scratch.0.join("base");
        let folder = Folder::below(base.clone()).expect("a folder");
        let second = Folder::below(base.clone()).expect("another in the same process");
        assert_ne!(folder.own, second.own);
        for path in [&base, &folder.own, &folder.masters()] {
            let mode = fs::metadata(path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
        let pipe = folder.named_pipe(7).expect("a pipe");
        assert!(pipe.path().exists());
        drop(pipe);
        let own = folder.own.clone();
        drop(folder);
        assert!(!own.exists() && second.own.exists());
    }

    #[test]
    fn what_a_killed_run_left_behind_is_removed_and_nothing_else() {
        let scratch = Scratch::new("abandoned");
        let base = scratch.0.join("base");
        let living = Folder::below(base.clone()).expect("a folder");
        let dead = base.join("1-0");
        fs::create_dir(&dead).expect("a folder without a lock");
        let masters = living.lasting_masters().expect("a folder");
        let second = Folder::below(base).expect("another");
        assert!(!dead.exists());
        assert!(living.own.exists() && second.own.exists() && masters.exists());
    }

    #[test]
    fn a_folder_that_others_may_enter_or_that_is_a_link_is_refused() {
        let scratch = Scratch::new("refused");
        let open = scratch.0.join("open");
        fs::create_dir(&open).expect("a folder");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).expect("its mode");
        let link = scratch.0.join("link");
        symlink("/root", &link).expect("a link");
        for path in [open, link] {
            let error = Folder::below(path).expect_err("not private").to_string();
            assert!(error.contains("mode 0700") && error.contains("XDG_RUNTIME_DIR"), "{error}");
        }
    }

    #[test]
    fn long_paths_are_left_to_those_who_have_short_ones() {
        assert!(fits(Path::new("/run/user/4294967295/lastack-rsh")));
        assert!(!fits(Path::new(
            "/a/very/long/path/that/somebody/chose/for/runtime/files/lastack-rsh"
        )));
    }
}
