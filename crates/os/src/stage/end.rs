//! One end of the wire: a host, the program on it, and what it has sent.

use super::expected::same;
use super::host::Host;
use super::numbers::Numbers;
use super::program::Program;
use crate::Result;
use lastack_model::facts::TimerKind;
use lastack_model::state::State;
use lastack_model::tcp::segment::Segment;
use std::time::Duration;

/// One end of the wire.
pub(super) struct End {
    pub(super) host: Host,
    pub(super) program: Program,
    pub(super) numbers: Numbers,
    /// What it has sent so far, in the model's numbers.
    pub(super) sent: Vec<Segment>,
    /// A connection was established here, so that a listener is no longer what the story is about.
    pub(super) was_open: bool,
}

impl End {
    pub(super) fn of(host: Host) -> Self {
        let (program, numbers) = (Program::default(), Numbers::default());
        Self { host, program, numbers, sent: Vec::new(), was_open: false }
    }

    /// The connection's state; a listener counts until it has made a connection.
    pub(super) fn state(&self) -> Result<State> {
        let sockets = self.host.sockets()?;
        let listens = sockets.iter().any(|socket| socket.state == State::Listen);
        Ok(match self.host.connection(&sockets) {
            Some(socket) => socket.state,
            None if listens && !self.was_open => State::Listen,
            None => State::Closed,
        })
    }

    /// Whether it is what was sent before, or a part of it.
    pub(super) fn repeats(&self, segment: &Segment) -> bool {
        let end = segment.seq + segment.sequence_length();
        let covers = |known: &Segment| !(known.seq + known.sequence_length()).is_before(end);
        let begins = |known: &Segment| !segment.seq.is_before(known.seq);
        let sent_before = segment.sequence_length() > 0
            && self.sent.iter().any(covers)
            && self.sent.iter().any(begins);
        sent_before || self.sent.iter().any(|known| same(known, segment))
    }

    /// How long until the state may change of itself.
    pub(super) fn next_change(&self) -> Result<Duration> {
        let socket = self.host.connection(&self.host.sockets()?);
        let timer = socket.map(|socket| socket.timer).filter(|timer| timer.kind != TimerKind::Off);
        let remaining =
            timer.map_or(SOON, |timer| Duration::from_millis(timer.remaining_ms.into()));
        Ok(remaining.max(SHORTEST))
    }
}

/// After that a timer may have sent something.
const SOON: Duration = Duration::from_millis(100);
const SHORTEST: Duration = Duration::from_millis(2);
