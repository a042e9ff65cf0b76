//! Which processes hold which sockets: a walk over every visible process's descriptors.
//!
//! The walk is the dearest thing lastack does, so it allocates nothing per descriptor and leaves a process as soon as
//! all that is looked for was found in it. It never stops at the first holder: a socket is released only when all let go.

use crate::process::{self, Ended, Handle, entry};
use crate::{Error, Result};
use lastack_model::facts::{Descriptor, Holder, Inheritance, Process, Unseen};
use lastack_model::ids::{Inode, Pid};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;

/// What a search found.
#[derive(Debug, Default)]
pub struct Search {
    /// Every hold on a wanted socket, one per process and socket.
    pub holders: Vec<Holder>,
    /// What could not be looked into, and sockets that nobody seen holds.
    pub unseen: Vec<Unseen>,
}

/// What a walk over all processes came to.
struct Walk {
    found: Vec<Found>,
    /// How many processes did not show their descriptors.
    hidden: usize,
}

/// A descriptor found in a process.
#[derive(Clone, Copy, Debug)]
struct Found {
    pid: Pid,
    inode: Inode,
    number: i32,
}

/// Finds every visible process that holds one of these sockets.
pub fn find(wanted: &[Inode]) -> Result<Search> {
    let mut wanted: Vec<u64> = wanted.iter().map(|inode| inode.0).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let pids = process::all()?;
    let Walk { found, hidden } = walk_all(&pids, &wanted);
    let holders = attribute(&found);
    let held: HashSet<u64> = holders.iter().map(|holder| holder.inode.0).collect();
    let missing: Vec<u64> = wanted.into_iter().filter(|inode| !held.contains(inode)).collect();
    let mut search = Search { holders, unseen: hidden_processes(hidden) };
    if !missing.is_empty() {
        let mut names = vec![MaybeUninit::uninit(); NAMES_LENGTH];
        let carriers: Vec<_> = pids.iter().flat_map(|pid| carriers(*pid, &mut names)).collect();
        // Several queues, or several sockets in one: naming a process would be guessing.
        if let ([inode], [carrier]) = (missing.as_slice(), carriers.as_slice())
            && hidden == 0
        {
            search.holders.extend(in_flight(Inode(*inode), *carrier));
        }
        search.unseen.push(not_found(&missing, &carriers, hidden));
    }
    Ok(search)
}

/// The sockets that one process holds, of whatever family.
pub fn sockets_of(pid: Pid) -> Result<Vec<Inode>> {
    let path = entry(pid, "fd");
    let failed = |cause: std::io::Error| Error::new("list", &path, cause);
    let mut inodes = Vec::new();
    for item in fs::read_dir(&path).map_err(failed)? {
        let link = fs::read_link(item.map_err(failed)?.path());
        let inode = link.ok().and_then(|link| parse_socket_link(link.as_os_str().as_bytes()));
        inodes.extend(inode.map(Inode));
    }
    inodes.sort_unstable();
    inodes.dedup();
    Ok(inodes)
}

/// The descriptors by which one process holds these sockets, one for each socket that it holds.
pub(crate) fn numbers(pid: Pid, wanted: &[Inode]) -> rustix::io::Result<Vec<(i32, Inode)>> {
    let mut wanted: Vec<u64> = wanted.iter().map(|inode| inode.0).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut names = vec![MaybeUninit::uninit(); NAMES_LENGTH];
    let mut found = Vec::new();
    walk_one(pid, &wanted, &mut names, &mut found)?;
    Ok(found.into_iter().map(|hit| (hit.number, hit.inode)).collect())
}

fn walk_all(pids: &[Pid], wanted: &[u64]) -> Walk {
    let mut walk = Walk { found: Vec::new(), hidden: 0 };
    if wanted.is_empty() {
        return walk;
    }
    let mut names = vec![MaybeUninit::uninit(); NAMES_LENGTH];
    for &pid in pids {
        let result = walk_one(pid, wanted, &mut names, &mut walk.found);
        // Any other error means that it ended while it was looked at.
        if matches!(result, Err(Errno::ACCESS | Errno::PERM)) {
            walk.hidden += 1;
        }
    }
    walk
}

