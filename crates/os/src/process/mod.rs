//! Who a process is, from `/proc`.
//!
//! A pid may be given to another process at any time, so a description is kept only if the start time is the same before
//! and after it was read.

mod cgroup;
mod handle;
mod program;
mod status;

pub use cgroup::{cgroup_path, parse_cgroup, parse_group, service_of_path};
pub use handle::{Ended, Handle};
pub use program::find_program;
pub use status::{Credentials, Stat, parse_credentials, parse_stat};

use crate::{Error, Result, supervisor, sys};
use lastack_model::facts::{Ancestor, Process, Service};
use lastack_model::ids::{Pid, Uid};
use rustix::process::{PidfdFlags, pidfd_open};
use std::fs;
use std::path::Path;

/// The capabilities that matter here, by their numbers (`include/uapi/linux/capability.h`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Capability {
    /// May signal processes of any user.
    Kill = 5,
    /// May bind ports below `ip_unprivileged_port_start`.
    NetBindService = 10,
    /// May destroy sockets.
    NetAdmin = 12,
    /// May look into every process.
    SysPtrace = 19,
}

/// Every process that is visible here.
pub fn all() -> Result<Vec<Pid>> {
    let entries = fs::read_dir("/proc").map_err(|cause| Error::new("list", "/proc", cause))?;
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.map(Pid).collect())
}

/// What is known of a process, or `None` when it is gone.
pub fn describe(pid: Pid) -> Option<Process> {
    let before = stat(pid)?;
    let service = service(pid);
    let ancestors = ancestors(before.parent);
    let supervisor = supervisor::of(pid, &ancestors, service.as_ref(), Path::new("/"));
    let uid = Uid(credentials(pid).ok()?.uid);
    let process = Process {
        pid,
        name: before.name.clone(),
        command: command(pid),
        directory: fs::read_link(entry(pid, "cwd")).ok().map(|path| path.display().to_string()),
        started_at_ms: started_at_ms(before.start_ticks),
        start_ticks: before.start_ticks,
        uid,
        user: user_name(uid),
        service,
        ancestors,
        supervisor,
    };
    (stat(pid)?.start_ticks == before.start_ticks).then_some(process)
}

/// Lets the sockets that the calling thread makes or accepts from now on carry this uid, all rights of the network kind
/// kept (`setfsuid`; `sock_alloc` takes the filesystem uid). Other threads are not touched.
pub fn own_sockets_as(uid: Uid) -> Result<()> {
    sys::set_thread_filesystem_user(uid.0).map_err(|cause| {
        Error::new("own", format!("sockets as uid {uid}"), cause)
            .with_remedy("needs CAP_SETUID: run as root")
    })
}

/// Lets a command be sent `SIGTERM` when the thread that starts it is gone: so no child is left behind by a process that
/// was killed. Children of the command do not inherit this (prctl(2)).
pub fn die_with_us(command: &mut std::process::Command) {
    sys::process::die_with_parent(command, libc::SIGTERM);
}

/// The users and capabilities of a process.
pub fn credentials(pid: Pid) -> Result<Credentials> {
    read_credentials(&entry(pid, "status"))
}

/// The users and capabilities of the calling thread.
pub fn own_credentials() -> Result<Credentials> {
    read_credentials("/proc/thread-self/status")
}

/// The number that stands for the calling process and for no other until the next boot: the inode of its pidfd
/// (`pidfd_inode`, Linux 6.9). `None` where pidfds have no inodes of their own.
pub fn own_pidfd_id() -> Option<u64> {
    let pidfd = pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).ok()?;
    let is_pidfs = rustix::fs::fstatfs(&pidfd).ok()?.f_type == PID_FS;
    is_pidfs.then(|| rustix::fs::fstat(&pidfd).ok().map(|file| file.st_ino))?
}

/// The line of `/proc/PID/stat`.
pub fn stat(pid: Pid) -> Option<Stat> {
    parse_stat(&fs::read_to_string(entry(pid, "stat")).ok()?)
}

/// The name of a user, from `/etc/passwd` alone.
pub fn user_name(uid: Uid) -> Option<String> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid.0)).then(|| name.to_owned())
    })
}

/// The number of a user, from `/etc/passwd` alone.
pub fn user_number(name: &str) -> Option<Uid> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok().map(Uid))?
    })
}

/// The path of one of a process's entries.
pub(crate) fn entry(pid: Pid, name: &str) -> String {
    format!("/proc/{pid}/{name}")
}

fn read_credentials(path: &str) -> Result<Credentials> {
    let text = fs::read_to_string(path).map_err(|cause| Error::new("read", path, cause))?;
    parse_credentials(&text).ok_or_else(|| {
        let cause = std::io::Error::new(std::io::ErrorKind::InvalidData, "unexpected form");
        Error::new("read", path, cause)
    })
}

fn service(pid: Pid) -> Option<Service> {
    parse_cgroup(&fs::read_to_string(entry(pid, "cgroup")).ok()?)
}

fn command(pid: Pid) -> Vec<String> {
    let bytes = fs::read(entry(pid, "cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end_matches('\0').split('\0').filter(|_| !bytes.is_empty()).map(Into::into).collect()
}

fn ancestors(parent: Pid) -> Vec<Ancestor> {
    let mut found: Vec<Ancestor> = Vec::new();
    let mut next = parent;
    while next.0 != 0 && found.len() < ANCESTORS && found.iter().all(|known| known.pid != next) {
        let Some(stat) = stat(next) else { break };
        found.push(Ancestor { pid: next, name: stat.name });
        next = stat.parent;
    }
    found
}

/// Start times are counted from boot; the wall clock at boot is `btime`.
fn started_at_ms(start_ticks: u64) -> u64 {
    let boot_s = fs::read_to_string("/proc/stat")
        .ok()
        .and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("btime ")?.parse::<u64>().ok())
        })
        .unwrap_or_default();
    let ticks_per_s = rustix::param::clock_ticks_per_second().max(1);
    boot_s * 1000 + start_ticks.saturating_mul(1000) / ticks_per_s
}

/// `PID_FS_MAGIC` (`include/uapi/linux/magic.h`).
const PID_FS: rustix::fs::FsWord = 0x5049_4446;

/// Deeper chains than this say nothing more.
const ANCESTORS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_described_with_its_command_line_and_parents() {
        let own = Pid(std::process::id());
        let process = describe(own).expect("own description");
        assert_eq!(process.command.first(), std::env::args().next().as_ref());
        assert!(!process.ancestors.is_empty());
        let age = crate::host::now_ms().abs_diff(process.started_at_ms);
        assert!(age < 3_600_000, "started {age} ms from now");
    }

    #[test]
    fn the_number_of_this_process_stays_the_same_where_there_is_one() {
        let first = own_pidfd_id();
        assert_eq!(first, own_pidfd_id());
        assert_ne!(first, Some(0));
    }

    #[test]
    fn a_pid_that_nobody_has_is_gone() {
        assert!(describe(Pid(u32::MAX)).is_none());
    }
}
