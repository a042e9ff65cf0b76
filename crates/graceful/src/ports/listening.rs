//! Ports of the pool that are listened on, for peers that call back: `rshd` connects the standard error so.
//!
//! A listener serves one set-up at a time, so that the port told to the peer says whose call-back it is: the peer may call
//! from another of its addresses. It serves many one after the other, since each listener keeps its port from everything
//! else. One whose set-up came to nothing is closed: a late call-back meets nobody.

use super::error::{Obstacle, Step};
use super::pool::{Ports, State};
use super::queue::{Place, Purpose, Turn};
use lastack_model::ids::Port;
use lastack_model::ports::Choice;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{fmt, io};

/// A port on loan to listen on. When the set-up it was taken for is over, and its call-back came or never will, hand it
/// on with [`done`](Self::done).
///
/// One that is dropped without that is closed, and its port not listened on again while a call-back may still come.
#[derive(Debug)]
#[must_use = "dropped, its port is not listened on for two minutes"]
pub struct Listening {
    /// Closed before its seat is given up.
    listener: TcpListener,
    seat: Seat,
}

/// The right to listen on a port of the pool.
#[derive(Debug)]
pub(super) struct Seat {
    ports: Ports,
    local: SocketAddr,
    /// How long after this nobody is to listen there.
    rest: Duration,
    is_shelved: bool,
}

/// Listeners that nobody uses at present, and how many there are in all.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// The one that came back first is used first: each rests as long as can be.
    idle: VecDeque<Idle>,
    open: usize,
}

#[derive(Debug)]
struct Idle {
    listener: TcpListener,
    local: SocketAddr,
    since: Instant,
}

/// A port of the pool that could not be listened on. Its [`source`](std::error::Error::source) is the system's error.
#[derive(Debug)]
pub struct ListenError {
    local: SocketAddr,
    /// A limit that was reached, and when the next port comes free.
    limit: Option<(usize, Option<Duration>)>,
    cause: io::Error,
}

impl Ports {
    /// Listens on a port of the pool at this address of the host (an unspecified one: at all of its family), for one
    /// set-up. At most so many ports are listened on at once; when all are in use, waits for one until the deadline.
    ///
    /// ```
    /// use lastack_graceful::ports::Ports;
    /// use std::net::{Ipv4Addr, TcpStream};
    /// use std::time::{Duration, Instant};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let ports = Ports::of(22_100..=22_199);
    /// let deadline = Instant::now() + Duration::from_secs(10);
    /// let listening = ports.listen(Ipv4Addr::LOCALHOST.into(), 8, deadline)?;
    ///
    /// let peer = TcpStream::connect(listening.local())?;
    /// let (_call_back, from) = listening.accept(deadline)?;
    /// assert_eq!(from, peer.local_addr()?);
    /// listening.done();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Obstacle::NoPortLeft`] when the deadline comes first; otherwise what the kernel says. Never that a port is in use.
    pub fn listen(
        &self,
        at: IpAddr,
        most: usize,
        deadline: Instant,
    ) -> Result<Listening, ListenError> {
        let mut place = Place::in_queue(self, Purpose::Listen { at_most: most });
        let mut state = self.state();
        loop {
            match choose(&mut place, &mut state, at, most) {
                Turn::Have(chosen) => {
                    drop(state);
                    if let Some(listening) = chosen.open(self)? {
                        return Ok(listening);
                    }
                    state = self.state();
                }
                Turn::Wait(next) if Instant::now() >= deadline => {
                    drop(state);
                    return Err(ListenError::too_late(at, most, next));
                }
                Turn::Wait(next) => {
                    let until = next.map_or(deadline, |next| next.min(deadline));
                    state = self.wait(state, until);
                }
            }
        }
    }
}

impl Listening {
    /// Where it listens.
    pub const fn local(&self) -> SocketAddr {
        self.seat.local()
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.seat.local().port()
    }

