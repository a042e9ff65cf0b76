//! Sockets on their way: bound, then listening, and what is known of an attempt that failed.

use super::error::BindError;
use super::exclusive;
use super::families::Planned;
use super::socket::{self, Operation, Sharing};
use lastack_model::ids::Cookie;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::sockopt;
use std::net::{SocketAddr, TcpListener};

/// Sockets that are bound and do not listen yet: nobody is served, and the port is taken.
///
/// A program that gives up its rights may do so between the two.
///
/// ```
/// use lastack_graceful::bind::Bind;
///
/// # fn main() -> Result<(), lastack_graceful::bind::BindError> {
/// let bound = Bind::to("127.0.0.1:0").exclusive().bound()?;
/// // The rights to bind are given up here.
/// let listeners = bound.listen()?;
/// assert!(!listeners.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nobody is served until it listens"]
pub struct Bound {
    pub(super) sockets: Vec<One>,
    pub(super) guard: Guard,
    pub(super) group: Group,
    pub(super) backlog: u32,
    pub(super) mode: Mode,
}

#[derive(Debug)]
pub(super) struct One {
    pub(super) socket: OwnedFd,
    pub(super) planned: Planned,
}

/// Whether other users are kept out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Guard {
    Open,
    Exclusive,
}

/// Whether others of the same user may listen beside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Group {
    Alone,
    Shared,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    Blocking,
    NonBlocking,
}

/// An attempt that failed, and what it was about.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: Box<BindError>,
    /// The bind and its options, as whoever explains it has to judge them. `None` where no socket is to blame.
    #[cfg_attr(not(feature = "explain"), expect(dead_code, reason = "only an explanation asks"))]
    pub(super) bind: Option<(Planned, Sharing)>,
}

impl Failed {
    pub(super) fn new(error: BindError, bind: Option<(Planned, Sharing)>) -> Self {
        Self { error: Box::new(error), bind }
    }
}

impl Bound {
    /// Lets all of them listen.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` where somebody else who shares the address was first to listen: the kernel asks for the port once
    /// more (`inet_csk_listen_start`). [`Bind::exclusive`](super::Bind::exclusive) leaves no room for that to other users.
    pub fn listen(self) -> Result<Vec<TcpListener>, BindError> {
        // Whoever is explained to must not find the bound sockets themselves.
        self.try_listen().map_err(super::retry::told)
    }

    /// The addresses, with the port that the kernel chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|one| one.planned.address).collect()
    }

    /// The sockets, in the same order, for options that are not offered here.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(|one| one.socket.as_fd())
    }

    pub(super) fn try_listen(self) -> Result<Vec<TcpListener>, Failed> {
        let mut own = Vec::new();
        for One { socket, planned } in &self.sockets {
            let refused = |(operation, errno): (Operation, Errno)| {
                let sharing = Sharing { address: true, port: false };
                let error = BindError::new(operation, Some(planned.address), errno);
                Failed::new(error, Some((*planned, sharing)))
            };
            if self.mode == Mode::NonBlocking {
                ioctl_fionbio(socket, true)
                    .map_err(|errno| refused((Operation::Set("non-blocking mode"), errno)))?;
            }
            socket::listen(socket, self.backlog).map_err(refused)?;
            own.push(
                sockopt::socket_cookie(socket)
                    .map(Cookie)
                    .map_err(|errno| refused((Operation::Set("SO_COOKIE"), errno)))?,
            );
        }
        if self.guard == Guard::Exclusive && self.group == Group::Alone {
            for one in &self.sockets {
                refuse_beside_others(one.planned, &own)?;
            }
        }
        Ok(self.sockets.into_iter().map(|one| TcpListener::from(one.socket)).collect())
    }
}

/// `SO_REUSEPORT` would let a second server of the same user in; nobody asked for that.
pub(super) fn refuse_beside_others(planned: Planned, own: &[Cookie]) -> Result<(), Failed> {
    if planned.address.port() == 0 {
        return Ok(());
    }
    match exclusive::other_listener(planned, own) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => {
            Err(Failed::new(exclusive::in_use(planned), Some((planned, Sharing::default()))))
        }
        Err(error) => Err(Failed::new(error, None)),
    }
}
