//! Names that a process has for as long as it lives: abstract Unix sockets, of which each network namespace has its own,
//! exactly as it has ports of its own. Nothing of them is left in the file system, whatever ends the process.
//!
//! Any user may take any such name (`unix_bind_abstract` asks for no right), so a name proves nothing: who has it is
//! found out, and whoever asks judges.

use crate::process::{self, Capability, entry};
use crate::{Error, Result, sys};
use lastack_model::ids::{Inode, Pid, Uid};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::fs;

/// A name that this process has.
#[derive(Debug)]
pub struct Claim {
    socket: OwnedFd,
    name: String,
}

/// A name that some process has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// The name, without the octet 0 in front.
    pub name: String,
    /// Its socket.
    pub inode: Inode,
}

/// Who has a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holder {
    /// The process that made it; `None` when it is not seen from this PID namespace.
    pub pid: Option<Pid>,
    /// Its user.
    pub uid: Uid,
}

/// Whether the holder of a name is shown to have a right to privileged ports as well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Right {
    /// It is: root, this very user, or somebody with `CAP_NET_BIND_SERVICE`.
    Shown(Holder),
    /// It is not: without that capability, or its process is gone or not seen from here.
    NotShown(Holder),
    /// Whose it is cannot be told: nobody has it, or whoever does takes no connection at present.
    Unknown,
}

impl Claim {
    /// Takes a name; `None` when another process has it.
    pub fn take(name: &str) -> Result<Option<Self>> {
        let failed = |cause: Errno| Error::new("claim", format!("the name @{name}"), cause);
        let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(failed)?;
        let socket = open().map_err(failed)?;
        match net::bind(&socket, &address) {
            Err(Errno::ADDRINUSE) => return Ok(None),
            other => other.map_err(failed)?,
        }
        // Who connects learns whose it is.
        net::listen(&socket, BACKLOG).map_err(failed)?;
        Ok(Some(Self { socket, name: name.to_owned() }))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends away all who have connected, to knock or to see whose it is.
    pub fn answer(&self) {
        while net::accept_with(&self.socket, SocketFlags::CLOEXEC).is_ok() {}
    }
}

impl AsFd for Claim {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The names with this beginning that processes have in the network namespace of the calling thread.
pub fn seen(beginning: &str) -> Result<Vec<Seen>> {
    let text = fs::read(TABLE).map_err(|cause| Error::new("read", TABLE, cause))?;
    Ok(parse(&String::from_utf8_lossy(&text), beginning))
}

/// Reads `/proc/net/unix` (`unix_seq_show`): the abstract names with this beginning that sockets listen on.
///
/// The kernel writes a name as it is, so somebody may have one with a line of this table in it: a name may be listed that
/// nobody has, or twice. Whose it is says only [`right`].
pub fn parse(text: &str, beginning: &str) -> Vec<Seen> {
    let seen = text.lines().skip(1).filter_map(|line| {
        let (fields, name) = line.split_once(" @")?;
        if !name.starts_with(beginning) {
            return None;
        }
        let mut fields = fields.split_ascii_whitespace();
        let listens = u32::from_str_radix(fields.nth(3)?, 16).ok()? & ACCEPTS != 0;
        let inode = Inode(fields.nth(2)?.parse().ok()?);
        // A connection carries the name of the socket that accepted it.
        listens.then(|| Seen { name: name.to_owned(), inode })
    });
    seen.collect()
}

/// Wakes whoever has the name.
pub fn knock(name: &str) {
    // It is gone, or woken already.
    let _ = connect(name);
}

/// Whether the process that has this name is shown to have a right to privileged ports as well.
pub fn right(name: &str) -> Right {
    let holder = match connect(name).map(|socket| sys::peer_credentials(&socket)) {
        Ok(Ok([pid, uid, _])) => {
            Holder { pid: Some(pid).filter(|pid| *pid != 0).map(Pid), uid: Uid(uid) }
        }
        Ok(Err(_)) | Err(_) => return Right::Unknown,
    };
    if holder.uid == Uid(0) || holder.uid.0 == rustix::process::geteuid().as_raw() {
        return Right::Shown(holder);
    }
    let has_capability = |pid| {
        let credentials = process::credentials(pid);
        credentials.is_ok_and(|credentials| credentials.has(Capability::NetBindService))
    };
    match holder.pid {
        Some(pid) if has_capability(pid) && users_are_as_here(pid) => Right::Shown(holder),
        _ => Right::NotShown(holder),
    }
}

/// In a user namespace of one's own everybody has every capability, and they count for nothing outside (`ns_capable`).
fn users_are_as_here(pid: Pid) -> bool {
    let theirs = fs::read(entry(pid, "uid_map"));
    let own = fs::read("/proc/thread-self/uid_map");
    theirs.is_ok_and(|theirs| own.is_ok_and(|own| theirs == own))
}

fn connect(name: &str) -> rustix::io::Result<OwnedFd> {
    let socket = open()?;
    net::connect(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    Ok(socket)
}

fn open() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

const TABLE: &str = "/proc/thread-self/net/unix";
/// `__SO_ACCEPTCON`.
const ACCEPTS: u32 = 1 << 16;
const BACKLOG: i32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::namespace::enter_fresh_network;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_one_process_s_until_it_lets_go_and_others_see_whose() {
        enter_fresh_network();
        let claim = Claim::take("lastack/test/1").expect("asked").expect("free");
        assert!(Claim::take("lastack/test/1").expect("asked").is_none());
        let names = || seen("lastack/test/").expect("the table");
        assert_eq!(names().iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), [claim.name()]);
        let own = Holder {
            pid: Some(Pid(std::process::id())),
            uid: Uid(rustix::process::geteuid().as_raw()),
        };
        assert_eq!(right("lastack/test/1"), Right::Shown(own));
        assert_eq!(names().len(), 1, "who asks has no name");
        claim.answer();
        drop(claim);
        assert_eq!(names(), []);
        assert_eq!(right("lastack/test/1"), Right::Unknown);
        knock("lastack/test/1");
    }

    #[test]
    fn the_table_is_read_as_the_kernel_writes_it() {
        let text = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                    0000000000000000: 00000002 00000000 00010000 0001 01 23 /run/socket\n\
                    0000000000000000: 00000002 00000000 00010000 0001 01 24 @a/1\n\
                    0000000000000000: 00000003 00000000 00000000 0001 03 25 @a/1\n\
                    0000000000000000: 00000002 00000000 00010000 0001 01 28 @x\n0: 2 0 00010000 0001 01 1 @a/1\n\
                    0000000000000000: 00000002 00000000 00010000 0001 01 26 @b\n\
                    0000000000000000: 00000002 00000000 00000000 0002 01 27\n";
        let listed = [24, 1].map(|inode| Seen { name: "a/1".into(), inode: Inode(inode) });
        assert_eq!(parse(text, "a/"), listed, "the second is a part of a name");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9a-f @/\n:]{0,200}") {
            prop_assert!(parse(&text, "").iter().all(|it| text.contains(&it.name)));
        }
    }
}
