//! Why a connection from a chosen port did not come about.

use rustix::io::Errno;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A connection that did not come about. Its [`source`](std::error::Error::source) is the system's error.
///
/// ```
/// use lastack_graceful::ports::{Obstacle, Outgoing};
///
/// let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// let to = taken.local_addr().unwrap();
/// let error = Outgoing::to(to).from(to).connect().unwrap_err();
/// assert_eq!(error.obstacle(), Obstacle::PortInUse);
/// ```
#[derive(Debug)]
pub struct ConnectError {
    pub(super) step: Step,
    pub(super) local: Option<SocketAddr>,
    pub(super) destination: SocketAddr,
    pub(super) cause: io::Error,
}

/// What was done when it failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Prepare,
    Bind,
    Connect,
    /// A range, or a pool, of so many ports is spent; one may be free after that time, or when a connection ends.
    Choose(usize, Option<Duration>),
}

/// Why a connection did not come about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Obstacle {
    /// Another socket has the local port (`EADDRINUSE` from `bind()`).
    PortInUse,
    /// The local address is not one of this host's (`EADDRNOTAVAIL` from `bind()`).
    AddressNotAvailable,
    /// An earlier connection between the same two addresses and ports is not over (`EADDRNOTAVAIL` from `connect()`,
    /// `__inet_check_established`).
    FourTupleTaken,
    /// No port of the range or pool is left toward this destination.
    NoPortLeft {
        /// How long until the first one comes back by itself; `None` when that is not known.
        next: Option<Duration>,
    },
    /// A port below `net.ipv4.ip_unprivileged_port_start` without `CAP_NET_BIND_SERVICE`, or a security module.
    NotPermitted,
    /// The peer refused it (`ECONNREFUSED`).
    Refused,
    /// No answer in time.
    TimedOut,
    /// Anything else: see the source.
    Other,
}

impl ConnectError {
    /// Why it did not come about.
    pub fn obstacle(&self) -> Obstacle {
        match (self.step, Errno::from_io_error(&self.cause)) {
            (Step::Choose(_, next), _) => Obstacle::NoPortLeft { next },
            (Step::Bind, Some(Errno::ADDRINUSE)) => Obstacle::PortInUse,
            (Step::Bind, Some(Errno::ADDRNOTAVAIL)) => Obstacle::AddressNotAvailable,
            (Step::Bind, Some(Errno::ACCESS | Errno::PERM)) => Obstacle::NotPermitted,
            (Step::Connect, Some(Errno::ADDRNOTAVAIL)) if self.names_a_port() => {
                Obstacle::FourTupleTaken
            }
            (Step::Connect, Some(Errno::ADDRNOTAVAIL)) => Obstacle::NoPortLeft { next: None },
            (Step::Connect, Some(Errno::CONNREFUSED)) => Obstacle::Refused,
            (Step::Connect, Some(Errno::TIMEDOUT)) => Obstacle::TimedOut,
            _ => Obstacle::Other,
        }
    }

    /// The local address that was asked for; port 0 where the kernel was to choose one.
    pub const fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Where to.
    pub const fn destination(&self) -> SocketAddr {
        self.destination
    }

    fn names_a_port(&self) -> bool {
        self.local.is_some_and(|local| local.port() != 0)
    }

    fn words(&self) -> String {
        match self.obstacle() {
            Obstacle::PortInUse => {
                let port = self.local.map_or(0, |local| local.port());
                format!("another socket has the local port (`lastack why {port}` says which)")
            }
            Obstacle::AddressNotAvailable => "the local address is not one of this host's".into(),
            Obstacle::FourTupleTaken => {
                "an earlier connection between these two ends is not over (leave from another \
                 port, or let the other side close first)"
                    .into()
            }
            Obstacle::NoPortLeft { next } => {
                let which = match self.step {
                    Step::Choose(count, _) => format!("all {count} local ports are"),
                    Step::Prepare | Step::Bind | Step::Connect => "every local port is".into(),
                };
                let when = next.map_or_else(String::new, |next| {
                    format!("; the next is free in {:.1} s", next.as_secs_f64())
                });
                format!("{which} in use toward it{when}")
            }
            Obstacle::NotPermitted => "permission denied (ports below \
                 net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE)"
                .into(),
            Obstacle::Refused => "nobody listens there".into(),
            Obstacle::TimedOut => "no answer in time".into(),
            Obstacle::Other => self.cause.to_string(),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connect to {}", self.destination)?;
        match self.local.map(|local| (local, local.ip().is_unspecified(), local.port())) {
            None | Some((_, true, 0)) => {}
            Some((_, true, port)) => write!(f, " from port {port}")?,
            Some((local, false, _)) => write!(f, " from {local}")?,
        }
        write!(f, ": {}", self.words())
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        Self::new(error.cause.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(local: &str) -> String {
        let local = Some(local.parse().expect("an address"));
        let destination = "127.0.0.1:514".parse().expect("an address");
        let cause = Errno::CONNREFUSED.into();
        ConnectError { step: Step::Connect, local, destination, cause }.to_string()
    }

    #[test]
    fn says_of_its_local_address_only_what_was_chosen() {
        assert_eq!(refused("[::]:0"), "connect to 127.0.0.1:514: nobody listens there");
        assert_eq!(
            refused("0.0.0.0:680"),
            "connect to 127.0.0.1:514 from port 680: nobody listens there"
        );
        assert_eq!(
            refused("127.0.0.2:680"),
            "connect to 127.0.0.1:514 from 127.0.0.2:680: nobody listens there"
        );
    }
}