    /// The next connection, whoever makes it: the caller judges whether it is the one that he waits for.
    ///
    /// # Errors
    ///
    /// `TimedOut` at the deadline; otherwise as `accept()`.
    pub fn accept(&self, deadline: Instant) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            match self.listener.accept() {
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Errno::TIMEDOUT.into());
                    }
                    let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
                    match poll(&mut [PollFd::new(&self.listener, PollFlags::IN)], Some(&left)) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                }
                accepted => return accepted,
            }
        }
    }

    /// Hands the listener on to the next set-up. Who called without being accepted is sent away.
    pub fn done(self) {
        self.seat.shelve(self.listener);
    }

    #[cfg(feature = "tokio")]
    pub(super) fn into_parts(self) -> (Seat, TcpListener) {
        (self.seat, self.listener)
    }
}

/// Asks for a listener.
#[cfg(feature = "tokio")]
pub(super) fn ask(
    place: &mut Place<'_>,
    at: IpAddr,
    most: usize,
) -> Result<Turn<Listening>, ListenError> {
    let ports = place.ports;
    loop {
        let turn = choose(place, &mut ports.state(), at, most);
        match turn {
            Turn::Have(chosen) => {
                if let Some(listening) = chosen.open(ports)? {
                    return Ok(Turn::Have(listening));
                }
            }
            Turn::Wait(next) => return Ok(Turn::Wait(next)),
        }
    }
}

/// A listener that nobody uses, or where one is to be opened.
enum Chosen {
    Idle(Idle),
    New(SocketAddr),
}

fn choose(place: &mut Place<'_>, state: &mut State, at: IpAddr, most: usize) -> Turn<Chosen> {
    if place.is_first(state)
        && state.shelf.in_use() < most
        && let Some(idle) = state.shelf.reach(at)
    {
        return Turn::Have(Chosen::Idle(idle));
    }
    let ports = place.ports;
    match place.turn(state, |state| state.take_to_listen(ports, most)) {
        Turn::Have(local) => Turn::Have(Chosen::New(SocketAddr::new(at, local.port.0))),
        Turn::Wait(next) => Turn::Wait(next),
    }
}

impl Chosen {
    /// `None` where somebody else has the port: another is to be chosen.
    fn open(self, ports: &Ports) -> Result<Option<Listening>, ListenError> {
        let local = match self {
            Self::Idle(Idle { listener, local, .. }) => {
                return Ok(Some(Listening { listener, seat: Seat::new(ports, local) }));
            }
            Self::New(local) => local,
        };
        let mut seat = Seat::new(ports, local);
        match open(local) {
            Ok(listener) => Ok(Some(Listening { listener, seat })),
            Err(Errno::ADDRINUSE) => {
                seat.rest = REFUSED;
                ports.state().refused(Port(local.port()), Step::Bind);
                Ok(None)
            }
            Err(errno) => {
                seat.rest = Duration::ZERO;
                Err(ListenError::of(local, errno.into()))
            }
        }
    }
}

