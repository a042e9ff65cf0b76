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
    /// Octets that were received and thrown away (RFC 9293 §3.6: whoever has closed for sending must go on reading).
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
    /// Everything was acknowledged, and the peer's FIN arrived: both sides are done (RFC 9293 §3.6). If its FIN came
    /// after ours, its program closed knowing that ours had, which is the most that TCP can say.
    Orderly,
    /// Everything was acknowledged by the peer's kernel, but its FIN did not come in time (RFC 9293 §3.6.1: it may send
    /// on).
    Acknowledged,
    /// The peer reset the connection (RFC 9293 §3.5.3). Told as well where this side's kernel did, for octets that came
    /// after the program had shut its receiving side down (RFC 1122 §4.2.2.13).
    PeerReset,
    /// The kernel gave the connection up: no answer for too long, or the peer cannot be reached (RFC 9293 §3.8.3,
    /// §3.9.2.2).
    Lost,
    /// There was no connection any more when the close began, and the kernel does not say how it ended: by an error that
    /// the program was told before, or by the peer's FIN after one that the program had sent itself.
    Gone,
    /// Time was up, and the peer had not acknowledged everything.
    TimedOut,
    /// The peer went on sending beyond what is thrown away, and was reset, as a plain close would have done (RFC 9293
    /// §3.6.1, RFC 2525 §2.17).
    DiscardLimit,
}

/// What is known of the delivery of what was sent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Delivered {
    /// To the peer's kernel, and the peer closed after that: its program could read everything (RFC 9293 §3.6, case 1).
    Yes,
    /// To the peer's kernel; whether its program has read it is its own secret (RFC 9293 §3.6 speaks of its TCP alone).
    ToKernel,
    /// It cannot be told.
    Unknown,
    /// Some was not acknowledged.
    No,
}

/// Who sent the first FIN (RFC 9293 §3.6 has three cases).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FirstFin {
    /// This side (case 1).
    Local,
    /// The peer (case 2).
    Remote,
    /// Both at once: the FINs crossed (case 3).
    Both,
    /// This side, or both at once: the peer's FIN and the acknowledgement of ours were found together.
    LocalOrBoth,
    /// It cannot be told: the connection had ended when the kernel was asked.
    Unknown,
    /// No FIN was seen. One that the program sent itself before a reset may be unknown.
    Neither,
}

/// Who is left with `TIME_WAIT`: as a rule who closed first (RFC 9293 §3.6.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TimeWait {
    /// This side, for the system's time (60 s on Linux; RFC 9293 §3.6.1 asks for twice the MSL).
    Here,
    /// The peer.
    Peer,
    /// Both sides, by way of `CLOSING` (RFC 9293 §3.3.2).
    Both,
    /// Nobody: the connection was reset, or given up (RFC 9293 §3.5.3, §3.10.5, §3.10.8).
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
    ///
    /// ```
    /// use lastack_graceful::close::{CloseOrderly as _, ClosePolicy, Delivered, FirstFin};
    /// use std::io::{Read as _, Write as _};
    /// use std::net::{Shutdown, TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let (mut server, _) = listener.accept()?;
    ///
    /// client.shutdown(Shutdown::Write)?;
    /// assert_eq!(server.read(&mut [0])?, 0);
    /// server.write_all(b"nobody reads this")?;
    /// let report = server.close_orderly(&ClosePolicy::server())?;
    /// // It closed first, so its FIN says nothing of what it got.
    /// assert_eq!(report.first_fin, FirstFin::Remote);
    /// assert_eq!(report.delivered(), Delivered::ToKernel);
    /// # drop(client);
    /// # Ok(())
    /// # }
    /// ```
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
