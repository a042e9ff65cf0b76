//! Handing listeners over: from whoever started this process, from its predecessor, or out of a running process that
//! does not know of it.
//!
//! A listener that is passed on keeps its queue: between two servers that share it nobody is refused, and nobody who
//! waits is lost. [`Listeners`] come
//!
//! - from the environment, [`Listeners::from_env`]: systemd's sockets, einhorn, `Server::Starter`;
//! - from the predecessor, which [offers](Listeners::offer) them at a path where its successor
//!   [receives](Listeners::receive) them, by name, and says when it is ready;
//! - from any process that may be traced, [`Listeners::take_from`].
//!
//! The predecessor then ends with [`close_draining`](crate::listener::close_draining) and
//! [`Successor::SharedSocket`](crate::listener::Successor::SharedSocket).
//!
//! ```
//! use lastack_graceful::handover::{Listeners, Mode, Terms};
//! use lastack_graceful::listener::{Successor, close_draining};
//! use std::net::{TcpListener, TcpStream};
//! use std::time::{Duration, Instant};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("lastack-handover-{}", std::process::id()));
//! # std::fs::create_dir(&folder)?;
//! # let path = folder.join("offer");
//! // The server that runs.
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let mut listeners = Listeners::new();
//! listeners.add("http", &listener)?;
//! let mut offer = listeners.offer(&path, &Terms::default())?;
//! // Both would be processes.
//! let successor = std::thread::spawn(move || {
//!     let (mut listeners, predecessor) = Listeners::receive(&path, &Terms::default())?;
//!     let listener = listeners.take("http", Mode::Blocking)?;
//!     predecessor.ready()?;
//!     Ok::<_, lastack_graceful::handover::Error>(listener)
//! });
//! offer.wait(Duration::from_secs(10))?;
//! let deadline = Instant::now() + Duration::from_secs(5);
//! let report = close_draining(listener, Successor::SharedSocket, deadline, drop)?;
//! assert!(report.lost_nobody());
//!
//! let listener = successor.join().unwrap()?;
//! let _client = TcpStream::connect(address)?;
//! listener.accept()?;
//! # std::fs::remove_dir(&folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! # The blocking mode is shared
//!
//! `O_NONBLOCK` belongs to the socket's open file, not to a descriptor: all who share a listener share it. A blocking
//! listener makes an asynchronous runtime hang in `accept`, a non-blocking one gives `WouldBlock` to a loop that expects
//! to wait. So [`Mode`] is always said, and both sides of a hand-over should use the same.

pub mod environment;
pub mod frame;
mod offer;
mod receive;
mod terms;

pub use lastack_os::{Error, Result};
pub use offer::{Offer, Taken};
pub use receive::Predecessor;
pub use terms::Terms;

use environment::{Passed, Reader, VARIABLES};
use lastack_model::ids::Pid;
use lastack_os::listener::{Examined, Inherited, adopt, examine};
use lastack_os::process::own_pidfd_id;
use rustix::fd::AsFd;
use rustix::io::fcntl_dupfd_cloexec;
use std::io::{Error as IoError, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

/// Listeners with names, in the order they came. Several may have one name, or one address.
///
/// Dropped, they are closed: what nobody else holds is gone with its queue.
#[derive(Debug, Default)]
pub struct Listeners {
    held: Vec<Named>,
    others: Vec<Other>,
}

/// What a listener does when nobody waits in it: for all who share it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// `accept` waits.
    Blocking,
    /// `accept` says that it would have to wait (`O_NONBLOCK`), as asynchronous runtimes need it.
    NonBlocking,
    /// As it is.
    Unchanged,
}

/// A descriptor that was passed and is no TCP listener. It was left as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Other {
    /// Its number.
    pub number: i32,
    /// Its name.
    pub name: String,
    /// What it is instead, in words that follow "it is".
    pub what: &'static str,
}

#[derive(Debug)]
struct Named {
    name: String,
    address: SocketAddr,
    listener: TcpListener,
}

impl Listeners {
    /// None yet.
    pub const fn new() -> Self {
        Self { held: Vec::new(), others: Vec::new() }
    }

    /// Adds a second descriptor of this listener, of whatever type it is; the first goes on as it was.
    ///
    /// # Errors
    ///
    /// When it does not listen for TCP connections, or no descriptor is left.
    pub fn add(&mut self, name: &str, listener: &impl AsFd) -> Result<()> {
        let failed = |cause: IoError| Error::new("add", format!("listener {name:?}"), cause);
        let copy = fcntl_dupfd_cloexec(listener, 0).map_err(|cause| failed(cause.into()))?;
        self.keep(name.to_owned(), copy.into()).map_err(failed)
    }