/// A listener that does not block.
fn open(local: SocketAddr) -> Result<TcpListener, Errno> {
    let family = if local.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if local.is_ipv6() {
        // Peers call by the family in which they were called.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    net::bind(&socket, &local)?;
    net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

impl Seat {
    fn new(ports: &Ports, local: SocketAddr) -> Self {
        Self { ports: ports.clone(), local, rest: LATEST_CALL, is_shelved: false }
    }

    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Keeps the listener for the next set-up.
    pub(super) fn shelve(mut self, listener: TcpListener) {
        // Whoever still waits in it is nobody's call-back.
        while listener.accept().is_ok() {}
        let now = Instant::now();
        let moment = self.ports.moment(now);
        let mut state = self.ports.state();
        self.is_shelved = true;
        let port = Port(self.local.port());
        if state.pool.is_allowed(port) {
            state.shelf.idle.push_back(Idle { listener, local: self.local, since: now });
        } else {
            // Somebody else waits for it.
            drop(listener);
            state.shelf.open -= 1;
            state.pool.end_listening(port, moment);
        }
        for port in state.shelf.close_those_idle(now) {
            state.pool.end_listening(port, moment);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.is_shelved {
            let again_from = self.ports.moment(Instant::now() + self.rest);
            let mut state = self.ports.state();
            state.shelf.open -= 1;
            state.pool.end_listening(Port(self.local.port()), again_from);
        }
        self.ports.announce();
    }
}

impl State {
    /// A port to listen on, at the price of listeners that nobody uses.
    fn take_to_listen(&mut self, ports: &Ports, most: usize) -> Choice {
        let now = ports.now();
        loop {
            let choice = if self.shelf.open < most {
                self.pool.take_to_listen(now)
            } else {
                Choice::DryUntil(None)
            };
            match choice {
                Choice::Take(_) => {
                    self.shelf.open += 1;
                    return choice;
                }
                Choice::DryUntil(_) => {
                    let Some(port) = self.shelf.close_one() else {
                        if self.shelf.open < most {
                            self.want_more();
                        }
                        return choice;
                    };
                    self.pool.end_listening(port, now);
                }
            }
        }
    }
}

impl Shelf {
    fn in_use(&self) -> usize {
        self.open - self.idle.len()
    }

    fn reach(&mut self, at: IpAddr) -> Option<Idle> {
        let found = self.idle.iter().position(|idle| idle.local.ip() == at)?;
        self.idle.remove(found)
    }

    /// Closes a listener that nobody uses: its port.
    pub(super) fn close_one(&mut self) -> Option<Port> {
        let idle = self.idle.pop_front()?;
        self.open -= 1;
        Some(Port(idle.local.port()))
    }

    /// Closes those that nobody has used for some time: their ports.
    fn close_those_idle(&mut self, now: Instant) -> Vec<Port> {
        let is_idle = |idle: &Idle| now.saturating_duration_since(idle.since) >= IDLE;
        let count = self.idle.iter().take_while(|idle| is_idle(idle)).count();
        (0..count).filter_map(|_| self.close_one()).collect()
    }
}

impl ListenError {
    pub(super) const fn of(local: SocketAddr, cause: io::Error) -> Self {
        Self { local, limit: None, cause }
    }

    pub(super) fn too_late(at: IpAddr, most: usize, next: Option<Instant>) -> Self {
        let next = next.map(|next| next.saturating_duration_since(Instant::now()));
        let cause = Errno::ADDRNOTAVAIL.into();
        Self { local: SocketAddr::new(at, 0), limit: Some((most, next)), cause }
    }

    /// Why it came to nothing: never [`Obstacle::PortInUse`].
    pub fn obstacle(&self) -> Obstacle {
        match (self.limit, Errno::from_io_error(&self.cause)) {
            (Some((_, next)), _) => Obstacle::NoPortLeft { next },
            (None, Some(Errno::ADDRNOTAVAIL)) => Obstacle::AddressNotAvailable,
            (None, Some(Errno::ACCESS | Errno::PERM)) => Obstacle::NotPermitted,
            (None, _) => Obstacle::Other,
        }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.limit, self.obstacle()) {
            (Some((most, _)), _) => {
                write!(
                    f,
                    "listen at {} for a call-back: all of at most {most} ports are in use, or no \
                     port is free",
                    self.local.ip()
                )
            }
            (None, Obstacle::AddressNotAvailable) => {
                write!(f, "listen at {}: the address is not one of this host's", self.local)
            }
            (None, Obstacle::NotPermitted) => write!(
                f,
                "listen at {}: permission denied (ports below \
                 net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE)",
                self.local
            ),
            (None, _) => write!(f, "listen at {}: {}", self.local, self.cause),
        }
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl From<ListenError> for io::Error {
    fn from(error: ListenError) -> Self {
        Self::new(error.cause.kind(), error)
    }
}

/// A set-up has one call-back; others are strangers.
const BACKLOG: i32 = 8;
/// So long a peer's SYN is sent again (`tcp_syn_retries` 6: 127 s).
const LATEST_CALL: Duration = Duration::from_secs(130);
/// A port that somebody else has is looked at again after this.
const REFUSED: Duration = Duration::from_secs(2);
/// A listener that nobody has used for so long is closed.
const IDLE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_to_be_given_away_is_not_kept_by_its_listener() {
        let ports = Ports::of(22_200..=22_207);
        let deadline = Instant::now() + Duration::from_secs(10);
        let listen = || ports.listen([127, 0, 0, 1].into(), 2, deadline).expect("a port");
        let (kept, withdrawn) = (listen(), listen());
        let [first, second] = [&kept, &withdrawn].map(|it| Port(it.port()));
        ports.state().pool.withdraw(second);
        withdrawn.done();
        kept.done();
        assert!(ports.state().pool.is_idle(second));
        assert_eq!(Port(listen().port()), first, "that one waits to be used again");
    }
}
