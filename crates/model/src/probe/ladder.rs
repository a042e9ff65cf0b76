//! One connection of a probe as a ladder.
//!
//! This end's calls and states were seen. Segments were not: an arrow stands for what a call sent or read, its numbers
//! counted from 0 and its acknowledgement as far as the log knows. That a segment arrived is known where it was
//! acknowledged; a FIN or a reset that was taken in had the number that this end expected next (RFC 5961 §3.2). The other
//! end's state is inferred, unless one kernel is both.

use super::log::{Entry, Happened, Observed};
use super::trial::Awaited;
use super::words::seconds;
use crate::ladder::{Call, Event, Flight, Known, Ladder, Make, Moment, Side, View, What};
use crate::state::State;
use crate::tcp::segment::{Control, Segment};
use crate::tcp::seq::SeqNumber;
use crate::tcp::tcb::Report;

/// Draws a log; the ends are called `lastack` and `server`.
///
/// ```
/// use lastack_model::probe::{ladder, trials, Bounds, Observed, Protocol};
///
/// let trials = trials(&Protocol::Plain(None), &Bounds::DEFAULT);
/// let unreached = Observed::unreached(&trials[0], "connection refused".into());
/// assert_eq!(ladder(&unreached).events.len(), 1);
/// ```
pub fn ladder(one: &Observed) -> Ladder {
    let mut teller = Teller {
        events: Vec::new(),
        states: [Known::Observed(State::Closed), Known::Inferred(State::Listen)],
        sent: 1,
        received: 1,
        acked_to: acknowledged(&one.log),
        peer_fin: false,
        next_id: 0,
        last: Moment(0),
    };
    let start = teller.states;
    for (place, entry) in one.log.iter().enumerate() {
        teller.tell(place, entry);
    }
    Ladder {
        name: one.kind.name().into(),
        title: format!("What was seen on the connection \"{}\"", one.kind.name()),
        ends: ["lastack".into(), "server".into()],
        view: View::Both,
        start,
        events: teller.events,
    }
}

/// Up to which place everything sent was acknowledged at some time.
fn acknowledged(log: &[Entry]) -> usize {
    log.iter().rposition(|entry| entry.unacked == Some(0)).map_or(0, |place| place + 1)
}

struct Teller {
    events: Vec<Event>,
    states: [Known<State>; 2],
    /// The next sequence number of each side.
    sent: u32,
    received: u32,
    acked_to: usize,
    peer_fin: bool,
    next_id: u32,
    /// When something last happened.
    last: Moment,
}

impl Teller {
    fn tell(&mut self, place: usize, entry: &Entry) {
        let at = Moment(entry.at_ms);
        match &entry.what {
            Happened::Connected => {
                self.push(at, What::Call(Side::A, Call::Connect));
                self.follow(entry, State::Established);
                self.push(at, What::Told(Side::A, Report::Connected));
            }
            Happened::Wrote(octets) => {
                let length = u32::try_from(entry.wire.unwrap_or(*octets)).unwrap_or(u32::MAX);
                self.here(entry);
                self.push(at, What::Call(Side::A, Call::Write(length)));
                self.send(at, Control::NONE, length, place < self.acked_to);
            }
            Happened::Shutdown => {
                self.push(at, What::Call(Side::A, Call::Shutdown));
                self.here(entry);
                match (entry.here, self.peer_fin) {
                    // This FIN was the second, and is acknowledged.
                    (Some(State::Closed), true) => self.there(entry, Some(State::TimeWait)),
                    // The other side's came before the kernel could be asked, and waits to be read.
                    (Some(State::Closed), false) => self.ended_here(entry),
                    _ => {}
                }
                self.send(at, Control::FIN, 0, place < self.acked_to);
            }
            // It was noted when its segments came.
            Happened::Read(_) if entry.wire == Some(0) => self.here(entry),
            Happened::Read(octets) => {
                self.here(entry);
                let length = u32::try_from(entry.wire.unwrap_or(*octets)).unwrap_or(u32::MAX);
                self.arrive(entry, Control::NONE, length);
            }
            Happened::PeerFin => {
                self.here(entry);
                self.there(entry, after_its_fin(self.states));
                if entry.here == Some(State::Closed) {
                    self.ended_here(entry);
                }
                self.peer_fin = true;
                self.arrive(entry, Control::FIN, 0);
                self.push(at, What::Told(Side::A, Report::EndOfFile));
            }
            Happened::Reset(_) => {
                self.follow(entry, State::Closed);
                self.arrive(entry, Control::RST, 0);
                self.push(at, What::Told(Side::A, Report::Reset));
            }
            Happened::FalseEnd => self.push(at, What::Told(Side::A, Report::EndOfFile)),
            what => {
                self.here(entry);
                if let Some(words) = remark(what) {
                    let waited = entry.at_ms.saturating_sub(self.last.0);
                    let is_wait = matches!(what, Happened::Overdue(_));
                    let words =
                        if is_wait { format!("{}: {words}", seconds(waited)) } else { words };
                    self.push(at, What::Note(words));
                }
            }
        }
    }

