//! What the walker asks of an implementation of TCP: one end of a connection, driven without a clock of its own.

use lastack_model::state::State;
use lastack_model::tcp::moment::Moment;
use lastack_model::tcp::segment::Segment;
use lastack_model::tcp::world::Side;

/// One end of a connection.
pub(crate) trait Stack {
    /// What it is called in stories.
    const NAME: &'static str;
    /// A segment as it travels.
    type Packet: Clone;

    /// An end that has sent a SYN (A) or listens (B).
    fn opening(side: Side) -> Self;
    fn state(&self) -> State;
    fn close(&mut self, now: Moment);
    fn abort(&mut self, now: Moment);
    /// Writes an octet, if that is possible.
    fn send(&mut self, now: Moment);
    /// A segment arrives; whatever octets it brings are read at once.
    fn arrive(&mut self, now: Moment, packet: &Self::Packet);
    /// Does what is due.
    fn wake(&mut self, now: Moment);
    /// When it wants to be woken; `None` if only a segment or its program can move it.
    fn wants_waking(&mut self, now: Moment) -> Option<Moment>;
    /// The next segment to put on the wire.
    fn departs(&mut self) -> Option<Self::Packet>;
    /// What a segment says.
    fn read(packet: &Self::Packet) -> Segment;
}
