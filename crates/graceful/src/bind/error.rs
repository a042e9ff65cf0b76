//! What went wrong, in words for whoever has to do something about it.

use super::socket::Operation;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A bind that failed. Its [`source`](std::error::Error::source) is the system's error; `?` turns it into an
/// [`io::Error`] of the same kind.
///
/// ```
/// use lastack_graceful::bind::{Bind, Reason};
///
/// let first = Bind::to("127.0.0.1:0").listen().unwrap();
/// let address = first.local_addr().unwrap();
/// let error = Bind::to(address).listen().unwrap_err();
/// assert_eq!(error.reason(), Reason::AddressInUse);
/// assert_eq!(error.address(), Some(address));
/// assert!(error.to_string().starts_with("address in use: "));
/// ```
#[derive(Debug)]
pub struct BindError {
    pub(super) operation: Operation,
    pub(super) object: String,
    pub(super) address: Option<SocketAddr>,
    pub(super) cause: io::Error,
    /// How long it was tried, when it was tried again.
    pub(super) waited: Option<Duration>,
    #[cfg(feature = "explain")]
    pub(super) explanation: Option<Box<lastack_model::why::Explanation>>,
}

/// Why a bind failed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// A socket stands in the way (`EADDRINUSE`).
    AddressInUse,
    /// The address is not one of this host's, or not yet (`EADDRNOTAVAIL`).
    AddressNotAvailable,
    /// A port below `net.ipv4.ip_unprivileged_port_start` without `CAP_NET_BIND_SERVICE`, or a security module
    /// (`EACCES`, `EPERM`).
    NotPermitted,
    /// The host has no such family (`EAFNOSUPPORT`).
    NoSuchFamily,
    /// The name does not resolve, or there is nothing to bind.
    BadAddress,
    /// The call asks for one socket where there are several: use [`Bind::listen_all`](super::Bind::listen_all).
    SeveralSockets,
    /// Anything else: see the source.
    Other,
}

impl BindError {
    pub(super) fn new(
        operation: Operation,
        address: Option<SocketAddr>,
        cause: impl Into<io::Error>,
    ) -> Self {
        Self {
            operation,
            object: address.map_or_else(String::new, |address| address.to_string()),
            address,
            cause: cause.into(),
            waited: None,
            #[cfg(feature = "explain")]
            explanation: None,
        }
    }

    /// Why it failed.
    pub fn reason(&self) -> Reason {
        match (self.operation, Errno::from_io_error(&self.cause)) {
            (Operation::Resolve, _) => Reason::BadAddress,
            (Operation::Choose, _) => Reason::SeveralSockets,
            (_, Some(Errno::ADDRINUSE)) => Reason::AddressInUse,
            (_, Some(Errno::ADDRNOTAVAIL)) => Reason::AddressNotAvailable,
            (_, Some(Errno::ACCESS | Errno::PERM)) => Reason::NotPermitted,
            (_, Some(Errno::AFNOSUPPORT)) => Reason::NoSuchFamily,
            _ => Reason::Other,
        }
    }

    /// The address that could not be had.
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// How long it was tried, when a deadline was set.
    pub const fn waited(&self) -> Option<Duration> {
        self.waited
    }

    /// The whole diagnosis: the sockets in the way, who holds them, how long they stay and what would help. `None` where
    /// no other socket could be to blame, or nothing could be seen.
    ///
    /// ```
    /// use lastack_graceful::bind::Bind;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let first = Bind::to("127.0.0.1:0").listen()?;
    /// let error = Bind::to(first.local_addr()?).listen().expect_err("it is in use");
    /// let explanation = error.explanation().expect("a socket is to blame");
    /// let holder = &explanation.conflicts[0].holders[0];
    /// assert_eq!(holder.process.pid.0, std::process::id());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "explain")]
    pub fn explanation(&self) -> Option<&lastack_model::why::Explanation> {
        self.explanation.as_deref()
    }

    fn words(&self) -> String {
        let object = &self.object;
        let operation = match self.operation {
            Operation::Resolve => return format!("resolve {object}: {}", self.cause),
            Operation::Choose => {
                return format!("listen with one socket: {object} need several (call listen_all)");
            }
            Operation::Open => "open a socket for",
            Operation::Set(option) => return format!("set {option} for {object}: {}", self.cause),
            Operation::Bind => "bind",
            Operation::Listen => "listen on",
            Operation::Look => "see who listens on",
        };
        match self.reason() {
            Reason::AddressInUse => format!("address in use: {}", self.culprit()),
            Reason::AddressNotAvailable => format!(
                "{operation} {object}: the address is not one of this host's (it may lack the \
                 address still, or IPv6)"
            ),
            Reason::NotPermitted => format!(
                "{operation} {object}: permission denied (ports below \
                 net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE; a security module \
                 may refuse others)"
            ),
            Reason::NoSuchFamily => {
                format!("{operation} {object}: the host has no such address family")
            }
            Reason::BadAddress | Reason::SeveralSockets | Reason::Other => {
                format!("{operation} {object}: {}", self.cause)
            }
        }
    }

    #[cfg(feature = "explain")]
    fn culprit(&self) -> String {
        let told =
            self.explanation.as_deref().and_then(|it| super::explain::culprit(it, self.address));
        told.unwrap_or_else(|| format!("{} (no socket that explains it is visible)", self.object))
    }

    #[cfg(not(feature = "explain"))]
    fn culprit(&self) -> String {
        let object = &self.object;
        format!(
            "{object} (`lastack why {object}` says who holds it, as the feature `explain` does)"
        )
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())?;
        match self.waited {
            Some(waited) => write!(f, "; waited {:.1} s", waited.as_secs_f64()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl From<BindError> for io::Error {
    fn from(error: BindError) -> Self {
        Self::new(error.cause.kind(), error)
    }
}
