//! Sockets that are bound and neither listen nor connect, found through their descriptors.
//!
//! Kernels before 6.8 list them nowhere. A duplicate of every socket descriptor is asked for its address
//! (`pidfd_getfd`), so this sees only processes that the caller may trace, and says how many it may not.

use crate::process::{self, Handle, entry};
use crate::{Result, host, namespace, sys};
use lastack_model::facts::{Socket, SocketOptions, Transport, Unseen};
use lastack_model::ids::{Inode, InterfaceIndex, Pid, Port, Uid};
use lastack_model::truth::Truth;
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketType, getpeername, getsockname, ipproto, sockopt};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use std::fs;
use std::net::SocketAddr;

/// The sockets found, and what hid others.
#[derive(Debug, Default)]
pub struct Bound {
    /// Each once, however many descriptors it has.
    pub sockets: Vec<Socket>,
    /// Processes that could not be looked into.
    pub unseen: Option<Unseen>,
}

/// The bound TCP sockets on a port of the calling thread's namespace, without those that a dump listed.
pub fn on_port(port: Port, listed: &[Inode]) -> Result<Bound> {
    let own = host::own_namespace()?;
    let mut bound = Bound::default();
    let mut hidden = 0;
    for pid in process::all()? {
        if !namespace::of_process(pid).is_ok_and(|theirs| theirs.id == own) {
            continue;
        }
        match descriptors(pid) {
            Some(numbers) => {
                for socket in
                    numbers.into_iter().filter_map(|number| bound_socket(pid, number, port))
                {
                    let known = |inode| bound.sockets.iter().any(|seen| seen.inode == Some(inode));
                    if socket.inode.is_some_and(|inode| !listed.contains(&inode) && !known(inode)) {
                        bound.sockets.push(socket);
                    }
                }
            }
            None => hidden += 1,
        }
    }
    bound.unseen = (hidden > 0).then(|| Unseen {
        what: format!("bound sockets of {hidden} processes"),
        why: "this kernel does not list them, and the descriptors belong to other users".into(),
        remedy: "run as root (CAP_SYS_PTRACE)".into(),
    });
    Ok(bound)
}

fn descriptors(pid: Pid) -> Option<Vec<i32>> {
    let entries = fs::read_dir(entry(pid, "fd")).ok()?;
    Some(entries.flatten().filter_map(|item| item.file_name().to_str()?.parse().ok()).collect())
}

/// The socket behind a descriptor, if it is a TCP socket that is bound to the port and does nothing with it.
fn bound_socket(pid: Pid, number: i32, port: Port) -> Option<Socket> {
    let link = fs::read_link(entry(pid, &format!("fd/{number}"))).ok()?;
    crate::holders::parse_socket_link(link.as_os_str().as_encoded_bytes())?;
    let process = Handle::by_pid(pid).ok()??;
    let socket = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok()?;
    let is_tcp = sockopt::socket_type(&socket).ok()? == SocketType::STREAM
        && sockopt::socket_protocol(&socket).ok()? == Some(ipproto::TCP);
    if !is_tcp || sockopt::socket_acceptconn(&socket).ok()? || getpeername(&socket).is_ok() {
        return None;
    }
    let local = SocketAddr::try_from(getsockname(&socket).ok()?).ok()?;
    (local.port() == port.0).then(|| describe(&socket, local)).flatten()
}

fn describe(socket: &OwnedFd, local: SocketAddr) -> Option<Socket> {
    let file = rustix::fs::fstat(socket).ok()?;
    let v6only = match sockopt::socket_domain(socket).ok()? {
        AddressFamily::INET6 => Truth::from(sockopt::ipv6_v6only(socket).ok()?),
        _ => Truth::No,
    };
    Some(Socket {
        uid: Some(Uid(file.st_uid)),
        inode: Some(Inode(file.st_ino)),
        cookie: lastack_model::ids::Cookie(sockopt::socket_cookie(socket).ok()?),
        device: sys::bound_interface(socket).ok().filter(|index| *index != 0).map(InterfaceIndex),
        v6only,
        options: SocketOptions {
            reuse_address: Truth::from(sockopt::socket_reuseaddr(socket).ok()?),
            reuse_port: Truth::from(sockopt::socket_reuseport(socket).ok()?),
            v6only,
        },
        port_named: Truth::Yes,
        ..Socket::closed(Transport::Tcp, local)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sock_diag::{self, Filter};

    /// A process in a namespace of its own that has inherited a bound socket and a listener; it ends with this.
    struct Heir(std::process::Child);

    impl Drop for Heir {
        fn drop(&mut self) {
            let _ended_already_is_fine = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A socket bound to any port, which a child inherits.
    fn bound() -> (OwnedFd, Port) {
        let socket =
            rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        rustix::net::bind(&socket, &SocketAddr::from(([0, 0, 0, 0], 0))).expect("any port");
        let name = getsockname(&socket).expect("a name");
        let port = Port(SocketAddr::try_from(name).expect("an address").port());
        (socket, port)
    }

    #[test]
    fn the_descriptors_show_what_a_newer_kernel_lists() {
        namespace::enter_new().expect("a namespace of its own (run as root)");
        let (_bound, port) = bound();
        let (listener, listening) = bound();
        rustix::net::listen(&listener, 1).expect("to listen");
        let sleep = std::process::Command::new("sleep").arg("60").spawn();
        let _heir = Heir(sleep.expect("the program sleep"));
        let found = on_port(port, &[]).expect("a walk").sockets;
        let [socket] = found.as_slice() else { panic!("{found:#?}") };
        let add = |all: &mut Vec<Socket>, socket| all.push(socket);
        let listed = sock_diag::fold(&Filter::on_port(Transport::Tcp, port), add).expect("a dump");
        if let [same] = listed.folded.as_slice() {
            assert_eq!(
                (socket.inode, socket.cookie, socket.local),
                (same.inode, same.cookie, same.local)
            );
            assert_eq!((socket.uid, socket.state), (same.uid, same.state));
        } else {
            assert!(!host::kernel_version().at_least(6, 8), "{:#?}", listed.folded);
        }
        let inode = socket.inode.expect("an inode");
        assert!(on_port(port, &[inode]).expect("a walk").sockets.is_empty(), "it was listed");
        assert!(
            on_port(listening, &[]).expect("a walk").sockets.is_empty(),
            "a listener is no bound socket"
        );
    }
}
