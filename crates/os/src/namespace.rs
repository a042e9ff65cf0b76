//! Other network namespaces: which there are, and running a closure inside one.

mod proc_table;

pub use proc_table::{Table, parse_line};

use crate::{Error, Result, process, sys};
use lastack_model::facts::{Socket, Transport, Unseen};
use lastack_model::ids::{NamespaceId, Pid, Port};
use lastack_model::state::State;
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A network namespace and a way into it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Namespace {
    /// Its inode.
    pub id: NamespaceId,
    /// Its name under `/run/netns`, when it has one.
    pub name: Option<String>,
    /// A process that lives in it, when one was seen.
    pub resident: Option<Pid>,
    path: PathBuf,
}

/// The namespaces found.
#[derive(Debug, Default)]
pub struct Listing {
    /// Each once.
    pub namespaces: Vec<Namespace>,
    /// Processes whose namespace could not be read.
    pub unseen: Vec<Unseen>,
}

/// The namespace of that name (`ip netns`).
pub fn by_name(name: &str) -> Result<Namespace> {
    let path = Path::new(NAMED).join(name);
    open(path, Some(name.to_owned()), None)
        .map_err(|error| error.with_remedy("see `ip netns list`"))
}

/// The namespace of a process.
pub fn of_process(pid: Pid) -> Result<Namespace> {
    open(process::entry(pid, "ns/net").into(), None, Some(pid))
}

/// Every namespace that has a name or a visible process.
pub fn list() -> Result<Listing> {
    let mut listing = Listing::default();
    let mut seen = HashSet::new();
    for entry in fs::read_dir(NAMED).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Ok(namespace) = open(entry.path(), Some(name), None)
            && seen.insert(namespace.id)
        {
            listing.namespaces.push(namespace);
        }
    }
    let mut hidden = 0;
    for pid in process::all()? {
        match of_process(pid) {
            Ok(namespace) if seen.insert(namespace.id) => listing.namespaces.push(namespace),
            Ok(namespace) => note_resident(&mut listing.namespaces, &namespace),
            Err(error) if error.cause().kind() == ErrorKind::PermissionDenied => {
                hidden += 1;
            }
            Err(_) => {}
        }
    }
    if hidden > 0 {
        listing.unseen.push(Unseen {
            what: match hidden {
                1 => "the network namespace of 1 process".into(),
                n => format!("the network namespaces of {n} processes"),
            },
            why: "shown only to those who may trace the process".into(),
            remedy: "run as root (CAP_SYS_PTRACE)".into(),
        });
    }
    Ok(listing)
}

/// Runs a closure in a thread that lives in the namespace.
pub fn within<T: Send>(namespace: &Namespace, act: impl FnOnce() -> T + Send) -> Result<T> {
    let object = || format!("network namespace {}", namespace.path.display());
    let enter = |cause: Errno| {
        // `EINVAL` says that the file is no network namespace, which no right would change.
        let remedy = match cause {
            Errno::PERM => "needs CAP_SYS_ADMIN: run as root",
            _ => "see `ip netns list`",
        };
        Error::new("enter", object(), cause).with_remedy(remedy)
    };
    let file =
        fs::File::open(&namespace.path).map_err(|cause| Error::new("open", object(), cause))?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(enter)
                .map(|()| act())
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Moves the calling thread, and no other, into a new and empty network namespace, which ends with its last socket
/// and thread. For tests: nothing done there touches the host's network.
pub fn enter_new() -> Result<()> {
    sys::unshare_network().map_err(|cause| {
        Error::new("enter", "a new network namespace", cause)
            .with_remedy("needs CAP_SYS_ADMIN: run as root")
    })
}

/// The sockets on a port in a process's network namespace, from the tables under `/proc/PID/net`: for a namespace that
/// cannot be entered, since they are readable without rights. Bound sockets that are neither connected nor listening
/// are in no such table, nor are cookies and control groups.
pub fn sockets_from_proc(pid: Pid, transport: Transport, port: Port) -> Result<Vec<Socket>> {
    let mut sockets = Vec::new();
    for table in Table::of(transport) {
        let path = process::entry(pid, table.file());
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            // A kernel without IPv6 has no such table.
            Err(cause) if cause.kind() == ErrorKind::NotFound && table.is_v6() => continue,
            Err(cause) => return Err(Error::new("read", path, cause)),
        };
        let mut lines = BufReader::new(file);
        let mut line = String::new();
        while lines.read_line(&mut line).map_err(|cause| Error::new("read", &path, cause))? > 0 {
            sockets.extend(parse_line(table, &line).filter(|socket| socket.port() == port));
            line.clear();
        }
    }
    Ok(sockets)
}

/// The listeners among them; for UDP, which does not listen, all of them.
pub fn listeners_from_proc(pid: Pid, transport: Transport, port: Port) -> Result<Vec<Socket>> {
    let mut sockets = sockets_from_proc(pid, transport, port)?;
    sockets.retain(|socket| socket.state == State::Listen || transport == Transport::Udp);
    Ok(sockets)
}

fn open(path: PathBuf, name: Option<String>, resident: Option<Pid>) -> Result<Namespace> {
    match fs::metadata(&path) {
        Ok(file) => Ok(Namespace { id: NamespaceId(file.ino()), name, resident, path }),
        Err(cause) => {
            Err(Error::new("find", format!("network namespace {}", path.display()), cause))
        }
    }
}

fn note_resident(namespaces: &mut [Namespace], seen: &Namespace) {
    let known = namespaces.iter_mut().find(|known| known.id == seen.id);
    if let Some(known) = known
        && known.resident.is_none()
    {
        known.resident = seen.resident;
    }
}

const NAMED: &str = "/run/netns";
