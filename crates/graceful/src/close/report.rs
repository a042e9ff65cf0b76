//! How a close went, in words that promise no more than TCP can.

use std::fmt;
use std::time::Duration;

/// How a close went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "the report is the only place that tells whether the peer got everything"]
#[non_exhaustive]
pub struct CloseReport {
    /// How it ended.
    pub outcome: Outcome,
    /// Octets that the peer's kernel has not acknowledged; `None` where the system does not tell. For a layer above TCP
    /// they are those of its message (for TLS, of its records), sent or not; its end does not count.
    pub unacked: Option<u64>,
    /// Octets that were received and thrown away.
    pub discarded: u64,
    /// Who sent the first FIN.
    pub first_fin: FirstFin,
    /// Who is left with `TIME_WAIT`.
    pub time_wait: TimeWait,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a close ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// Everything was acknowledged, and the peer's FIN arrived: both sides are done. If its FIN came after ours, its
    /// program closed knowing that ours had, which is the most that TCP can say.
    Orderly,
    /// Everything was acknowledged by the peer's kernel, but its FIN did not come in time.
    Acknowledged,
    /// The peer reset the connection.
    PeerReset,
    /// The kernel gave the connection up: no answer for too long, or the peer cannot be reached.
    Lost,
    /// There was no connection any more when the close began, and the kernel does not say how it ended: by an error that
    /// the program was told before, or by the peer's FIN after one that the program had sent itself.
    Gone,
    /// Time was up, and the peer had not acknowledged everything.
    TimedOut,
    /// The peer went on sending beyond what is thrown away.
    DiscardLimit,
}

/// What is known of the delivery of what was sent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Delivered {
    /// To the peer's kernel, and the peer closed after that: its program could read everything.
    Yes,
    /// To the peer's kernel; whether its program has read it is its own secret.
    ToKernel,
    /// It cannot be told.
    Unknown,
    /// Some was not acknowledged.
    No,
}

/// Who sent the first FIN.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FirstFin {
    /// This side.
    Local,
    /// The peer.
    Remote,
    /// Both at once: the FINs crossed.
    Both,
    /// This side, or both at once: the peer's FIN and the acknowledgement of ours were found together.
    LocalOrBoth,
    /// It cannot be told: the connection had ended when the kernel was asked.
    Unknown,
    /// No FIN was seen. One that the program sent itself before a reset may be unknown.
    Neither,
}

/// Who is left with `TIME_WAIT`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TimeWait {
    /// This side, for the system's time (60 s on Linux).
    Here,
    /// The peer.
    Peer,
    /// Both sides.
    Both,
    /// Nobody: the connection was reset.
    Nobody,
    /// Undecided: the kernel goes on alone.
    Open,
    /// It cannot be told.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 7] = [
        Self::Orderly,
        Self::Acknowledged,
        Self::PeerReset,
        Self::Lost,
        Self::Gone,
        Self::TimedOut,
        Self::DiscardLimit,
    ];

    const fn words(self) -> &'static str {
        match self {
            Self::Orderly => "orderly",
            Self::Acknowledged => "acknowledged, the peer has not closed",
            Self::PeerReset => "reset by the peer",
            Self::Lost => "given up by the kernel",
            Self::Gone => "over before",
            Self::TimedOut => "timed out",
            Self::DiscardLimit => "the peer sent more than is thrown away",
        }
    }
}

impl CloseReport {
    /// What is known of the delivery of what was sent.
    pub const fn delivered(&self) -> Delivered {
        match (self.outcome, self.unacked, self.first_fin) {
            (_, Some(1..), _) => Delivered::No,
            (Outcome::Orderly, _, FirstFin::Local) => Delivered::Yes,
            (_, Some(0), _) => Delivered::ToKernel,
            (_, None, _) => Delivered::Unknown,
        }
    }
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {:?}", self.outcome.words(), self.elapsed)?;
        if let Some(unacked @ 1..) = self.unacked {
            write!(f, ", {unacked} octets not acknowledged")?;
        }
        if self.discarded > 0 {
            write!(f, ", {} octets thrown away", self.discarded)?;
        }
        Ok(())
    }
}