    /// Takes over the listeners that were passed to this process, as its environment says; none where it says nothing.
    /// [`environment`] has the conventions.
    ///
    /// Each descriptor is checked to listen for TCP connections, closed on `exec` from now on, and left in its blocking
    /// mode until it is taken. Descriptors of other kinds are left alone, see [`others`](Self::others).
    ///
    /// The variables stay: changing the environment of a process that may have threads is unsafe
    /// ([`std::env::remove_var`]). Children mistake nothing for theirs, since each convention but `Server::Starter`'s
    /// names the process it means; [`hide_from`](Self::hide_from) spares a child even that.
    ///
    /// ```
    /// use lastack_graceful::handover::{Listeners, Mode};
    /// use std::net::TcpListener;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut passed = Listeners::from_env()?;
    /// let listener = match passed.is_empty() {
    ///     true => TcpListener::bind("127.0.0.1:0")?,
    ///     false => passed.take("http", Mode::Blocking)?,
    /// };
    /// for other in passed.others() {
    ///     eprintln!("descriptor {} ({}) is not used: it is {}", other.number, other.name, other.what);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When a variable is malformed, or names a descriptor that is not open, was opened by this program, or was taken
    /// over before: call it once. Nothing was taken over then.
    pub fn from_env() -> Result<Self> {
        let reader = Reader {
            pid: std::process::id(),
            parent: std::os::unix::process::parent_id(),
            pidfd_id: own_pidfd_id(),
        };
        let lookup =
            |name: &str| std::env::var_os(name).map(|it| it.to_string_lossy().into_owned());
        let passed = environment::parse(lookup, &reader).map_err(|malformed| {
            let cause = IoError::new(ErrorKind::InvalidData, malformed);
            Error::new("read", "the environment's listeners", cause)
                .with_remedy("unset it, or start this program as its manager would")
        })?;
        let numbers: Vec<i32> = passed.iter().map(|passed| passed.number).collect();
        let mut this = Self::new();
        for (Passed { number, name }, inherited) in passed.into_iter().zip(adopt(&numbers)?) {
            match inherited {
                Inherited::Listener(listener) => this
                    .keep(name, listener)
                    .map_err(|cause| Error::new("adopt", format!("descriptor {number}"), cause))?,
                Inherited::Other(what) => this.others.push(Other { number, name, what }),
            }
        }
        Ok(this)
    }

    /// Receives the listeners that another process [offers](Self::offer) at this path, waiting for its turn and for each
    /// message as long as the terms say. Both then have them.
    ///
    /// [`Predecessor::ready`] tells it that this process accepts connections. Until then, or if it never comes to that,
    /// the other goes on as if nothing had been asked.
    ///
    /// # Errors
    ///
    /// When nobody offers there, or somebody whom the terms do not trust; when messages are late or malformed, or what
    /// they bring does not listen. Everything received is closed then.
    pub fn receive(
        path: impl AsRef<std::path::Path>,
        terms: &Terms,
    ) -> Result<(Self, Predecessor)> {
        receive::receive(path.as_ref(), terms)
    }

    /// Offers the listeners at this path to a successor, which [`Offer::wait`] waits for.
    ///
    /// The path gets a socket with mode 0600; what a dead process of this user left there is replaced, and nothing else.
    ///
    /// # Errors
    ///
    /// When there is no listener, a name has control characters or more than 255 octets, somebody offers there already,
    /// or others may replace files in the directory.
    pub fn offer(self, path: impl AsRef<std::path::Path>, terms: &Terms) -> Result<Offer> {
        Offer::open(self, path.as_ref(), terms)
    }

    /// Takes a second descriptor of the listeners that a running process has at this address: one, or all of a
    /// `SO_REUSEPORT` group, each called by its address. `0.0.0.0` and `[::]` also mean whatever one address it listens
    /// on at that port.
    ///
    /// The process notices nothing and goes on accepting (`pidfd_getfd`, Linux 5.6). It is held by a pidfd all the while,
    /// so no other that got its pid is ever meant.
    ///
    /// # Errors
    ///
    /// When it is gone, may not be traced, or has no such listener; when a wildcard fits listeners at several addresses.
    pub fn take_from(pid: u32, address: SocketAddr) -> Result<Self> {
        let mut this = Self::new();
        for listener in lastack_os::listener::take_from(Pid(pid), address)? {
            let failed = |cause| Error::new("take", format!("a listener of pid {pid}"), cause);
            let name = listener.local_addr().map_err(failed)?.to_string();
            this.keep(name, listener).map_err(failed)?;
        }
        Ok(this)
    }

    /// The first listener of this name, which leaves the others.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the names that there are; or where its mode cannot be set, and then it is closed.
    pub fn take(&mut self, name: &str, mode: Mode) -> Result<TcpListener> {
        self.take_where(name, mode, |held| held.name == name)
    }

