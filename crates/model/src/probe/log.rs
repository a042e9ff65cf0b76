//! What happened on one connection of a probe, as data: the only thing that verdicts rest on.

use super::http::Extent;
use super::tls::Tls;
use super::trial::{Awaited, Kind, Trial};
use crate::state::State;

/// A log: what happened on one connection.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Observed {
    /// What it was for.
    pub kind: Kind,
    /// How many octets were to be sent, unless the connection broke.
    pub planned: u64,
    /// How many the kernel took.
    pub sent: u64,
    /// How many were read.
    pub received: u64,
    /// The answer's status, where HTTP is spoken.
    pub status: Option<u16>,
    /// What the server calls itself.
    pub server: Option<String>,
    /// How much of the answer came, where HTTP is spoken.
    pub extent: Option<Extent>,
    /// Whether the answer says that the connection ends with it.
    pub announces_close: bool,
    /// Whether TLS is spoken.
    pub speaks_tls: bool,
    /// What was agreed with the server, where TLS is spoken and its handshake came to its end.
    pub tls: Option<Tls>,
    /// What happened.
    pub log: Vec<Entry>,
}

/// One thing that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Entry {
    /// When, in milliseconds since the connection was made.
    pub at_ms: u64,
    /// What.
    pub what: Happened,
    /// The state of this end.
    pub here: Option<State>,
    /// The state of the other end, where it could be seen.
    pub there: Option<State>,
    /// Sequence numbers sent and not acknowledged.
    pub unacked: Option<u32>,
    /// Under what was written or read, over TLS: how many octets the segments carried. TLS's own words, such as its
    /// handshake, are 0 octets of the message.
    pub wire: Option<u64>,
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Happened {
    /// The connection was made.
    Connected,
    /// The handshake of TLS is over.
    Secured,
    /// The kernel took so many octets.
    Wrote(u64),
    /// For a while the kernel took nothing: the other side does not read.
    Stuck,
    /// Something came, and was left unread.
    Answering,
    /// So many octets were read.
    Read(u64),
    /// The answer is there to its end.
    Answered,
    /// The peer's `close_notify`: it says nothing more (RFC 8446 §6.1).
    PeerCloseNotify,
    /// The peer's FIN: reading gave 0.
    PeerFin,
    /// This side's `close_notify`.
    CloseNotify,
    /// This side's FIN.
    Shutdown,
    /// A reset: the call that was told of it failed.
    Reset(Told),
    /// After a reset reading gave 0, as at a proper end.
    FalseEnd,
    /// Everything sent was acknowledged.
    Acknowledged,
    /// This was waited for in vain.
    Overdue(Awaited),
    /// More came than is read.
    TooMuch,
    /// The kernel gave up, or the connection could not be made, for this reason.
    Failed(String),
}

/// Which call was told of a reset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Told {
    /// One that writes.
    Writer,
    /// One that reads.
    Reader,
    /// None: it was the socket's error.
    Nobody,
}

impl Observed {
    /// A log with nothing in it yet.
    pub fn new(trial: &Trial) -> Self {
        Self {
            kind: trial.kind,
            planned: trial.sends(),
            sent: 0,
            received: 0,
            status: None,
            server: None,
            extent: trial.speaks_http.then_some(Extent::Nothing),
            announces_close: false,
            speaks_tls: trial.speaks_tls,
            tls: None,
            log: Vec::new(),
        }
    }

    /// One of a connection that could not be made, for this reason.
    pub fn unreached(trial: &Trial, cause: String) -> Self {
        let failed = Entry {
            at_ms: 0,
            what: Happened::Failed(cause),
            here: Some(State::Closed),
            there: None,
            unacked: None,
            wire: None,
        };
        Self { log: vec![failed], ..Self::new(trial) }
    }
}
