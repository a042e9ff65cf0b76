//! What a replay does, event by event, as the rungs of a ladder: the end under test is known; of the other, a script shows
//! its segments and nothing else.

use crate::ladder::{Call, Event, Flight, Known, Make, Side, WaitMark, What};
use crate::state::State;
use crate::tcp::endpoint::{Alarm, Endpoint};
use crate::tcp::moment::Moment;
use crate::tcp::segment::Segment;
use crate::tcp::tcb::{Report, Timer};

/// Events as they come.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) events: Vec<Event>,
    now: Moment,
    state: State,
    /// Where the event stands whose consequences are awaited.
    cause: usize,
    next_id: u32,
}

/// The wait of `TIME_WAIT` as it is seen from outside: whether it runs, and until when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Wait(Option<Moment>);

impl Wait {
    pub(super) fn of(end: &Endpoint) -> Self {
        Self(end.deadline(Alarm::Timer(Timer::TimeWait)))
    }
}

impl Journal {
    pub(super) const fn new() -> Self {
        Self { events: Vec::new(), now: Moment(0), state: State::Closed, cause: 0, next_id: 0 }
    }

    pub(super) fn at(&mut self, now: Moment) {
        self.now = self.now.max(now);
    }

    /// The program calls; what that changes comes with [`Self::follow`].
    pub(super) fn call(&mut self, call: Call) {
        self.begin(What::Call(TESTED, call));
    }

    /// A timer runs out.
    pub(super) fn alarm(&mut self, alarm: Alarm) {
        self.begin(match alarm {
            Alarm::Timer(timer) => What::Timer(TESTED, timer),
            Alarm::Keepalive => What::Note("keepalive: is the peer still there?".into()),
        });
    }

    /// A segment of the script arrives. How long it was under way no script says.
    pub(super) fn arrives(&mut self, segment: &Segment, incarnation: usize) {
        let flight = self.flight(TESTED.other(), segment, incarnation, Make::Original);
        self.tell(What::Sent(flight));
        self.begin(What::Arrived(flight));
    }

    pub(super) fn sent(&mut self, segment: &Segment, incarnation: usize) {
        let make = match self.events.get(self.cause).map(|event| &event.what) {
            Some(What::Timer(_, Timer::Retransmit)) => Make::Repeated,
            _ => Make::Original,
        };
        let flight = self.flight(TESTED, segment, incarnation, make);
        self.tell(What::Sent(flight));
        self.tell(What::Arrived(flight));
    }

    pub(super) fn told(&mut self, report: Report) {
        self.tell(What::Told(TESTED, report));
    }

    pub(super) fn note(&mut self, text: String) {
        self.begin(What::Note(text));
    }

    /// The state that the last cause led to.
    pub(super) fn follow(&mut self, state: State) {
        self.state = state;
        for event in &mut self.events[self.cause..] {
            event.states = states(state);
        }
    }

    /// What became of the wait of `TIME_WAIT`.
    pub(super) fn waits(&mut self, before: Wait, after: Wait) {
        let mark = match (before.0, after.0) {
            (None, Some(_)) => WaitMark::Starts,
            (Some(_), None) => WaitMark::Ends,
            (Some(before), Some(after)) if before != after => WaitMark::Restarts,
            _ => return,
        };
        self.tell(What::Wait(TESTED, mark));
    }

    fn begin(&mut self, what: What) {
        self.cause = self.events.len();
        self.tell(what);
    }

    fn tell(&mut self, what: What) {
        let at = Some(crate::ladder::Moment(self.now.0 / 1000));
        self.events.push(Event { at, what, states: states(self.state) });
    }

    fn flight(&mut self, from: Side, segment: &Segment, incarnation: usize, make: Make) -> Flight {
        self.next_id += 1;
        // Two segments are the same to a reader whatever window they offer.
        let segment = Segment { window: 0, ..*segment };
        let incarnation = u8::try_from(incarnation.max(1)).ok();
        Flight { id: self.next_id, from, segment, incarnation, make }
    }
}

const fn states(state: State) -> [Known<State>; 2] {
    [Known::Observed(state), Known::Unknown]
}

/// The end under test stands on the left.
const TESTED: Side = Side::A;
