//! A stage on which a story is played: two ends, the segments between them, and a clock that moves with the story. What is
//! played becomes a ladder; nothing on it is drawn by hand.

use super::{Call, Event, Flight, Known, Ladder, Make, Moment, Side, View, WaitMark, What, index};
use crate::state::State;
use crate::tcp::profile::Profile;
use crate::tcp::segment::Segment;
use crate::tcp::seq::SeqNumber;
use crate::tcp::tcb::{Effects, Program, Tcb, Timer, Wait};

/// One step of a script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// A program asks for something.
    Call(Side, Call),
    /// A timer runs out, if it runs.
    Timeout(Side, Timer),
    /// The oldest segment under way from this side arrives.
    Arrives(Side),
    /// The newest one overtakes the others.
    Overtakes(Side),
    /// The oldest one is lost.
    Lost(Side),
    /// The oldest one is doubled; the copy is the newest.
    Doubled(Side),
    /// Everything under way arrives, and whatever it causes, the oldest first.
    Settle,
    /// The host goes away.
    Gone(Side),
    /// It comes back and remembers nothing.
    Back(Side),
    /// A remark.
    Note(&'static str),
}

/// How a story begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// With a connection.
    Connected,
    /// Without one.
    Closed,
}

/// The stage.
#[derive(Debug)]
pub struct Stage {
    profile: Profile,
    tcbs: [Tcb; 2],
    incarnations: [u8; 2],
    here: [bool; 2],
    under_way: Vec<(Flight, Moment)>,
    next_id: u32,
    now: Moment,
    waiting: [bool; 2],
    wait_since: [Moment; 2],
    events: Vec<Event>,
    start: [Known<State>; 2],
    /// Initial sequence numbers of the ends.
    iss: [SeqNumber; 2],
}

impl Stage {
    /// A stage before the first step.
    pub fn new(profile: Profile, start: Start, window: u32) -> Self {
        let iss = [SeqNumber(0); 2];
        let (tcbs, incarnation) = match start {
            Start::Connected => (Tcb::pair(iss, window), 1),
            Start::Closed => ([Tcb::closed(window); 2], 0),
        };
        Self {
            profile,
            tcbs,
            incarnations: [incarnation; 2],
            here: [true; 2],
            under_way: Vec::new(),
            next_id: 0,
            now: Moment(0),
            waiting: [false; 2],
            wait_since: [Moment(0); 2],
            events: Vec::new(),
            start: tcbs.map(|tcb| Known::Observed(tcb.state)),
            iss,
        }
    }

    /// Plays a step.
    pub fn play(&mut self, step: Step) {
        match step {
            Step::Call(side, call) => self.call(side, call),
            Step::Timeout(side, timer) => self.timeout(side, timer),
            Step::Arrives(from) => {
                if let Some(at) = self.oldest(from) {
                    self.deliver(at);
                }
            }
            Step::Overtakes(from) => {
                if let Some(at) = self.under_way.iter().rposition(|(f, _)| f.from == from) {
                    self.deliver(at);
                }
            }
            Step::Lost(from) => {
                if let Some(at) = self.oldest(from) {
                    self.lose(at);
                }
            }
            Step::Doubled(from) => {
                if let Some(at) = self.oldest(from) {
                    self.double(at);
                }
            }
            Step::Settle => self.settle(),
            Step::Gone(side) => {
                self.here[index(side)] = false;
                self.tcbs[index(side)].state = State::Closed;
                self.tell(What::Gone(side));
            }
            Step::Back(side) => {
                self.here[index(side)] = true;
                self.tcbs[index(side)] = Tcb::closed(self.tcbs[index(side)].rcv_wnd);
                self.tell(What::Back(side));
            }
            Step::Note(text) => self.tell(What::Note(text.into())),
        }
    }

    /// The states of both ends.
    pub fn states(&self) -> (State, State) {
        (self.tcbs[0].state, self.tcbs[1].state)
    }

    /// What an end knows.
    pub const fn end(&self, side: Side) -> &Tcb {
        &self.tcbs[index(side)]
    }

    /// The number with which the next connection of an end begins.
    pub const fn set_iss(&mut self, side: Side, iss: SeqNumber) {
        self.iss[index(side)] = iss;
    }

    /// The segments under way.
    pub fn under_way(&self) -> impl Iterator<Item = &Flight> {
        self.under_way.iter().map(|(flight, _)| flight)
    }

    /// The segment of this number arrives.
    pub fn deliver_id(&mut self, id: u32) {
        if let Some(at) = self.under_way.iter().position(|(flight, _)| flight.id == id) {
            self.deliver(at);
        }
    }

    /// The segment of this number is lost.
    pub fn lose_id(&mut self, id: u32) {
        if let Some(at) = self.under_way.iter().position(|(flight, _)| flight.id == id) {
            self.lose(at);
        }
    }

    /// The segment of this number is doubled.
    pub fn double_id(&mut self, id: u32) {
        if let Some(at) = self.under_way.iter().position(|(flight, _)| flight.id == id) {
            self.double(at);
        }
    }

    /// What was played, as a ladder.
    pub fn into_ladder(self, name: &str, title: &str, ends: [&str; 2]) -> Ladder {
        Ladder {
            name: name.into(),
            title: title.into(),
            ends: ends.map(Into::into),
            view: View::Both,
            start: self.start,
            events: self.events,
        }
    }

