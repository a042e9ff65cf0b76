//! One end of a connection without time: what it knows (RFC 9293's transmission control block) and what it does when a
//! program calls, a segment arrives or a timer runs out.
//!
//! Timers are the caller's: it reads from the block which ones should run and says which ran out. So one and the same
//! transition function serves the explorer, which lets any timer run out at any moment, and the endpoint that has a
//! clock. Every change of state goes through the table of [`super::transition`].

mod arrival;
mod calls;
mod small;
mod text;
mod time_wait;
mod timers;

pub use timers::Timer;

use super::segment::{Control, Segment};
use super::seq::SeqNumber;
use super::transition::{self, Event};
use crate::state::State;

/// The transmission control block.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Tcb {
    /// Its state.
    pub state: State,
    /// Whether a listener made it.
    pub origin: Origin,
    /// Whether a program still holds it.
    pub program: Program,
    /// Its initial sequence number.
    pub iss: SeqNumber,
    /// The oldest number not acknowledged.
    pub snd_una: SeqNumber,
    /// The next number to send.
    pub snd_nxt: SeqNumber,
    /// The number after the last octet that the program wrote.
    pub snd_end: SeqNumber,
    /// Whether the program has ended this direction: a FIN follows the last octet.
    pub ended: Ended,
    /// How many octets the peer accepts.
    pub snd_wnd: u32,
    /// The next number expected.
    pub rcv_nxt: SeqNumber,
    /// How many octets are accepted.
    pub rcv_wnd: u32,
    /// Octets received and not read.
    pub unread: u32,
}

/// How a connection came to be.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Origin {
    /// The program opened it.
    Active,
    /// A listener made it.
    Passive,
}

/// Whether a program holds the connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Program {
    /// It does, and may read.
    Holds,
    /// It has closed it: nobody will read what comes.
    Gone,
}

/// Whether the program has ended its direction.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ended {
    /// It may still write.
    No,
    /// A FIN follows what it wrote.
    Yes,
}

/// What the program is told.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Report {
    /// The connection is established.
    Connected,
    /// The peer has ended its direction: the end of the file.
    EndOfFile,
    /// The peer refused (`ECONNREFUSED`).
    Refused,
    /// The peer reset (`ECONNRESET`).
    Reset,
    /// The peer reset after it had ended its direction: what is written is lost (`EPIPE`).
    BrokenPipe,
    /// The peer does not answer (`ETIMEDOUT`).
    TimedOut,
    /// Somebody else ended the connection (`ECONNABORTED`).
    Aborted,
}

/// What a step gave: segments to send, news for the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effects {
    segments: [Option<Segment>; MOST_SEGMENTS],
    /// What the program is told.
    pub report: Option<Report>,
    /// Whether the wait of `TIME_WAIT` starts anew.
    pub wait: Wait,
    /// Whether something was acknowledged for the first time.
    pub progress: Progress,
}

/// Whether a step started the wait of `TIME_WAIT`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Wait {
    /// It goes on as it was.
    #[default]
    Unchanged,
    /// It starts now, for the first time or anew.
    Starts,
}

/// Whether the peer acknowledged something for the first time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Progress {
    /// Nothing new.
    #[default]
    None,
    /// Something, so retransmission starts from the beginning.
    Made,
}

impl Tcb {
    /// A block without a connection.
    pub const fn closed(rcv_wnd: u32) -> Self {
        Self {
            state: State::Closed,
            origin: Origin::Active,
            program: Program::Holds,
            iss: SeqNumber(0),
            snd_una: SeqNumber(0),
            snd_nxt: SeqNumber(0),
            snd_end: SeqNumber(0),
            ended: Ended::No,
            snd_wnd: 0,
            rcv_nxt: SeqNumber(0),
            rcv_wnd,
            unread: 0,
        }
    }

    /// Two ends of an established connection with these initial sequence numbers.
    pub fn pair(iss: [SeqNumber; 2], rcv_wnd: u32) -> [Self; 2] {
        let end = |own: SeqNumber, other: SeqNumber, origin| Self {
            state: State::Established,
            origin,
            iss: own,
            snd_una: own + 1,
            snd_nxt: own + 1,
            snd_end: own + 1,
            snd_wnd: rcv_wnd,
            rcv_nxt: other + 1,
            ..Self::closed(rcv_wnd)
        };
        [end(iss[0], iss[1], Origin::Active), end(iss[1], iss[0], Origin::Passive)]
    }

    /// True when its program has closed it and it lives on.
    pub fn is_orphan(&self) -> bool {
        self.program == Program::Gone && self.state != State::Closed
    }

    /// True when the FIN has been sent at least once.
    pub fn fin_sent(&self) -> bool {
        self.ended == Ended::Yes && self.snd_nxt.distance_from(self.snd_end) == 1
    }

    /// True when the peer has acknowledged the FIN.
    pub fn fin_acknowledged(&self) -> bool {
        self.fin_sent() && self.snd_una == self.snd_nxt
    }

    /// True when the peer's FIN was received.
    pub const fn fin_received(&self) -> bool {
        match self.state {
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait => true,
            State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::Closed => false,
        }
    }

    fn go(&mut self, event: Event) {
        debug_assert!(
            transition::next(self.state, event).is_some(),
            "no transition for {event:?} in {}",
            self.state
        );
        if let Some(next) = transition::next(self.state, event) {
            self.state = next;
        }
    }

    /// Nothing is left of the connection.
    fn vanish(&mut self) {
        *self = Self { program: self.program, ..Self::closed(self.rcv_wnd) };
    }

    const fn ack(&self) -> Segment {
        Segment {
            window: self.rcv_wnd,
            ..Segment::new(self.snd_nxt, Some(self.rcv_nxt), Control::NONE)
        }
    }

    /// The FIN alone, again.
    fn fin(&self) -> Segment {
        Segment { seq: self.snd_end, control: Control::FIN, ..self.ack() }
    }

    /// Everything written and not sent yet goes out at once; the peer's window is not waited for.
    fn send_rest(&mut self, effects: &mut Effects) {
        if self.fin_sent() {
            return;
        }
        let length = self.snd_end.distance_from(self.snd_nxt);
        let fin = if self.ended == Ended::Yes { Control::FIN } else { Control::NONE };
        let segment = Segment { control: fin, length, ..self.ack() };
        if segment.sequence_length() > 0 {
            effects.send(segment);
            self.snd_nxt = self.snd_nxt + segment.sequence_length();
        }
    }

    fn reset(&self) -> Segment {
        Segment::new(self.snd_nxt, Some(self.rcv_nxt), Control::RST)
    }
}

impl Effects {
    /// The segments to send, in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.segments.iter().flatten().copied()
    }

    fn send(&mut self, segment: Segment) {
        if let Some(free) = self.segments.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(segment);
        }
    }
}

/// A step answers with an acknowledgement and sends what was waiting for it at most.
const MOST_SEGMENTS: usize = 2;

#[cfg(test)]
mod tests;