/// Looks at the descriptors of one process.
fn walk_one(
    pid: Pid,
    wanted: &[u64],
    names: &mut [MaybeUninit<u8>],
    found: &mut Vec<Found>,
) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, entry(pid, "fd"), flags, Mode::empty())?;
    let mut entries = RawDir::new(&directory, names);
    let before = found.len();
    let mut seen = vec![false; wanted.len()];
    while let Some(item) = entries.next() {
        let item = item?;
        let Some(inode) = socket_inode(&directory, item.file_name()) else { continue };
        let Ok(at) = wanted.binary_search(&inode) else { continue };
        if seen[at] {
            continue;
        }
        let number = item.file_name().to_str().ok().and_then(|text| text.parse().ok());
        let Some(number) = number else { continue };
        seen[at] = true;
        found.push(Found { pid, inode: Inode(inode), number });
        if found.len() - before == wanted.len() {
            break;
        }
    }
    Ok(())
}

/// The inode of the socket that a descriptor refers to, read without allocating.
fn socket_inode(directory: &OwnedFd, name: &CStr) -> Option<u64> {
    if !name.to_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let mut buffer = [MaybeUninit::<u8>::uninit(); 48];
    let (target, _) = readlinkat_raw(directory.as_fd(), name, &mut buffer[..]).ok()?;
    parse_socket_link(target)
}

/// Reads a link of the form `socket:[12345]`.
pub fn parse_socket_link(target: &[u8]) -> Option<u64> {
    let digits = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })
}

/// Turns what was found into holders, each process described once.
fn attribute(found: &[Found]) -> Vec<Holder> {
    let mut described: HashMap<Pid, Option<Process>> = HashMap::new();
    let holds: HashSet<(Pid, Inode)> = found.iter().map(|hit| (hit.pid, hit.inode)).collect();
    found
        .iter()
        .filter_map(|hit| {
            let same_process = Handle::by_pid(hit.pid).ok()??;
            let process =
                described.entry(hit.pid).or_insert_with(|| process::describe(hit.pid)).clone()?;
            let close_on_exec = close_on_exec(hit.pid, hit.number)?;
            let ancestor = process.ancestors.iter().find(|a| holds.contains(&(a.pid, hit.inode)));
            let inheritance = match ancestor {
                Some(ancestor) => Inheritance::FromAncestor(ancestor.pid),
                None if close_on_exec => Inheritance::NotSeen,
                None => looks_inherited(&process),
            };
            let descriptor = Descriptor::Open { number: hit.number, close_on_exec };
            let holder = Holder { inode: hit.inode, process, descriptor, inheritance };
            (still_there(&holder, hit) && same_process.ended() == Ended::No).then_some(holder)
        })
        .collect()
}

/// The walk saw a pid and a number; both may mean something else since. Read again with the described process held.
fn still_there(holder: &Holder, hit: &Found) -> bool {
    let link = fs::read_link(entry(hit.pid, &format!("fd/{}", hit.number)));
    let inode = link.ok().and_then(|link| parse_socket_link(link.as_os_str().as_bytes()));
    let started = process::stat(hit.pid).map(|stat| stat.start_ticks);
    inode == Some(hit.inode.0) && started == Some(holder.process.start_ticks)
}

/// A process whose group was led by a process that is gone, and whose descriptor survives `exec`, was probably
/// started by the one that opened the socket.
fn looks_inherited(process: &Process) -> Inheritance {
    let Some(stat) = process::stat(process.pid) else { return Inheritance::NotSeen };
    let leader = [stat.group, stat.session]
        .into_iter()
        .find(|leader| *leader != process.pid && leader.0 != 0 && process::stat(*leader).is_none());
    leader.map_or(Inheritance::NotSeen, |leader| {
        Inheritance::Likely(format!(
            "the descriptor survives exec, and pid {leader}, which led its process group, is gone"
        ))
    })
}

fn close_on_exec(pid: Pid, number: i32) -> Option<bool> {
    let text = fs::read_to_string(entry(pid, &format!("fdinfo/{number}"))).ok()?;
    let flags = parse_fdinfo(&text, "flags:")?;
    let flags = i32::from_str_radix(flags, 8).ok()?;
    Some(flags & libc::O_CLOEXEC != 0)
}