    fn call(&mut self, side: Side, call: Call) {
        let at = index(side);
        if !self.here[at] {
            return;
        }
        self.now = Moment(self.now.0 + THINKS);
        let (iss, profile) = (self.iss[at], self.profile);
        let tcb = &mut self.tcbs[at];
        let effects = match call {
            Call::Connect => {
                self.incarnations[at] = self.incarnations[at].saturating_add(1);
                tcb.open(iss)
            }
            Call::Listen => tcb.listen(),
            Call::Write(octets) => tcb.send(octets),
            Call::Read => {
                tcb.read();
                Effects::default()
            }
            Call::Shutdown => tcb.shutdown(),
            Call::Close | Call::Die => tcb.close(&profile),
            // A listener's queue is reset, not closed: nobody has accepted it (`inet_csk_listen_stop`).
            Call::Abort | Call::CloseListener => tcb.abort(),
        };
        self.tell(What::Call(side, call));
        self.news(side, &effects);
        self.send(side, self.incarnations[at], &effects, Make::Original);
    }

    fn timeout(&mut self, side: Side, timer: Timer) {
        let at = index(side);
        if !self.here[at] || !self.tcbs[at].wants(timer, &self.profile) {
            return;
        }
        let since = if timer == Timer::TimeWait { self.wait_since[at] } else { self.now };
        self.now = self.now.max(Moment(since.0 + length_of(timer)));
        let effects = self.tcbs[at].timeout(timer);
        self.tell(What::Timer(side, timer));
        self.news(side, &effects);
        self.send(side, self.incarnations[at], &effects, Make::Repeated);
    }

    fn settle(&mut self) {
        // Two ends that behave come to rest soon; this only keeps a mistake from playing for ever.
        for _ in 0..MOST_DELIVERIES {
            if self.under_way.is_empty() {
                return;
            }
            self.deliver(0);
        }
    }

    fn oldest(&self, from: Side) -> Option<usize> {
        self.under_way.iter().position(|(flight, _)| flight.from == from)
    }

    fn lose(&mut self, at: usize) {
        let (flight, _) = self.under_way.remove(at);
        self.tell(What::Lost(flight));
    }

    fn double(&mut self, at: usize) {
        let (flight, sent) = self.under_way[at];
        let copy = Flight { id: self.next_id, make: Make::Doubled, ..flight };
        self.next_id += 1;
        self.under_way.push((copy, sent));
        self.tell(What::Sent(copy));
    }

    fn deliver(&mut self, at: usize) {
        let (flight, sent) = self.under_way.remove(at);
        let side = flight.from.other();
        let to = index(side);
        if !self.here[to] {
            self.tell(What::Lost(flight));
            return;
        }
        self.now = self.now.max(Moment(sent.0 + TRANSIT));
        let before = self.tcbs[to].state;
        let effects = self.tcbs[to].arrive(&flight.segment, self.iss[to], &self.profile);
        let opened = matches!(before, State::Listen | State::TimeWait)
            && self.tcbs[to].state == State::SynReceived;
        if opened {
            self.incarnations[to] = flight.incarnation.unwrap_or(1);
        }
        self.tell(What::Arrived(flight));
        self.news(side, &effects);
        // Who has no connection answers in the name of the one that was meant.
        let nobody = matches!(before, State::Closed | State::Listen) && !opened;
        let incarnation =
            if nobody { flight.incarnation.unwrap_or(1) } else { self.incarnations[to] };
        self.send(side, incarnation, &effects, Make::Original);
    }

    fn news(&mut self, side: Side, effects: &Effects) {
        let at = index(side);
        let is_heard = self.tcbs[at].program == Program::Holds;
        if let Some(report) = effects.report.filter(|_| is_heard) {
            self.tell(What::Told(side, report));
        }
        if effects.wait == Wait::Starts {
            let mark = if self.waiting[at] { WaitMark::Restarts } else { WaitMark::Starts };
            self.waiting[at] = true;
            self.wait_since[at] = self.now;
            self.tell(What::Wait(side, mark));
        }
        if self.waiting[at] && self.tcbs[at].state != State::TimeWait {
            self.waiting[at] = false;
            self.tell(What::Wait(side, WaitMark::Ends));
        }
    }

    fn send(&mut self, from: Side, incarnation: u8, effects: &Effects, make: Make) {
        for segment in effects.segments() {
            let flight = Flight {
                id: self.next_id,
                from,
                segment: without_window(segment),
                incarnation: Some(incarnation),
                make,
            };
            self.next_id += 1;
            self.under_way.push((Flight { segment, ..flight }, self.now));
            self.tell(What::Sent(flight));
        }
    }

    fn tell(&mut self, what: What) {
        let states = [0, 1].map(|at| {
            if self.here[at] { Known::Observed(self.tcbs[at].state) } else { Known::Unknown }
        });
        self.events.push(Event { at: Some(self.now), what, states });
    }
}

/// Two segments are the same to a reader whatever window they offer.
const fn without_window(segment: Segment) -> Segment {
    Segment { window: 0, ..segment }
}

/// How long a timer takes, as on Linux with a short round trip.
const fn length_of(timer: Timer) -> u64 {
    match timer {
        Timer::Retransmit => 200,
        Timer::GiveUp => 120_000,
        Timer::FinWait2 | Timer::TimeWait => 60_000,
    }
}

/// Milliseconds from one end to the other.
const TRANSIT: u64 = 20;
/// Milliseconds until a program does the next thing.
const THINKS: u64 = 10;
const MOST_DELIVERIES: usize = 1000;