    /// The first listener at this address, which leaves the others.
    ///
    /// ```
    /// use lastack_graceful::handover::{Listeners, Mode};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let mut listeners = Listeners::new();
    /// listeners.add("http", &listener)?;
    /// let taken = listeners.take_at(address, Mode::Unchanged)?;
    /// assert_eq!(taken.local_addr()?, address);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub fn take_at(&mut self, address: SocketAddr, mode: Mode) -> Result<TcpListener> {
        self.take_where(&address.to_string(), mode, |held| held.address == address)
    }

    /// The first listener of this name for tokio, made non-blocking for all who share it.
    ///
    /// ```
    /// use lastack_graceful::handover::Listeners;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let mut listeners = Listeners::new();
    /// listeners.add("http", &listener)?;
    /// let taken = listeners.take_tokio("http")?;
    /// let _client = tokio::net::TcpStream::connect(taken.local_addr()?).await?;
    /// taken.accept().await?;
    /// # Ok(()) })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take), and where the runtime does not take it.
    ///
    /// # Panics
    ///
    /// Outside a runtime with I/O enabled, as tokio's own listener does.
    #[cfg(feature = "tokio")]
    pub fn take_tokio(&mut self, name: &str) -> Result<tokio::net::TcpListener> {
        let listener = self.take(name, Mode::NonBlocking)?;
        tokio::net::TcpListener::from_std(listener)
            .map_err(|cause| Error::new("register", format!("listener {name:?}"), cause))
    }

    /// Their names and addresses, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.held.iter().map(|held| (held.name.as_str(), held.address))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What else the environment passed.
    pub fn others(&self) -> &[Other] {
        &self.others
    }

    /// Lets a child see nothing of what was passed to this process.
    ///
    /// ```
    /// let mut child = std::process::Command::new("true");
    /// lastack_graceful::handover::Listeners::hide_from(&mut child);
    /// assert!(child.get_envs().any(|variable| variable == ("LISTEN_FDS".as_ref(), None)));
    /// ```
    pub fn hide_from(command: &mut Command) {
        for variable in VARIABLES {
            command.env_remove(variable);
        }
    }

    fn take_where(
        &mut self,
        wanted: &str,
        mode: Mode,
        is_wanted: impl Fn(&Named) -> bool,
    ) -> Result<TcpListener> {
        let failed = |cause: IoError| Error::new("take", format!("listener {wanted:?}"), cause);
        let Some(at) = self.held.iter().position(is_wanted) else {
            let there: Vec<_> =
                self.iter().map(|(name, address)| format!("{name:?} at {address}")).collect();
            let there = if there.is_empty() { "none".into() } else { there.join(", ") };
            let cause = IoError::new(ErrorKind::NotFound, format!("not among those here: {there}"));
            return Err(failed(cause));
        };
        let listener = self.held.remove(at).listener;
        match mode {
            Mode::Blocking => listener.set_nonblocking(false).map_err(failed)?,
            Mode::NonBlocking => listener.set_nonblocking(true).map_err(failed)?,
            Mode::Unchanged => {}
        }
        Ok(listener)
    }

    fn keep(&mut self, name: String, listener: TcpListener) -> std::io::Result<()> {
        match examine(&listener)? {
            Examined::Listener(address) => {
                self.held.push(Named { name, address, listener });
                Ok(())
            }
            Examined::Other(what) => {
                Err(IoError::new(ErrorKind::InvalidInput, format!("it is {what}")))
            }
        }
    }
}

impl IntoIterator for Listeners {
    type Item = (String, TcpListener);
    type IntoIter = std::vec::IntoIter<(String, TcpListener)>;

    /// Each with its name, its blocking mode unchanged.
    fn into_iter(self) -> Self::IntoIter {
        let each = self.held.into_iter().map(|held| (held.name, held.listener));
        each.collect::<Vec<_>>().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_taken_by_name_or_address_and_only_once() {
        let first = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let second = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let mut listeners = Listeners::new();
        listeners.add("web", &first).expect("added");
        listeners.add("web", &second).expect("added");
        let address = second.local_addr().expect("its address");
        let taken = listeners.take_at(address, Mode::Unchanged).expect("there");
        assert_eq!(taken.local_addr().expect("its address"), address);
        let taken = listeners.take("web", Mode::NonBlocking).expect("there");
        assert_eq!(taken.accept().expect_err("nobody waits").kind(), ErrorKind::WouldBlock);
        // One open file, one mode.
        assert_eq!(first.accept().expect_err("nobody waits").kind(), ErrorKind::WouldBlock);
        assert!(listeners.is_empty());
        let error = listeners.take("web", Mode::Blocking).expect_err("taken before").to_string();
        assert!(error.contains("none"), "{error}");
    }

    #[test]
    fn a_name_that_is_not_there_is_answered_with_those_that_are() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let mut listeners = Listeners::new();
        listeners.add("http", &listener).expect("added");
        let error = listeners.take("https", Mode::Blocking).expect_err("not there").to_string();
        assert!(error.contains("\"http\" at 127.0.0.1:"), "{error}");
    }

    #[test]
    fn what_does_not_listen_is_not_added() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let error = Listeners::new().add("dns", &socket).expect_err("no listener").to_string();
        assert!(error.contains("another protocol than TCP"), "{error}");
    }
}
