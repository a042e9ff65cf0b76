//! The calls of a script on real sockets, none of which ever blocks.

use super::ground::{OWN, PEER};
use super::wire::Ports;
use super::{Stop, beyond, failed};
use crate::{Error, sys};
use lastack_model::script::replay::{Told, WITHOUT_EFFECT};
use lastack_model::script::{Call, Place, Value};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};
use std::net::{SocketAddr, SocketAddrV4};

/// What a call returns.
type Returned = rustix::io::Result<i64>;

/// The descriptors of a script's program, and the connection that the script is about.
#[derive(Debug)]
pub(super) struct Program {
    sockets: Vec<(i64, OwnedFd)>,
    /// The ports of that connection.
    pub(super) ports: Ports,
    /// A listener has begun, and no connection has come yet.
    pub(super) awaits_first: bool,
    /// The room that the script takes for granted, where it asks for it.
    pub(super) declared_window: Option<u32>,
}

impl Program {
    pub(super) const fn new() -> Self {
        let ports = Ports { own: LISTENS, peer: FIRST_PEER };
        Self { sockets: Vec::new(), ports, awaits_first: false, declared_window: None }
    }

    /// Makes a call and compares what it returns.
    pub(super) fn call(&mut self, call: &Call, place: Place) -> Result<(), Stop> {
        if call.errno.as_deref() == Some("EFAULT") {
            return Err(beyond("a pointer that is not valid", place));
        }
        let returned = match call.name.as_str() {
            "socket" => self.open(call, place)?,
            "fcntl" => return Ok(()),
            "bind" => net::bind(self.found(call, place)?, &at(OWN, LISTENS)).map(|()| 0),
            "listen" => self.listen(call, place)?,
            "connect" => self.connect(call, place)?,
            "accept" | "accept4" => self.accept(call, place)?,
            "shutdown" => self.shutdown(call, place)?,
            "close" => {
                self.found(call, place)?;
                self.sockets.retain(|(fd, _)| Some(*fd) != call.number(0));
                Ok(0)
            }
            "read" | "recv" => self.read(call, place)?,
            "write" | "send" | "sendto" => self.write(call, place)?,
            "setsockopt" => self.set_option(call, place)?,
            "getsockopt" => return self.option(call, place),
            other => return Err(beyond(format!("the call {other}"), place)),
        };
        compare(call, place, returned)
    }

    /// Whether a call that blocks could return.
    pub(super) fn is_ready(&self, call: &Call) -> bool {
        let flags = match call.name.as_str() {
            "read" | "recv" | "accept" | "accept4" => PollFlags::IN,
            _ => PollFlags::OUT,
        };
        let Some(socket) = self.socket(call) else { return true };
        poll(&mut [PollFd::new(socket, flags)], Some(&Timespec::default())).is_ok_and(|n| n > 0)
    }

    /// What it is told of the connection that it holds: the error, or else what a read says.
    pub(super) fn told(&self) -> crate::Result<Told> {
        let is_listener = |socket: &OwnedFd| net::sockopt::socket_acceptconn(socket);
        let held = self.sockets.iter().rev().map(|(_, socket)| socket);
        let Some(socket) = held.into_iter().find(|socket| !is_listener(socket).unwrap_or(false))
        else {
            return Ok(Told::Nobody);
        };
        if let Err(error) = net::sockopt::socket_error(socket)
            .map_err(|cause| Error::new("read", "the error of a socket", cause))?
        {
            return Ok(Told::Error(errno(error)));
        }
        let mut buffer = [0; 2048];
        Ok(match net::recv(socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => Told::EndOfFile,
            Ok((octets, _)) => Told::Octets(octets as u32),
            Err(Errno::AGAIN) => Told::Nothing,
            Err(error) => Told::Error(errno(error)),
        })
    }

    /// How many of its descriptors are connections that are over.
    pub(super) fn closed(&self) -> usize {
        let over = |(_, socket): &&(i64, OwnedFd)| {
            net::getpeername(socket).is_err()
                && !net::sockopt::socket_acceptconn(socket).unwrap_or(false)
        };
        self.sockets.iter().filter(over).count()
    }

    fn socket(&self, call: &Call) -> Option<&OwnedFd> {
        let wanted = call.number(0)?;
        self.sockets.iter().find(|(fd, _)| *fd == wanted).map(|(_, socket)| socket)
    }

    fn found(&self, call: &Call, place: Place) -> Result<&OwnedFd, Stop> {
        self.socket(call).ok_or_else(|| beyond("a descriptor that no call before has given", place))
    }

    fn add(&mut self, fd: i64, socket: OwnedFd) {
        self.sockets.retain(|(known, _)| *known != fd);
        self.sockets.push((fd, socket));
    }

