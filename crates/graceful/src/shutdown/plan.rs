//! What a server's end may take: how long is waited for what, and what becomes of those who are not done by then.

use crate::close::ClosePolicy;
use crate::listener::Successor;
use std::time::Duration;

/// What a server's end may take. Every phase has a bound, so the end has one: their sum.
///
/// 1. Every listener is closed as [`listener`](crate::listener) does it: new connections are sent to the `successor` or
///    held off, and everybody who waits is accepted, within `queue`.
/// 2. Whoever was accepted and has sent nothing yet gets `first_byte` to do so. A server that is told to finish closes
///    such connections at once (hyper's `graceful_shutdown` does), and a request that is on its way is lost with them.
/// 3. The server is told to finish what it has begun, and gets `finish` for it. What is open then is ended as `cut` says.
/// 4. Connections that are being closed get the time of their `linger` policy.
///
/// ```
/// use lastack_graceful::shutdown::{Cut, ShutdownPlan};
/// use std::time::Duration;
///
/// assert_eq!(ShutdownPlan::new().cut, Cut::Reset);
/// let plan = ShutdownPlan::new().finish(Duration::from_secs(10)).cut(Cut::Close);
/// assert_eq!(plan.first_byte, Duration::from_millis(250));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ShutdownPlan {
    /// Who serves the addresses afterwards.
    pub successor: Successor,
    /// How long emptying the listeners may take. Handshakes that wait for data (`TCP_DEFER_ACCEPT`) take longest.
    pub queue: Duration,
    /// How long a connection may take to send its first octet, counted from its being accepted or from the beginning of
    /// the end, whichever is later.
    pub first_byte: Duration,
    /// How long the server may take to finish what it has begun.
    pub finish: Duration,
    /// What becomes of a connection that is open after that.
    pub cut: Cut,
    /// How every connection of this server is closed, also before its end.
    pub linger: ClosePolicy,
}

/// How a connection is ended that the server did not finish in time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Cut {
    /// By a reset: its peer shall not take a part for the whole (RFC 9293 §3.10.5).
    Reset,
    /// By a FIN, then by the policy: for protocols that say themselves where a message ends.
    Close,
}

impl ShutdownPlan {
    /// No successor, 5 s for the queue, 250 ms for the first byte, 30 s to finish, then a reset; connections are closed
    /// as [`ClosePolicy::server`] says.
    pub const fn new() -> Self {
        Self {
            successor: Successor::None,
            queue: Duration::from_secs(5),
            first_byte: Duration::from_millis(250),
            finish: Duration::from_secs(30),
            cut: Cut::Reset,
            linger: ClosePolicy::server(),
        }
    }

    /// Another serves the addresses afterwards.
    #[must_use]
    pub const fn successor(self, successor: Successor) -> Self {
        Self { successor, ..self }
    }

    /// Emptying the listeners takes no longer than this.
    #[must_use]
    pub const fn queue(self, queue: Duration) -> Self {
        Self { queue, ..self }
    }

    /// Connections get this long to send their first octet.
    #[must_use]
    pub const fn first_byte(self, first_byte: Duration) -> Self {
        Self { first_byte, ..self }
    }

    /// The server gets this long to finish.
    #[must_use]
    pub const fn finish(self, finish: Duration) -> Self {
        Self { finish, ..self }
    }

    /// Connections that are open after that end this way.
    #[must_use]
    pub const fn cut(self, cut: Cut) -> Self {
        Self { cut, ..self }
    }

    /// Connections are closed by this policy.
    #[must_use]
    pub const fn linger(self, linger: ClosePolicy) -> Self {
        Self { linger, ..self }
    }
}

impl Default for ShutdownPlan {
    fn default() -> Self {
        Self::new()
    }
}