/// One field of `/proc/PID/fdinfo/FD`.
pub fn parse_fdinfo<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(field)).map(str::trim)
}

/// The one socket that nobody has open, in the one queue that holds descriptors.
fn in_flight(inode: Inode, (pid, carrier): (Pid, i32)) -> Option<Holder> {
    let process = process::describe(pid)?;
    let descriptor = Descriptor::InFlight { carrier };
    Some(Holder { inode, process, descriptor, inheritance: Inheritance::NotSeen })
}

/// The Unix sockets of a process in whose queues descriptors wait (`scm_fds`, `unix_show_fdinfo`, Linux 5.9). Which
/// descriptors they are does not show. Every descriptor is asked: which are Unix sockets is told by no link, and the
/// table of one namespace misses those that came from another.
fn carriers(pid: Pid, names: &mut [MaybeUninit<u8>]) -> Vec<(Pid, i32)> {
    let mut found = Vec::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(directory) = openat(CWD, entry(pid, "fdinfo"), flags, Mode::empty()) else {
        return found;
    };
    let mut entries = RawDir::new(&directory, names);
    while let Some(Ok(item)) = entries.next() {
        if waiting_descriptors(&directory, item.file_name()).is_some_and(|waiting| waiting > 0) {
            let number = item.file_name().to_str().ok().and_then(|text| text.parse().ok());
            found.extend(number.map(|number| (pid, number)));
        }
    }
    found
}

/// `scm_fds` of one descriptor, read without allocating; it comes right after the fields that all descriptors have.
fn waiting_descriptors(directory: &OwnedFd, name: &CStr) -> Option<u32> {
    if !name.to_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let file = openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut buffer = [0; 256];
    let length = rustix::io::read(&file, &mut buffer).ok()?;
    let text = std::str::from_utf8(buffer.get(..length)?).ok()?;
    parse_fdinfo(text, "scm_fds:")?.parse().ok()
}

/// Processes that show nothing may hold a socket as well, also one that a visible process holds.
fn hidden_processes(hidden: usize) -> Vec<Unseen> {
    if hidden == 0 {
        return Vec::new();
    }
    vec![Unseen {
        what: format!("the descriptors of {hidden} processes of other users"),
        why: "the kernel shows them only to their user and to root".into(),
        remedy: AS_ROOT.into(),
    }]
}

fn not_found(missing: &[u64], carriers: &[(Pid, i32)], hidden: usize) -> Unseen {
    let what = match missing.len() {
        1 => "the process that holds the socket".to_owned(),
        n => format!("the processes that hold {n} of the sockets"),
    };
    let (why, remedy) = if hidden > 0 {
        (
            format!("it may be one of the {hidden} whose descriptors are not readable"),
            AS_ROOT.into(),
        )
    } else if carriers.is_empty() {
        let why = "no visible process has it: it is held in another PID namespace, or by the kernel itself";
        (why.into(), "run in the host's PID namespace; the control group names the service".into())
    } else {
        (
            format!(
                "no process has it open, so it may wait in a Unix socket's queue ({}); the kernel shows which queues \
                 hold descriptors, not which descriptors",
                queues(carriers)
            ),
            "let the process that owns the queue receive or close it".into(),
        )
    };
    Unseen { what, why, remedy }
}

fn queues(carriers: &[(Pid, i32)]) -> String {
    let named: Vec<String> =
        carriers.iter().take(QUEUES_NAMED).map(|(pid, fd)| format!("pid {pid} fd {fd}")).collect();
    let more = if carriers.len() > QUEUES_NAMED { " and others" } else { "" };
    named.join(", ") + more
}

const AS_ROOT: &str = "run as root (CAP_SYS_PTRACE)";

/// Enough to look further, few enough to read.
const QUEUES_NAMED: usize = 4;

/// Room for the names that one `getdents64` returns, reused for every process.
const NAMES_LENGTH: usize = 64 * 1024;

#[cfg(test)]
mod tests;
