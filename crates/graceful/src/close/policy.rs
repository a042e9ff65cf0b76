//! How a connection shall be closed: who goes first, and how long is waited for what.

use std::time::Duration;

/// How a connection shall be closed. Every wait has an end: no policy can leave a connection in `FIN_WAIT_2` or
/// `CLOSE_WAIT` for ever.
///
/// Who goes first keeps `TIME_WAIT`, 60 s on Linux, and what that costs depends on the role. A listening server keeps it
/// on the port that it listens on, which stays usable: close first, or let clients that know the answer's length do so.
/// A client keeps it on a port of its own, which is lost toward that destination meanwhile: at most ports / 60 s
/// connections a second, 470 with the usual 28,232. So a proxy lets its upstream close first, with
/// [`client`](Self::client) and [`remote_first`](Self::remote_first), as its example `proxy` does.
///
/// ```
/// use lastack_graceful::close::ClosePolicy;
/// use std::time::Duration;
///
/// let policy = ClosePolicy::server().remote_first(ClosePolicy::REMOTE_WAIT).within(Duration::from_secs(10));
/// assert_eq!(policy.total, Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClosePolicy {
    /// Who sends the first FIN.
    pub order: Order,
    /// The longest that the whole close may take, with the time that the peer is given to close first.
    pub total: Duration,
    /// The longest silence: no octet received and none acknowledged, counted from the beginning and anew from this
    /// side's FIN. The time that the peer is given to close first does not count. Acknowledgements are looked for four
    /// times in that span, so it may be a quarter longer.
    pub idle: Duration,
    /// So many octets are read and thrown away at most; one more, and the connection is reset.
    pub discard_limit: u64,
    /// What becomes of a connection that did not end in time.
    pub at_deadline: AtDeadline,
}

/// Who sends the first FIN, and so keeps `TIME_WAIT` (RFC 9293 §3.6.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// This side, at once. `TIME_WAIT` stays here.
    LocalFirst,
    /// The peer, if it does within `wait`; then this side.
    ///
    /// Only for peers that know where the message ends (a length, a terminator): one that reads until the end of the
    /// stream waits for this side's FIN, and `wait` is lost.
    RemoteFirst {
        /// How long the peer's FIN is waited for before this side's is sent.
        wait: Duration,
    },
}

/// What becomes of a connection that did not end in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AtDeadline {
    /// It is reset: nothing stays here, and the peer learns that something went wrong.
    Reset,
    /// The descriptor is closed and the rest is left to the kernel, which gives up on its own terms (on Linux
    /// `tcp_fin_timeout` in `FIN_WAIT_2`, `tcp_orphan_retries` before). Where octets wait unread, closing resets all the
    /// same (RFC 2525 §2.17). So does a layer above TCP that still keeps a part of the message.
    Orphan,
}

impl ClosePolicy {
    /// How long a peer that knows the message's end is given to close first.
    ///
    /// Over loopback curl, Python and Node closed 0.1 to 0.4 ms after it in the median of 500 answers each, and some 10 ms at
    /// most (`cargo xtask bench prompt`); the rest is for the way there and back, and for busier machines.
    pub const REMOTE_WAIT: Duration = Duration::from_secs(1);

    /// For servers, whose peers may still be sending what nobody will read: this side's FIN at once, then whatever
    /// arrives is thrown away until the peer's FIN, for 30 s at most and 5 s of silence, as long-lived web servers do.
    pub const fn server() -> Self {
        Self {
            order: Order::LocalFirst,
            total: Duration::from_secs(30),
            idle: Duration::from_secs(5),
            discard_limit: 256 << 20,
            at_deadline: AtDeadline::Reset,
        }
    }

    /// For clients, which as a rule have read what they came for: the same with less patience, and without the right to
    /// flood them.
    pub const fn client() -> Self {
        Self {
            total: Duration::from_secs(10),
            idle: Duration::from_secs(2),
            discard_limit: 1 << 20,
            ..Self::server()
        }
    }

    /// The peer may close first.
    #[must_use]
    pub const fn remote_first(self, wait: Duration) -> Self {
        Self { order: Order::RemoteFirst { wait }, ..self }
    }

    /// The whole close takes no longer than this.
    #[must_use]
    pub const fn within(self, total: Duration) -> Self {
        Self { total, ..self }
    }

    /// Silence is borne no longer than this.
    #[must_use]
    pub const fn idle(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }

    /// No more octets than this are thrown away.
    #[must_use]
    pub const fn discard_limit(self, octets: u64) -> Self {
        Self { discard_limit: octets, ..self }
    }

    /// What did not end in time ends this way.
    #[must_use]
    pub const fn at_deadline(self, at_deadline: AtDeadline) -> Self {
        Self { at_deadline, ..self }
    }
}

impl Default for ClosePolicy {
    /// That of servers, the more patient one.
    fn default() -> Self {
        Self::server()
    }
}