    fn here(&mut self, entry: &Entry) {
        let is_waiting = self.states[0] == Known::Inferred(State::TimeWait);
        if let Some(state) = entry.here.filter(|state| !is_waiting || *state != State::Closed) {
            self.states[0] = Known::Observed(state);
        }
        // Our FIN is acknowledged, so its kernel has it; whether its program has closed too, its own FIN will tell.
        if entry.here == Some(State::FinWait2) {
            self.there(entry, Some(State::CloseWait));
        } else if let Some(state) = entry.there {
            self.states[1] = Known::Observed(state);
        }
    }

    fn there(&mut self, entry: &Entry, inferred: Option<State>) {
        self.states[1] = match (entry.there, inferred) {
            (Some(state), _) => Known::Observed(state),
            (None, Some(state)) => Known::Inferred(state),
            (None, None) => Known::Unknown,
        };
    }

    /// Both FINs are acknowledged, this side's was the first. The kernel keeps `TIME_WAIT` apart from the socket, which
    /// is closed then.
    fn ended_here(&mut self, entry: &Entry) {
        self.states[0] = Known::Inferred(State::TimeWait);
        self.there(entry, Some(State::Closed));
    }

    fn follow(&mut self, entry: &Entry, inferred: State) {
        self.here(entry);
        self.there(entry, Some(inferred));
    }

    fn send(&mut self, at: Moment, control: Control, length: u32, is_acknowledged: bool) {
        let (seq, ack) = (SeqNumber(self.sent), SeqNumber(self.received));
        let segment = Segment { length, ..Segment::new(seq, Some(ack), control) };
        let flight = self.flight(Side::A, segment);
        self.sent = self.sent.wrapping_add(segment.sequence_length());
        self.push(at, What::Sent(flight));
        if is_acknowledged {
            self.push(at, What::Arrived(flight));
        }
    }

    fn arrive(&mut self, entry: &Entry, control: Control, length: u32) {
        let at = Moment(entry.at_ms);
        // What is not acknowledged is known to the octet (`SIOCOUTQ`), and so is what is.
        let ack = entry.unacked.map(|unacked| SeqNumber(self.sent.wrapping_sub(unacked)));
        let ack = ack.filter(|_| !control.has(Control::RST));
        let segment = Segment { length, ..Segment::new(SeqNumber(self.received), ack, control) };
        let flight = self.flight(Side::B, segment);
        self.received = self.received.wrapping_add(segment.sequence_length());
        self.push(at, What::Arrived(flight));
    }

    fn flight(&mut self, from: Side, segment: Segment) -> Flight {
        let id = self.next_id;
        self.next_id += 1;
        Flight { id, from, segment, incarnation: None, make: Make::Original }
    }

    fn push(&mut self, at: Moment, what: What) {
        self.last = at;
        self.events.push(Event { at: Some(at), what, states: self.states });
    }
}

/// The other end after its FIN, which this end's kernel acknowledges at once.
fn after_its_fin(states: [Known<State>; 2]) -> Option<State> {
    match states[0].state()? {
        // Its FIN was the first.
        State::CloseWait => Some(State::FinWait2),
        // It was the second, and is acknowledged.
        State::TimeWait | State::Closed => Some(State::Closed),
        State::Listen
        | State::SynSent
        | State::SynReceived
        | State::Established
        | State::FinWait1
        | State::FinWait2
        | State::Closing
        | State::LastAck => None,
    }
}

fn remark(what: &Happened) -> Option<String> {
    Some(match what {
        Happened::Secured => "the handshake of TLS is over".into(),
        Happened::PeerCloseNotify => "that ended with its close_notify".into(),
        Happened::CloseNotify => "that was close_notify".into(),
        Happened::Stuck => "nothing can be sent: it does not read".into(),
        Happened::Answering => "something came, and is left unread".into(),
        Happened::Overdue(Awaited::Handshake) => "the handshake of TLS is not over".into(),
        Happened::Overdue(Awaited::End) => "it has not closed".into(),
        Happened::Overdue(Awaited::Answer | Awaited::Rest) => "its answer has not ended".into(),
        Happened::Overdue(Awaited::FirstOctet) => "it has not answered".into(),
        Happened::Overdue(Awaited::Acknowledgement) => "not acknowledged".into(),
        Happened::Overdue(Awaited::Nothing) | Happened::Answered | Happened::Acknowledged => {
            return None;
        }
        Happened::TooMuch => "more came than is read".into(),
        Happened::Failed(cause) => cause.clone(),
        Happened::Connected
        | Happened::Wrote(_)
        | Happened::Shutdown
        | Happened::Read(_)
        | Happened::PeerFin
        | Happened::Reset(_)
        | Happened::FalseEnd => return None,
    })
}
