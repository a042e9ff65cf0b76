//! What a plan and its driver tell each other.

#[cfg(doc)]
use super::Plan;
use lastack_model::state::State;
use std::time::Instant;

/// What the kernel says of the connection at a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// The moment.
    pub now: Instant,
    /// Its state, where the system tells.
    pub state: Option<State>,
    /// Sequence numbers sent and not acknowledged, where the system tells; a FIN counts as one (RFC 9293 §3.4).
    pub unacked: Option<u32>,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Want {
    /// Send so many octets at most of what the layer above TCP has to send, then [`Plan::handle_sent`]; and read when
    /// there is something to read, as with [`Want::Read`], for the peer may read only after it has sent. If neither can
    /// be done until that moment: [`Plan::handle_timeout`].
    SendAndRead(u64, Instant),
    /// The same without reading: the end of the stream was read.
    Send(u64, Instant),
    /// Send the FIN (`shutdown` for writing), then [`Plan::handle_shutdown`]. What has come in may be read and told before.
    Shutdown,
    /// Read when there is something to read: [`Plan::handle_octets`], [`Plan::handle_end`], or one of
    /// [`Plan::handle_reset`] and [`Plan::handle_lost`]. If there is nothing until this moment, or an error that does not
    /// end the connection: [`Plan::handle_timeout`].
    Read(Instant),
    /// Wait until this moment, then [`Plan::handle_timeout`].
    Pause(Instant),
    /// Close the descriptor in this way. It is over.
    Finish(Finish),
}

/// How the descriptor is closed at last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finish {
    /// Plainly: nothing is lost by it any more, or the kernel is to go on alone.
    Close,
    /// With a reset (RFC 9293 §3.10.5).
    Reset,
}
