//! A listener taken out of a running process: a duplicate of its descriptor (`pidfd_getfd`, Linux 5.6).
//!
//! The process notices nothing and goes on accepting; both have the same socket, with one queue and one set of options
//! and file flags. Needs the right to trace the process.

use super::{Examined, examine};
use crate::process::{self, Ended, Handle};
use crate::{Error, Result, holders, namespace};
use lastack_model::facts::Transport;
use lastack_model::ids::{Inode, Pid, Port};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use std::io::{Error as IoError, ErrorKind};
use std::net::{SocketAddr, TcpListener};

/// Duplicates the listeners that a process has at this address, in its own network namespace: one, or all that it has of
/// a `SO_REUSEPORT` group.
///
/// `0.0.0.0` or `[::]` also means whatever single address the process listens on at that port.
///
/// # Errors
///
/// When the process is gone or has no such listener, when a wildcard fits listeners at several addresses, and when the
/// process may not be traced (`ptrace_may_access`: another user, lowered rights, Yama).
pub fn take_from(pid: Pid, address: SocketAddr) -> Result<Vec<TcpListener>> {
    let target = Target { pid, address };
    let gone = || target.failed(IoError::new(ErrorKind::NotFound, "no such process"));
    let process = process::describe(pid).ok_or_else(gone)?;
    // From here on the handle means this very process, whatever becomes of its pid.
    let handle = Handle::of(&process)?.ok_or_else(gone)?;
    let numbers = target.descriptors()?;
    let taken: Result<Vec<_>> = numbers
        .into_iter()
        .map(|(number, inode)| target.duplicate(&handle, number, inode))
        .collect();
    if handle.ended() == Ended::Yes { Err(gone()) } else { taken }
}

/// What is wanted.
struct Target {
    pid: Pid,
    address: SocketAddr,
}

impl Target {
    /// The descriptors of the wanted listeners, with the sockets that they must be.
    fn descriptors(&self) -> Result<Vec<(i32, Inode)>> {
        let port = Port(self.address.port());
        let listeners = namespace::listeners_from_proc(self.pid, Transport::Tcp, port)?;
        let known: Vec<(Inode, SocketAddr)> =
            listeners.iter().filter_map(|it| Some((it.inode?, it.local))).collect();
        let inodes: Vec<Inode> = known.iter().map(|(inode, _)| *inode).collect();
        let held = holders::numbers(self.pid, &inodes).map_err(|cause| self.not_traced(cause))?;
        let mut found: Vec<(i32, Inode, SocketAddr)> = held
            .into_iter()
            .filter_map(|(number, inode)| {
                let at = known.iter().find(|(other, _)| *other == inode)?.1;
                Some((number, inode, at))
            })
            .collect();
        if found.iter().any(|(.., at)| *at == self.address) {
            found.retain(|(.., at)| *at == self.address);
        } else if !self.address.ip().is_unspecified() {
            found.clear();
        }
        self.require_one_address(&found)?;
        Ok(found.into_iter().map(|(number, inode, _)| (number, inode)).collect())
    }

    fn require_one_address(&self, found: &[(i32, Inode, SocketAddr)]) -> Result<()> {
        let mut addresses: Vec<String> = found.iter().map(|(.., at)| at.to_string()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        match addresses.as_slice() {
            [_] => Ok(()),
            [] => {
                let cause = IoError::new(ErrorKind::NotFound, "it does not listen there");
                let remedy =
                    format!("`ss -ltnp` in its network namespace shows what pid {} has", self.pid);
                Err(self.failed(cause).with_remedy(remedy))
            }
            several => {
                let cause = format!("it listens on {}", several.join(" and "));
                let cause = IoError::new(ErrorKind::InvalidInput, cause);
                Err(self.failed(cause).with_remedy("name one of them"))
            }
        }
    }

    /// The number was read before the duplicate was made, and may mean another file since.
    fn duplicate(&self, handle: &Handle, number: i32, inode: Inode) -> Result<TcpListener> {
        let socket: OwnedFd = pidfd_getfd(handle, number, PidfdGetfdFlags::empty())
            .map_err(|cause| self.not_traced(cause))?;
        let failed = |cause: IoError| self.failed(cause);
        let is_same =
            rustix::fs::fstat(&socket).map_err(|cause| failed(cause.into()))?.st_ino == inode.0;
        match examine(&socket).map_err(failed)? {
            Examined::Listener(_) if is_same => Ok(socket.into()),
            Examined::Listener(_) | Examined::Other(_) => Err(failed(Errno::STALE.into())),
        }
    }

    fn failed(&self, cause: impl Into<IoError>) -> Error {
        Error::new("take", format!("the listener at {} of pid {}", self.address, self.pid), cause)
    }

    fn not_traced(&self, cause: Errno) -> Error {
        let error = self.failed(cause);
        match cause {
            Errno::PERM | Errno::ACCESS => error.with_remedy(remedy(yama().as_deref())),
            Errno::NOSYS => error.with_remedy("needs Linux 5.6"),
            _ => error,
        }
    }
}

/// `kernel.yama.ptrace_scope`, where that module is in the kernel.
fn yama() -> Option<String> {
    std::fs::read_to_string(YAMA).ok().map(|text| text.trim().to_owned())
}

/// What gives the right to trace (`__ptrace_may_access`, `yama_ptrace_access_check`).
fn remedy(yama: Option<&str>) -> String {
    let rights = "needs the right to trace it: run as its user, if it has not changed users, or with CAP_SYS_PTRACE";
    match yama {
        None | Some("0") => rights.into(),
        Some("1") => format!("{rights}; {YAMA} is 1, which leaves its own user only descendants"),
        Some("2") => format!("needs CAP_SYS_PTRACE: {YAMA} is 2"),
        Some(scope) => format!("nobody may until the next boot: {YAMA} is {scope}"),
    }
}

const YAMA: &str = "/proc/sys/kernel/yama/ptrace_scope";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_names_yama_where_it_decides() {
        assert!(!remedy(None).contains("yama"));
        assert!(remedy(Some("1")).contains("descendants"));
        assert!(remedy(Some("2")).starts_with("needs CAP_SYS_PTRACE"));
        assert!(remedy(Some("3")).starts_with("nobody"));
    }

    #[test]
    fn a_process_that_is_gone_and_an_address_that_nobody_has_are_told_apart() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let gone = take_from(Pid(u32::MAX), address).expect_err("nobody has that pid").to_string();
        assert!(gone.contains("no such process"), "{gone}");
        let own = take_from(Pid(std::process::id()), address).expect_err("no listener").to_string();
        assert!(own.contains("does not listen there"), "{own}");
    }
}