    fn open(&mut self, call: &Call, place: Place) -> Result<Returned, Stop> {
        let (kind, protocol) = (call.name_at(1), call.name_at(2));
        if kind != "SOCK_STREAM" || !matches!(protocol, "IPPROTO_TCP" | "") {
            return Err(beyond(format!("a socket of kind {kind} {protocol}"), place));
        }
        let Value::Number(fd) = call.result else {
            return Err(beyond("a descriptor left open", place));
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
        Ok(socket.map(|socket| {
            self.add(fd, socket);
            fd
        }))
    }

    fn listen(&mut self, call: &Call, place: Place) -> Result<Returned, Stop> {
        let backlog = call.number(1).and_then(|number| i32::try_from(number).ok()).unwrap_or(1);
        let listener = self.found(call, place)?;
        let begun = match bound(listener)? {
            // One that was not bound listens where scripts expect it.
            0 => net::bind(listener, &at(OWN, LISTENS)),
            _ => Ok(()),
        }
        .and_then(|()| net::listen(listener, backlog));
        // The next connection comes from another port, so that it is another one.
        self.ports = Ports { own: LISTENS, peer: self.ports.peer + 1 };
        self.awaits_first = true;
        Ok(begun.map(|()| 0))
    }

    /// Begins to connect, or asks how far it has come.
    pub(super) fn connect(&mut self, call: &Call, place: Place) -> Result<Returned, Stop> {
        let socket = self.found(call, place)?;
        if disconnects(call) {
            return Ok(net::connect_unspec(socket).map(|()| 0));
        }
        let connects = self.ports.peer != FIRST_PEER && bound(socket)? == self.ports.own;
        let peer = if connects { self.ports.peer } else { self.ports.peer + 1 };
        let begun = net::connect(socket, &at(PEER, peer)).map(|()| 0);
        self.ports = Ports { own: bound(socket)?, peer };
        Ok(begun)
    }

    fn accept(&mut self, call: &Call, place: Place) -> Result<Returned, Stop> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accepted = net::accept_with(self.found(call, place)?, flags);
        Ok(accepted.map(|socket| match call.result {
            Value::Number(fd) if fd >= 0 => {
                self.add(fd, socket);
                fd
            }
            _ => 0,
        }))
    }

    fn shutdown(&self, call: &Call, place: Place) -> Result<Returned, Stop> {
        let how = match (call.name_at(1), call.number(1)) {
            ("SHUT_RD", _) | (_, Some(0)) => Shutdown::Read,
            ("SHUT_WR", _) | (_, Some(1)) => Shutdown::Write,
            ("SHUT_RDWR", _) | (_, Some(2)) => Shutdown::Both,
            _ => return Err(beyond("a direction left open", place)),
        };
        Ok(net::shutdown(self.found(call, place)?, how).map(|()| 0))
    }

    fn read(&self, call: &Call, place: Place) -> Result<Returned, Stop> {
        let peeks = call.names(3).iter().any(|flag| flag == "MSG_PEEK");
        let flags = if peeks { RecvFlags::PEEK } else { RecvFlags::empty() };
        let mut buffer = vec![0; octets(call).unwrap_or(0)];
        let socket = self.found(call, place)?;
        Ok(net::recv(socket, buffer.as_mut_slice(), flags)
            .map(|(length, _)| length.cast_signed() as i64))
    }

    fn write(&self, call: &Call, place: Place) -> Result<Returned, Stop> {
        if call.names(3).iter().any(|flag| flag == "MSG_FASTOPEN") {
            return Err(beyond("TCP Fast Open", place));
        }
        let Some(octets) = octets(call) else {
            return Err(beyond("a number of octets left open", place));
        };
        let sent = net::send(self.found(call, place)?, &vec![b'x'; octets], SendFlags::NOSIGNAL);
        Ok(sent.map(|length| length.cast_signed() as i64))
    }

    fn set_option(&self, call: &Call, place: Place) -> Result<Returned, Stop> {
        let socket = self.found(call, place)?;
        let name = call.name_at(2);
        let value = call.number(3).unwrap_or(0).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        if name == "SO_LINGER" {
            let field = |name: &str| call.field(3, name).unwrap_or(0);
            let on = field("onoff") != 0 || field("l_onoff") != 0;
            let seconds = field("linger").max(field("l_linger"));
            if on && seconds > 0 {
                // `inet_release` waits whether the socket blocks or not.
                return Err(beyond("a close that waits (SO_LINGER)", place));
            }
            return Ok(raw(sys::set_linger(socket, on, 0)));
        }
        match OPTIONS.iter().find(|(known, _)| *known == name) {
            Some((_, option)) => Ok(raw(sys::set_number(socket, *option, value))),
            None if WITHOUT_EFFECT.contains(&name) => Ok(Ok(0)),
            None => Err(beyond(format!("the socket option {name}"), place)),
        }
    }

