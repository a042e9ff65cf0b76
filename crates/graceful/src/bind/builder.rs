//! The builder: what is wanted, and the way from there to listeners.

use super::bound::{Bound, Failed, Group, Guard, Mode, One, refuse_beside_others};
use super::error::BindError;
use super::exclusive;
use super::families::{Families, Origin, Planned};
use super::retry::Retry;
use super::socket::{self, Operation, Sharing};
use rustix::io::Errno;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Instant;

/// A listener that somebody wants. Nothing happens before one of [`listen`](Self::listen),
/// [`listen_all`](Self::listen_all) and [`bound`](Self::bound) is called, and each may be called again.
///
/// ```
/// use lastack_graceful::bind::Bind;
///
/// # fn main() -> Result<(), lastack_graceful::bind::BindError> {
/// let listener = Bind::to("127.0.0.1:0").backlog(512).listen()?;
/// let everywhere = Bind::everywhere(0).listen()?;
/// let two = Bind::to("127.0.0.1:0").and("127.0.0.2:0").listen_all()?;
/// assert_eq!(two.len(), 2);
/// # drop((listener, everywhere));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is bound until `listen` is called"]
pub struct Bind {
    addresses: Vec<SocketAddr>,
    unresolved: Option<(io::ErrorKind, String)>,
    families: Option<Families>,
    guard: Guard,
    group: Group,
    backlog: u32,
    mode: Mode,
    deadline: Option<Instant>,
}

impl Bind {
    /// At this address; at each of them where a name stands for several. What does not resolve is an error of the call
    /// that listens. Port 0 lets the kernel choose one.
    pub fn to(address: impl ToSocketAddrs) -> Self {
        let none = Self {
            addresses: Vec::new(),
            unresolved: None,
            families: None,
            guard: Guard::Open,
            group: Group::Alone,
            backlog: BACKLOG,
            mode: Mode::Blocking,
            deadline: None,
        };
        none.and(address)
    }

    /// At every address of this host: both families with one socket, where the host has IPv6.
    pub fn everywhere(port: u16) -> Self {
        Self::to((Ipv4Addr::UNSPECIFIED, port)).families(Families::OneSocket)
    }

    /// And at this address too. All of them, or none.
    pub fn and(mut self, address: impl ToSocketAddrs) -> Self {
        match address.to_socket_addrs() {
            Ok(found) => {
                for address in found {
                    if !self.addresses.contains(&address) {
                        self.addresses.push(address);
                    }
                }
            }
            Err(error) => self.unresolved = Some((error.kind(), error.to_string())),
        }
        self
    }

    /// Which families each address stands for: [`Families::Own`] unless told otherwise.
    pub const fn families(mut self, families: Families) -> Self {
        self.families = Some(families);
        self
    }

    /// How many connections may wait to be accepted: 4,096 unless told otherwise, and never more than
    /// `net.core.somaxconn`.
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// The listeners do not block, as runtimes need them.
    pub const fn nonblocking(mut self) -> Self {
        self.mode = Mode::NonBlocking;
        self
    }

    /// Others of the same user may listen beside, each with this set (`SO_REUSEPORT`); the kernel deals new connections
    /// out among them. Closing one of them takes care: see [`Successor::SameGroup`](crate::listener::Successor).
    pub const fn group(mut self) -> Self {
        self.group = Group::Shared;
        self
    }

