//! The eleven connection states of RFC 9293 §3.3.2, by their standard names.

use std::fmt;

/// A TCP connection's state. UDP sockets are `Closed` (unconnected) or `Established` (connected).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "SCREAMING_SNAKE_CASE"))]
pub enum State {
    /// Accepts connections.
    Listen,
    /// Sent a SYN, awaits its answer.
    SynSent,
    /// Answered a SYN, awaits the handshake's last ACK.
    SynReceived,
    /// Data flows.
    Established,
    /// Closed first; the FIN is not acknowledged yet.
    #[cfg_attr(feature = "serde", serde(rename = "FIN_WAIT_1"))]
    FinWait1,
    /// Closed first and acknowledged; the peer has not closed.
    #[cfg_attr(feature = "serde", serde(rename = "FIN_WAIT_2"))]
    FinWait2,
    /// The peer closed; the local program has not.
    CloseWait,
    /// Both closed at once; the local FIN is not acknowledged yet.
    Closing,
    /// Closed second; awaits the acknowledgement of the local FIN.
    LastAck,
    /// Closed first; waits two segment lifetimes for stray segments to die.
    TimeWait,
    /// No connection. A socket in this state may still own a port: bound, or dead and not closed.
    Closed,
}

impl State {
    /// Every state, in the order of a connection's life.
    pub const ALL: [Self; 11] = [
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
        Self::Closed,
    ];

    /// The state's standard name, as in `TIME_WAIT`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN_SENT",
            Self::SynReceived => "SYN_RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN_WAIT_1",
            Self::FinWait2 => "FIN_WAIT_2",
            Self::CloseWait => "CLOSE_WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST_ACK",
            Self::TimeWait => "TIME_WAIT",
            Self::Closed => "CLOSED",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
