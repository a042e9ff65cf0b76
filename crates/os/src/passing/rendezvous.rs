//! A path in the file system where another process finds this one.
//!
//! The file is made with mode 0600 and removed when this process is done with it, unless somebody else has put another in
//! its place. One that a dead process left is replaced; nothing else is ever removed.

use super::channel::{self, Channel};
use crate::{Error, Result};
use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, fchmod, flock, openat};
use rustix::io::Errno;
use rustix::net::{self, SocketAddrUnix, SocketFlags};
use rustix::process::geteuid;
use std::fs::{self, Metadata};
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A Unix socket that listens at a path. Dropped, it is gone from there.
#[derive(Debug)]
pub struct Rendezvous {
    socket: OwnedFd,
    path: PathBuf,
    /// Device and inode of the file, by which it is known again.
    file: (u64, u64),
}

impl Rendezvous {
    /// Listens at this path.
    ///
    /// # Errors
    ///
    /// When somebody listens there already; when the path is taken by anything but a socket of this user that nobody
    /// listens at, which is left as it is; when others may replace files in the directory; and where the kernel refuses.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |cause: IoError| Error::new("open", path.display().to_string(), cause);
        let address = SocketAddrUnix::new(path).map_err(|cause| {
            failed(cause.into()).with_remedy("a path of at most 107 octets without a NUL")
        })?;
        let _alone = alone_in(path)?;
        let socket = channel::open().map_err(|cause| failed(cause.into()))?;
        // The file takes its mode from the socket (`unix_bind_bsd`): at no moment may others connect.
        fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(|cause| failed(cause.into()))?;
        match net::bind(&socket, &address) {
            Err(Errno::ADDRINUSE) => {
                remove_if_stale(path, &address)?;
                net::bind(&socket, &address).map_err(|cause| failed(cause.into()))?;
            }
            other => other.map_err(|cause| failed(cause.into()))?,
        }
        let file = fs::symlink_metadata(path).map(|file| identity(&file)).map_err(failed)?;
        let this = Self { socket, path: path.to_owned(), file };
        rustix::io::ioctl_fionbio(&this.socket, true).map_err(|cause| failed(cause.into()))?;
        net::listen(&this.socket, BACKLOG).map_err(|cause| failed(cause.into()))?;
        Ok(this)
    }

    /// Waits for somebody to come, at most until that moment.
    ///
    /// # Errors
    ///
    /// `TimedOut`, and where the kernel refuses.
    pub fn accept(&self, until: Instant) -> Result<Channel> {
        let failed = |cause: IoError| Error::new("wait at", self.path.display().to_string(), cause);
        loop {
            channel::wait(&self.socket, PollFlags::IN, until)
                .map_err(|cause| failed(cause.into()))?;
            match net::accept_with(&self.socket, SocketFlags::CLOEXEC) {
                Ok(socket) => return Channel::of(socket).map_err(failed),
                Err(Errno::INTR | Errno::CONNABORTED | Errno::AGAIN) => {}
                Err(cause) => return Err(failed(cause.into())),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for Rendezvous {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        let is_ours =
            fs::symlink_metadata(&self.path).is_ok_and(|file| identity(&file) == self.file);
        if is_ours {
            // Whoever finds it finds nobody there, and replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The directory, locked: two who find a stale file must not both remove what is there.
fn alone_in(path: &Path) -> Result<OwnedFd> {
    let directory = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    };
    let failed = |cause: IoError| Error::new("use", directory.display().to_string(), cause);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened =
        openat(CWD, directory, flags, Mode::empty()).map_err(|cause| failed(cause.into()))?;
    let stat = rustix::fs::fstat(&opened).map_err(|cause| failed(cause.into()))?;
    let is_trusted = stat.st_uid == 0 || stat.st_uid == geteuid().as_raw();
    let others_write = stat.st_mode & 0o022 != 0 && stat.st_mode & 0o1000 == 0;
    if !is_trusted || others_write {
        let cause = "others may replace files in this directory";
        let error = failed(IoError::new(ErrorKind::PermissionDenied, cause));
        return Err(error.with_remedy("choose one that only you may write to, such as below /run"));
    }
    // Held for some system calls, and nothing tells when it is free again.
    let until = Instant::now() + PATIENCE;
    loop {
        match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(opened),
            Err(Errno::AGAIN) if Instant::now() < until => std::thread::sleep(PAUSE),
            Err(Errno::AGAIN) => {
                let cause = "another process keeps the directory locked";
                return Err(failed(IoError::new(ErrorKind::ResourceBusy, cause)));
            }
            Err(cause) => return Err(failed(cause.into())),
        }
    }
}

/// Removes what a dead process of this user left, and nothing else.
fn remove_if_stale(path: &Path, address: &SocketAddrUnix) -> Result<()> {
    let refused = |cause: &str, remedy: &str| {
        let cause = IoError::new(ErrorKind::AddrInUse, cause);
        Err(Error::new("open", path.display().to_string(), cause).with_remedy(remedy))
    };
    let failed = |cause: IoError| Error::new("open", path.display().to_string(), cause);
    let file = match fs::symlink_metadata(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed)?,
    };
    if !file.file_type().is_socket() {
        return refused("there is a file that is no socket", "remove it, or choose another path");
    }
    if file.uid() != geteuid().as_raw() {
        return refused("there is a socket of another user", "choose another path");
    }
    let probe = channel::open().map_err(|cause| failed(cause.into()))?;
    rustix::io::ioctl_fionbio(&probe, true).map_err(|cause| failed(cause.into()))?;
    match net::connect(&probe, address) {
        Err(Errno::CONNREFUSED) => match fs::remove_file(path) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => Err(failed(cause)),
            Ok(()) | Err(_) => Ok(()),
        },
        Err(Errno::NOENT) => Ok(()),
        _ => refused("another process listens there", "end it, or choose another path"),
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

const BACKLOG: i32 = 16;
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);
