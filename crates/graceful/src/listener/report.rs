//! What comes after a listener, how it was closed, and what that cost.

use std::fmt;
use std::time::Duration;

/// Who serves the address when this listener is closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Successor {
    /// Nobody: the server ends.
    None,
    /// Whoever holds the same socket: it was inherited, passed or duplicated.
    SharedSocket,
    /// Another listener on the same address, both with `SO_REUSEPORT`, of the same user.
    SameGroup {
        /// Its place in the group: members count from 0 in the order of their `listen()`, and when one closes, the last
        /// takes its place. With two members the newer is 1.
        index: u32,
    },
}

/// How new connections were kept from the listener while it was emptied.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Method {
    /// They were not: the socket lives on with its queue, in other hands.
    Shared,
    /// The kernel gave them to the successor (`SO_ATTACH_REUSEPORT_CBPF`). Nobody waits, nobody is lost.
    Steered,
    /// The kernel moved what was left to another member of the group at the close (`tcp_migrate_req`). A handshake that
    /// ends in that very moment can be lost.
    Migrated,
    /// Their first segment was dropped (`SO_ATTACH_FILTER`); a client tries again a second later, when the listener is
    /// gone or its successor answers. Nobody who was connected is lost. Needs `CAP_NET_ADMIN` since kernels of 2026.
    SynFilter,
    /// Their first segment was dropped because of its TTL (`IP_MINTTL`, `IPV6_MINHOPCOUNT`), with the same effect and
    /// without a privilege. A client of the same network whose system begins at 255 is not held off; when one is seen,
    /// the method becomes [`Method::AcceptLoop`]. What a client sends in the instant between the end of its handshake and
    /// its being accepted is sent again a little later.
    TtlFloor,
    /// They were not: the queue was found empty once, and whoever came after that look was reset.
    AcceptLoop,
}

/// How the closing of a listener went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "the report is the only place that tells whether clients were lost"]
#[non_exhaustive]
pub struct DrainReport {
    /// Connections that were accepted and handed to `serve`.
    pub accepted: u64,
    /// Handshakes half open when the listener was closed, which lost them; `None` where the system does not tell.
    /// In a group it may count some of a sibling's, which lost nothing. With [`Method::Migrated`] they were moved, and
    /// with [`Method::Shared`] they stayed: 0.
    pub half_open_left: Option<u32>,
    /// Connections in the accept queue when the listener was closed, which were reset. With [`Method::Migrated`] they
    /// were moved: 0. With [`Method::Shared`] more than 0 means that nobody else held the socket.
    pub stranded: u32,
    /// How it was closed.
    pub method: Method,
    /// How long it took, the calls of `serve` included.
    pub elapsed: Duration,
}

impl DrainReport {
    /// Whether it is known that no client was lost. Never of [`Method::AcceptLoop`] and [`Method::Migrated`], which leave
    /// gaps that nobody sees. Of [`Method::TtlFloor`] nobody is known who would have come through.
    ///
    /// Handshakes by SYN cookies (`tcp_syncookies`: when the queue for handshakes is full) leave no trace before they end,
    /// so nobody can wait for them or count them. A client that holds a cookie at that moment is reset, unless another of the
    /// group, or another holder of the socket, is there to honour it.
    pub fn lost_nobody(&self) -> bool {
        let leaves_no_gap = match self.method {
            Method::Shared | Method::Steered | Method::SynFilter | Method::TtlFloor => true,
            Method::Migrated | Method::AcceptLoop => false,
        };
        leaves_no_gap && self.stranded == 0 && self.half_open_left == Some(0)
    }
}

impl Successor {
    /// The ways of closing, the strongest first.
    pub(super) const fn methods(self) -> &'static [Method] {
        match self {
            Self::SharedSocket => &[Method::Shared],
            Self::SameGroup { .. } => &[
                Method::Steered,
                Method::Migrated,
                Method::SynFilter,
                Method::TtlFloor,
                Method::AcceptLoop,
            ],
            Self::None => &[Method::SynFilter, Method::TtlFloor, Method::AcceptLoop],
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Shared => "shared socket",
            Self::Steered => "steered",
            Self::Migrated => "migrated",
            Self::SynFilter => "SYN filter",
            Self::TtlFloor => "TTL floor",
            Self::AcceptLoop => "accept loop",
        })
    }
}
