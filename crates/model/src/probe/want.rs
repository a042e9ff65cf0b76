//! What a connection of a probe and its driver say to each other: what is to be done next, and what the kernel says then.

#[cfg(doc)]
use super::Talk;
use super::trial::Reading;
use crate::ladder::Moment;
use crate::state::State;

/// What the kernel says at a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// The moment, since the connection was made.
    pub at: Moment,
    /// The state of this end.
    pub here: Option<State>,
    /// The state of the other, where this kernel is its kernel too.
    pub there: Option<State>,
    /// Sequence numbers sent and not acknowledged; a FIN counts as one.
    pub unacked: Option<u32>,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Want<'a> {
    /// Carry the handshake of TLS on: [`Talk::handle_secured`] when it is over.
    Secure(Moment),
    /// Send some of this; read too, if that is wanted. If neither goes until this moment: [`Talk::handle_time`].
    Write(&'a [u8], Reading, Moment),
    /// Wait until there is something to read and leave it there: [`Talk::handle_readable`].
    Look(Moment),
    /// Wait and read nothing; only an error ends it.
    Hold(Moment),
    /// Read.
    Read(Moment),
    /// Wait until nothing is unacknowledged: [`Talk::handle_acknowledged`].
    Acknowledged(Moment),
    /// Send `close_notify`, in one segment with the FIN if possible: [`Talk::handle_notified`].
    Notify(Moment),
    /// Send the FIN: [`Talk::handle_shutdown`].
    Shutdown,
    /// It is over.
    Over,
}