    /// Keeps other users from the port as far as Linux lets one.
    ///
    /// - Between `bind()` and `listen()` nobody else gets in: `SO_REUSEPORT` takes the place of `SO_REUSEADDR`, and it
    ///   lets in the same user only. A second server of that user is refused all the same, unless [`group`](Self::group)
    ///   is set.
    /// - The other family is bound too, as by [`Families::TwoSockets`], unless [`families`](Self::families) says
    ///   otherwise. So a wildcard or loopback address needs [`listen_all`](Self::listen_all).
    /// - While a server restarts: as long as connections of the old one remain, only its own user gets in, and of others
    ///   who set `SO_REUSEPORT` those where nothing but `TIME_WAIT` remains. When *nothing* remains the port is
    ///   anybody's; no option changes that. Only a socket that stays open does: let the new server bind while the old
    ///   one listens (`exclusive` and `group` on both), or hand the listener over.
    ///
    /// The old server must have been exclusive too, for the same reason that `SO_REUSEADDR` is needed on both sides.
    /// Below `net.ipv4.ip_unprivileged_port_start` other users may not bind at all, so there `SO_REUSEADDR` stays.
    pub const fn exclusive(mut self) -> Self {
        self.guard = Guard::Exclusive;
        self
    }

    /// Tries again until this moment, when the address is in use or not there yet. Other errors are told at once.
    ///
    /// With the feature `explain` the wait follows from what stands in the way: a `TIME_WAIT` is waited for as long as its
    /// timer runs, the end of a process and of its sockets is heard of. Without it, the address is tried every 50 ms.
    pub const fn until(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Binds and listens, with one socket.
    ///
    /// # Errors
    ///
    /// [`BindError`] names the address, and with the feature `explain` who has it. Where several sockets are needed,
    /// [`Reason::SeveralSockets`](super::Reason::SeveralSockets); nothing is bound then.
    pub fn listen(&self) -> Result<TcpListener, BindError> {
        self.require_one()?;
        let mut all = self.listen_all()?;
        all.pop().ok_or_else(|| BindError::new(Operation::Resolve, None, io::ErrorKind::NotFound))
    }

    /// Binds and listens at all addresses: all of them or none. In the order in which they were named, each followed by
    /// the one that goes with it.
    ///
    /// # Errors
    ///
    /// As [`listen`](Self::listen).
    pub fn listen_all(&self) -> Result<Vec<TcpListener>, BindError> {
        let mut retry = Retry::new(self.deadline());
        loop {
            match self.try_listen() {
                Ok(listeners) => return Ok(listeners),
                Err(failed) => retry.wait(failed)?,
            }
        }
    }

    /// Binds, and does not listen yet.
    ///
    /// # Errors
    ///
    /// As [`listen`](Self::listen).
    pub fn bound(&self) -> Result<Bound, BindError> {
        let mut retry = Retry::new(self.deadline());
        loop {
            match self.try_bind() {
                Ok(bound) => return Ok(bound),
                Err(failed) => retry.wait(failed)?,
            }
        }
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn require_one(&self) -> Result<(), BindError> {
        let planned = self.plan().map_err(|failed| *failed.error)?;
        let groups: Vec<&Planned> =
            planned.iter().flatten().filter(|one| one.origin != Origin::Instead).collect();
        if groups.len() < 2 {
            return Ok(());
        }
        let mut error = BindError::new(Operation::Choose, None, io::ErrorKind::InvalidInput);
        let names: Vec<String> = groups.iter().map(|one| one.address.to_string()).collect();
        error.object = names.join(" and ");
        Err(error)
    }

    pub(super) fn try_listen(&self) -> Result<Vec<TcpListener>, Failed> {
        self.try_bind()?.try_listen()
    }

    fn try_bind(&self) -> Result<Bound, Failed> {
        let mut sockets = Vec::new();
        for group in self.plan()? {
            sockets.extend(self.bind_group(&group)?);
        }
        let Self { guard, group, backlog, mode, .. } = *self;
        Ok(Bound { sockets, guard, group, backlog, mode })
    }

    /// Each address with the sockets that it stands for. Those of an inner list have one port.
    fn plan(&self) -> Result<Vec<Vec<Planned>>, Failed> {
        if let Some((kind, words)) = &self.unresolved {
            let mut error =
                BindError::new(Operation::Resolve, None, io::Error::new(*kind, words.clone()));
            error.object = "the address".into();
            return Err(Failed::new(error, None));
        }
        let families = self.families.unwrap_or(match self.guard {
            Guard::Open => Families::Own,
            Guard::Exclusive => Families::TwoSockets,
        });
        let mut seen: Vec<SocketAddr> = Vec::new();
        let mut groups = Vec::new();
        for &address in &self.addresses {
            let mut group = families.sockets(address);
            group.retain(|one| one.origin == Origin::Instead || !seen.contains(&one.address));
            if group.iter().any(|one| one.origin != Origin::Instead) {
                seen.extend(group.iter().map(|one| one.address));
                groups.push(group);
            }
        }
        if groups.is_empty() {
            let mut error = BindError::new(Operation::Resolve, None, io::ErrorKind::NotFound);
            error.object = "the address".into();
            return Err(Failed::new(error, None));
        }
        Ok(groups)
    }

    /// The sockets of one address. Where the kernel chooses the port and it is not free in the other family, it must
    /// choose another: what it chose before is kept until then.
    fn bind_group(&self, group: &[Planned]) -> Result<Vec<One>, Failed> {
        let mut unfit = Vec::new();
        loop {
            let mut made = Vec::new();
            match self.bind_once(group, &mut made) {
                Ok(()) => return Ok(made),
                Err(failed) => {
                    let chosen = group.first().is_some_and(|first| first.address.port() == 0);
                    if !chosen || made.is_empty() || unfit.len() >= PORTS_TRIED {
                        return Err(failed);
                    }
                    unfit.extend(made);
                }
            }
        }
    }

    fn bind_once(&self, group: &[Planned], made: &mut Vec<One>) -> Result<(), Failed> {
        let mut port = None;
        for &planned in group {
            let mut planned = planned;
            if planned.origin == Origin::Instead && !made.is_empty() {
                continue;
            }
            if let (Origin::Added, Some(port)) = (planned.origin, port) {
                planned.address.set_port(port);
            }
            match self.bind_one(planned) {
                Ok(one) => {
                    port = Some(one.planned.address.port());
                    made.push(one);
                }
                Err(failed) if is_dispensable(&failed, planned, group) => {}
                Err(failed) => return Err(failed),
            }
        }
        Ok(())
    }

    fn bind_one(&self, planned: Planned) -> Result<One, Failed> {
        let sharing = self.sharing(planned.address.port());
        if self.guard == Guard::Exclusive && self.group == Group::Alone {
            refuse_beside_others(planned, &[])?;
        }
        match socket::bound(planned, sharing) {
            Ok((socket, address)) => Ok(One { socket, planned: Planned { address, ..planned } }),
            Err((operation, errno)) => {
                let error = BindError::new(operation, Some(planned.address), errno);
                Err(Failed::new(error, Some((planned, sharing))))
            }
        }
    }

    fn sharing(&self, port: u16) -> Sharing {
        match (self.guard, self.group) {
            (Guard::Open, Group::Alone) => Sharing { address: true, port: false },
            (Guard::Open, Group::Shared) => Sharing { address: true, port: true },
            (Guard::Exclusive, Group::Alone) => exclusive::sharing(port),
            (Guard::Exclusive, Group::Shared) => Sharing { port: true, ..exclusive::sharing(port) },
        }
    }
}

/// Whether nothing is missing without this socket: the host has no such address, so nobody can bind it; or another takes
/// its place.
fn is_dispensable(failed: &Failed, planned: Planned, group: &[Planned]) -> bool {
    let errno = Errno::from_io_error(&failed.error.cause);
    let absent = matches!(errno, Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL));
    let has_substitute = group.iter().any(|one| one.origin == Origin::Instead);
    match planned.origin {
        Origin::Added => absent,
        Origin::Asked => absent && has_substitute,
        Origin::Instead => false,
    }
}

/// What the kernel of this decade grants by default (`SOMAXCONN`).
const BACKLOG: u32 = 4096;
/// How often the kernel may choose a port that is taken in the other family.
const PORTS_TRIED: usize = 32;