    fn option(&mut self, call: &Call, place: Place) -> Result<(), Stop> {
        let socket = self.found(call, place)?;
        match call.name_at(2) {
            "SO_ERROR" => {
                let Some(Value::List(list)) = call.arguments.get(3) else { return Ok(()) };
                let wanted = match list.first() {
                    Some(Value::Number(number)) => number.to_string(),
                    Some(Value::Names(names)) => names.join("|"),
                    _ => return Ok(()),
                };
                let is = match net::sockopt::socket_error(socket) {
                    Ok(Ok(())) => "0".to_owned(),
                    Ok(Err(error)) | Err(error) => errno(error),
                };
                if wanted == is {
                    return Ok(());
                }
                Err(failed(place, format!("SO_ERROR {wanted}"), is))
            }
            "SO_RCVBUF" => {
                if net::getpeername(socket).is_ok() {
                    let window = call.number(3).and_then(|window| u32::try_from(window).ok());
                    self.declared_window = window.or(self.declared_window);
                }
                Ok(())
            }
            other if WITHOUT_EFFECT.contains(&other) => Ok(()),
            other => Err(beyond(format!("the socket option {other}"), place)),
        }
    }
}

fn at(address: std::net::Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(address, port)
}

/// The port of a socket, 0 when it has none.
fn bound(socket: &OwnedFd) -> Result<u16, Stop> {
    let failed = |cause| Error::new("read", "the address of a socket", cause);
    let address = net::getsockname(socket).map_err(failed)?;
    Ok(SocketAddr::try_from(address).map_or(0, |address| address.port()))
}

fn octets(call: &Call) -> Option<usize> {
    call.number(2).and_then(|octets| usize::try_from(octets).ok()).filter(|octets| *octets <= MOST)
}

fn raw(result: std::io::Result<()>) -> Returned {
    result.map(|()| 0).map_err(|cause| Errno::from_io_error(&cause).unwrap_or(Errno::INVAL))
}

/// `connect` to no address at all.
fn disconnects(call: &Call) -> bool {
    let Some(Value::Fields(fields)) = call.arguments.get(1) else { return false };
    let unspecified = Value::Names(vec!["AF_UNSPEC".to_owned()]);
    fields.iter().any(|(name, value)| name == "sa_family" && *value == unspecified)
}

fn compare(call: &Call, place: Place, returned: Returned) -> Result<(), Stop> {
    let got = returned.map_or_else(errno, |number| number.to_string());
    let expected = match (&call.result, &call.errno) {
        (Value::Open, _) => return Ok(()),
        (_, Some(wanted)) if wanted == "EWOULDBLOCK" => "EAGAIN".to_owned(),
        (_, Some(wanted)) => wanted.clone(),
        (Value::Number(number), None) => number.to_string(),
        _ => "another result".to_owned(),
    };
    if got == expected {
        return Ok(());
    }
    Err(failed(place, format!("{} to return {expected}", call.name), got))
}

fn errno(errno: Errno) -> String {
    let known = ERRORS.iter().find(|(known, _)| *known == errno);
    known.map_or_else(|| errno.to_string(), |(_, name)| (*name).to_owned())
}

/// Where programs of scripts listen.
const LISTENS: u16 = 8080;
/// Connections come from ports above.
const FIRST_PEER: u16 = 20_000;
/// No call moves more.
const MOST: usize = 16 * 1024 * 1024;

const OPTIONS: [(&str, (i32, i32)); 10] = [
    ("SO_REUSEADDR", (libc::SOL_SOCKET, libc::SO_REUSEADDR)),
    ("SO_REUSEPORT", (libc::SOL_SOCKET, libc::SO_REUSEPORT)),
    ("SO_KEEPALIVE", (libc::SOL_SOCKET, libc::SO_KEEPALIVE)),
    ("TCP_LINGER2", (libc::IPPROTO_TCP, libc::TCP_LINGER2)),
    ("TCP_USER_TIMEOUT", (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT)),
    ("TCP_KEEPIDLE", (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE)),
    ("TCP_KEEPINTVL", (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL)),
    ("TCP_KEEPCNT", (libc::IPPROTO_TCP, libc::TCP_KEEPCNT)),
    ("TCP_NODELAY", (libc::IPPROTO_TCP, libc::TCP_NODELAY)),
    ("TCP_MAXSEG", (libc::IPPROTO_TCP, libc::TCP_MAXSEG)),
];

const ERRORS: [(Errno, &str); 17] = [
    (Errno::AGAIN, "EAGAIN"),
    (Errno::PIPE, "EPIPE"),
    (Errno::CONNRESET, "ECONNRESET"),
    (Errno::CONNREFUSED, "ECONNREFUSED"),
    (Errno::CONNABORTED, "ECONNABORTED"),
    (Errno::TIMEDOUT, "ETIMEDOUT"),
    (Errno::INPROGRESS, "EINPROGRESS"),
    (Errno::ALREADY, "EALREADY"),
    (Errno::ISCONN, "EISCONN"),
    (Errno::NOTCONN, "ENOTCONN"),
    (Errno::HOSTUNREACH, "EHOSTUNREACH"),
    (Errno::NETUNREACH, "ENETUNREACH"),
    (Errno::INVAL, "EINVAL"),
    (Errno::ADDRINUSE, "EADDRINUSE"),
    (Errno::DESTADDRREQ, "EDESTADDRREQ"),
    (Errno::OPNOTSUPP, "EOPNOTSUPP"),
    (Errno::PROTO, "EPROTO"),
];
