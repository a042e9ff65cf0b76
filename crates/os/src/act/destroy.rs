//! Ending a socket from outside (`SOCK_DESTROY`): the kernel drops it and tells its owner `ECONNABORTED`.
//!
//! Needs `CAP_NET_ADMIN` over the network namespace. Every request carries the socket's cookie, so that it can never
//! act on another one that took the same addresses since (`sock_diag_check_cookie`).

use crate::netlink::{Channel, Netlink};
use crate::sock_diag::{self, Filter};
use crate::{Error, Result};
use lastack_model::facts::{Family, Socket, Transport};
use lastack_model::state::State;
use std::net::IpAddr;

/// Destroys sockets in the network namespace of the thread that made it.
#[derive(Debug)]
pub struct Destroyer {
    netlink: Netlink,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Destroyed {
    /// The kernel dropped it.
    Now,
    /// It was gone already, or its addresses belong to another socket by now.
    Gone,
}

/// How many of several sockets were destroyed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Destroyed by this call.
    pub destroyed: u64,
    /// Gone before, or not found by the kernel.
    pub gone: u64,
}

impl Destroyer {
    /// Opens a channel to the kernel in the calling thread's network namespace.
    pub fn open() -> Result<Self> {
        Ok(Self { netlink: Netlink::open(Channel::SockDiag)? })
    }

    /// Destroys one socket, whatever its state but listening: that would break its program and keep the port
    /// (`inet_csk_listen_stop` without a close), so it is refused.
    pub fn destroy(&mut self, socket: &Socket) -> Result<Destroyed> {
        let tally = self.destroy_all(std::slice::from_ref(socket))?;
        Ok(if tally.destroyed > 0 { Destroyed::Now } else { Destroyed::Gone })
    }

    /// Destroys several at the cost of few system calls. Stops at the first that the kernel refuses.
    pub fn destroy_all(&mut self, sockets: &[Socket]) -> Result<Tally> {
        if let Some(listener) = sockets.iter().find(|socket| socket.state == State::Listen) {
            let cause = std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "a destroyed listener is broken and keeps its port",
            );
            return Err(Error::new("destroy", object(listener), cause)
                .with_remedy("stop the process that listens"));
        }
        let mut tally = Tally::default();
        for batch in sockets.chunks(BATCH) {
            let requests: Vec<Vec<u8>> = batch.iter().map(request).collect();
            let answers = self.netlink.act(SOCK_DESTROY, &requests)?;
            for (socket, answer) in batch.iter().zip(answers) {
                match answer {
                    Ok(()) => tally.destroyed += 1,
                    Err(cause) => match cause.raw_os_error() {
                        Some(libc::ENOENT | libc::ESTALE) => tally.gone += 1,
                        _ => return Err(refused(socket, cause)),
                    },
                }
            }
        }
        Ok(tally)
    }
}

/// Destroys every socket that passes the filter and is wanted, as the kernel lists them, so that their number costs no
/// memory. The table changes under the walk, which may skip some: it is walked until nothing wanted is found.
pub fn sweep(filter: &Filter, wanted: impl Fn(&Socket) -> bool) -> Result<Tally> {
    let mut destroyer = Destroyer::open()?;
    let mut total = Tally::default();
    for _ in 0..MOST_WALKS {
        let mut walk = Walk::default();
        sock_diag::fold(filter, |(): &mut (), socket| {
            if wanted(&socket) {
                walk.add(socket, &mut destroyer);
            }
        })?;
        let found = walk.finish(&mut destroyer)?;
        total.destroyed += found.destroyed;
        // What the kernel lists and does not find is met again on every walk.
        total.gone = total.gone.max(found.gone);
        if found.destroyed == 0 {
            break;
        }
    }
    Ok(total)
}

/// One walk over the table: what waits to be destroyed, and what has been.
#[derive(Default)]
struct Walk {
    waiting: Vec<Socket>,
    tally: Tally,
    failed: Option<Error>,
}

impl Walk {
    fn add(&mut self, socket: Socket, destroyer: &mut Destroyer) {
        if self.failed.is_none() {
            self.waiting.push(socket);
            if self.waiting.len() == BATCH {
                self.flush(destroyer);
            }
        }
    }

    fn flush(&mut self, destroyer: &mut Destroyer) {
        match destroyer.destroy_all(&self.waiting) {
            Ok(tally) => {
                self.tally.destroyed += tally.destroyed;
                self.tally.gone += tally.gone;
            }
            Err(error) => self.failed = Some(error),
        }
        self.waiting.clear();
    }

    fn finish(mut self, destroyer: &mut Destroyer) -> Result<Tally> {
        if self.failed.is_none() {
            self.flush(destroyer);
        }
        self.failed.map_or(Ok(self.tally), Err)
    }
}

fn refused(socket: &Socket, cause: std::io::Error) -> Error {
    let remedy = match cause.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "needs CAP_NET_ADMIN: run as root",
        Some(libc::EOPNOTSUPP) => "the kernel lacks CONFIG_INET_DIAG_DESTROY",
        _ => "the socket is as it was",
    };
    Error::new("destroy", object(socket), cause).with_remedy(remedy)
}

fn object(socket: &Socket) -> String {
    match socket.remote {
        Some(remote) => format!("{} -> {remote}", socket.local),
        None => socket.local.to_string(),
    }
}

/// `struct inet_diag_req_v2`: the socket by its addresses, its interface and its cookie.
pub(crate) fn request(socket: &Socket) -> Vec<u8> {
    let family = match socket.family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    };
    let protocol = match socket.transport {
        Transport::Tcp => IPPROTO_TCP,
        Transport::Udp => IPPROTO_UDP,
    };
    let mut bytes = vec![family, protocol, 0, 0];
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(socket.local.port().to_be_bytes());
    bytes.extend(socket.remote.map_or(0, |remote| remote.port()).to_be_bytes());
    bytes.extend(address(Some(socket.local.ip())));
    bytes.extend(address(socket.remote.map(|remote| remote.ip())));
    bytes.extend(socket.device.map_or(0, |device| device.0).to_ne_bytes());
    bytes.extend((socket.cookie.0 as u32).to_ne_bytes());
    bytes.extend(((socket.cookie.0 >> 32) as u32).to_ne_bytes());
    bytes
}

fn address(ip: Option<IpAddr>) -> [u8; 16] {
    let mut bytes = [0; 16];
    match ip {
        Some(IpAddr::V4(v4)) => bytes[..4].copy_from_slice(&v4.octets()),
        Some(IpAddr::V6(v6)) => bytes = v6.octets(),
        None => {}
    }
    bytes
}

const SOCK_DESTROY: u16 = 21;
const AF_INET: u8 = libc::AF_INET as u8;
const AF_INET6: u8 = libc::AF_INET6 as u8;
const IPPROTO_TCP: u8 = libc::IPPROTO_TCP as u8;
const IPPROTO_UDP: u8 = libc::IPPROTO_UDP as u8;

/// Requests sent in one datagram; their answers must fit the socket's receive buffer (208 KiB by default, and each
/// takes under 1 KiB with the kernel's overhead).
const BATCH: usize = 64;

/// Walks over a table whose wanted sockets keep coming: more would chase a program that goes on making them.
const MOST_WALKS: usize = 8;
