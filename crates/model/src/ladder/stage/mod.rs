//! A stage on which a story is played: two ends, the segments between them, and a clock that moves with the story. What is
//! played becomes a ladder; nothing on it is drawn by hand.

mod socket;

use super::{Call, Event, Flight, Known, Ladder, Make, Moment, Side, View, WaitMark, What, index};
use crate::state::State;
use crate::tcp::profile::Profile;
use crate::tcp::segment::Segment;
use crate::tcp::seq::SeqNumber;
use crate::tcp::tcb::{Program, Report, Tcb, Timer, Wait};
use socket::{Given, Socket};

/// One step of a script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// A program asks for something.
    Call(Side, Call),
    /// A timer runs out, if it runs.
    Timeout(Side, Timer),
    /// Keepalive asks the peer whether it is there.
    Probe(Side),
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
    sockets: [Socket; 2],
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
            sockets: [Socket::of(start), Socket::of(start)],
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
            Step::Probe(side) => self.probe(side),
            Step::Arrives(_) | Step::Overtakes(_) => {
                let _found = self.meant(step).map(|id| self.deliver_id(id));
            }
            Step::Lost(_) => {
                let _found = self.meant(step).map(|id| self.lose_id(id));
            }
            Step::Doubled(_) => {
                let _found = self.meant(step).map(|id| self.double_id(id));
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
                self.sockets[index(side)] = Socket::of(Start::Closed);
                self.tell(What::Back(side));
            }
            Step::Note(text) => self.tell(What::Note(text.into())),
        }
    }

    /// From now on what comes before its turn is dropped, as an explorer's ends do.
    pub fn drop_what_is_ahead(&mut self) {
        self.sockets.iter_mut().for_each(Socket::drop_what_is_ahead);
    }

    /// The states of both ends.
    pub fn states(&self) -> (State, State) {
        (self.tcbs[0].state, self.tcbs[1].state)
    }

    /// What an end knows.
    pub const fn end(&self, side: Side) -> &Tcb {
        &self.tcbs[index(side)]
    }

    /// The segment that a step is about, if there is one.
    pub fn meant(&self, step: Step) -> Option<u32> {
        let mut flights = self.under_way.iter().map(|(flight, _)| flight);
        let found = match step {
            Step::Arrives(from) | Step::Lost(from) | Step::Doubled(from) => {
                flights.find(|flight| flight.from == from)
            }
            Step::Overtakes(from) => flights.rfind(|flight| flight.from == from),
            Step::Call(..)
            | Step::Timeout(..)
            | Step::Probe(_)
            | Step::Settle
            | Step::Gone(_)
            | Step::Back(_)
            | Step::Note(_) => None,
        };
        found.map(|flight| flight.id)
    }

    /// What has happened so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The states before the first step.
    pub const fn start(&self) -> [Known<State>; 2] {
        self.start
    }

    /// True unless the host is gone.
    pub const fn is_here(&self, side: Side) -> bool {
        self.here[index(side)]
    }

    /// True when this timer runs.
    pub fn runs(&self, side: Side, timer: Timer) -> bool {
        let at = index(side);
        let asks = timer == Timer::GiveUp && self.sockets[at].gives_up_idle(&self.tcbs[at]);
        self.here[at] && (asks || self.tcbs[at].wants(timer, &self.profile))
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
        if call == Call::Connect {
            self.incarnations[at] = self.incarnations[at].saturating_add(1);
        }
        let iss = self.iss[at];
        let given = self.sockets[at].call(&mut self.tcbs[at], call, iss, &self.profile);
        if call == Call::Connect {
            self.iss[at] = iss + RISE;
        }
        self.tell(What::Call(side, call));
        self.news(side, &given);
        self.send(side, self.incarnations[at], &given, Make::Original);
    }

    fn timeout(&mut self, side: Side, timer: Timer) {
        let at = index(side);
        if !self.runs(side, timer) {
            return;
        }
        let since = if timer == Timer::TimeWait { self.wait_since[at] } else { self.now };
        let length = length_of(timer, self.tcbs[at].state);
        self.now = self.now.max(Moment(since.0 + length));
        let given = self.sockets[at].timeout(&mut self.tcbs[at], timer, &self.profile);
        self.tell(What::Timer(side, timer));
        self.news(side, &given);
        self.send(side, self.incarnations[at], &given, Make::Repeated);
    }

    fn probe(&mut self, side: Side) {
        let at = index(side);
        let Some(probe) = self.sockets[at].probe(&self.tcbs[at]).filter(|_| self.here[at]) else {
            return;
        };
        self.now = Moment(self.now.0 + IDLE);
        self.tell(What::Probe(side));
        let given = Given { segments: vec![probe], ..Given::default() };
        self.send(side, self.incarnations[at], &given, Make::Original);
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
        let (socket, tcb) = (&mut self.sockets[to], &mut self.tcbs[to]);
        let before = socket.meets(tcb, &flight.segment, &self.profile);
        let given = socket.arrive(tcb, &flight.segment, self.iss[to], &self.profile);
        let opened = matches!(before, State::Listen | State::TimeWait)
            && self.tcbs[to].state == State::SynReceived;
        if opened {
            self.incarnations[to] = flight.incarnation.unwrap_or(1);
            self.iss[to] = self.iss[to] + RISE;
        }
        self.tell(What::Arrived(flight));
        self.news(side, &given);
        // Who has no connection answers in the name of the one that was meant.
        let nobody = matches!(before, State::Closed | State::Listen) && !opened;
        let incarnation =
            if nobody { flight.incarnation.unwrap_or(1) } else { self.incarnations[to] };
        self.send(side, incarnation, &given, Make::Original);
    }

    fn news(&mut self, side: Side, given: &Given) {
        let at = index(side);
        let is_heard = self.tcbs[at].program == Program::Holds;
        let is_known = |report| self.sockets[at].is_accepted() || report == Report::Connected;
        if let Some(report) = given.report.filter(|report| is_heard && is_known(*report)) {
            self.tell(What::Told(side, report));
        }
        if given.wait == Wait::Starts {
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

    fn send(&mut self, from: Side, incarnation: u8, given: &Given, make: Make) {
        for segment in given.segments.iter().copied() {
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
const fn length_of(timer: Timer, state: State) -> u64 {
    match timer {
        Timer::Retransmit if matches!(state, State::SynSent | State::SynReceived) => 1000,
        Timer::Retransmit => 200,
        Timer::GiveUp => 120_000,
        Timer::FinWait2 | Timer::TimeWait => 60_000,
    }
}

/// Milliseconds from one end to the other.
const TRANSIT: u64 = 20;
/// Milliseconds until keepalive asks (`TCP_KEEPIDLE` of a second; two hours without it).
const IDLE: u64 = 1000;
/// How far apart the initial numbers of an end's connections are: beyond whatever was sent in the one before.
const RISE: u32 = 10_000;
/// Milliseconds until a program does the next thing.
const THINKS: u64 = 10;
const MOST_DELIVERIES: usize = 1000;
