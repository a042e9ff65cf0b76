//! Any story of any setting that an explorer found, told event by event.
//!
//! The worlds of the story say what states there are; which segments a step sends is asked of the same [`Tcb`] once more.
//! So whatever a setting allows, from ageing networks to ends that skip their wait, the ladder shows what was searched.

use super::{Call, Event, Flight, Known, Make, Side, WaitMark, What, index};
use crate::state::State;
use crate::tcp::segment::{Control, Segment};
use crate::tcp::tcb::{Effects, Program, Tcb, Timer, Wait};
use crate::tcp::world::{Action, Closing, Network, Presence, Setting, UnderWay, World};

/// What happened in a story, from its first world on.
pub fn events<const N: usize>(
    setting: &Setting<N>,
    first: &World<N>,
    story: &[(Action, World<N>)],
) -> Vec<Event> {
    let mut teller = Teller::new(setting, first);
    let mut before = *first;
    for (action, after) in story {
        teller.tell(&before, *action, after);
        before = *after;
    }
    teller.events
}

/// The states of a world, as far as anybody is there to have one.
pub fn states<const N: usize>(world: &World<N>) -> [Known<State>; 2] {
    world.ends.map(|end| match end.presence {
        Presence::Here => Known::Observed(end.tcb.state),
        Presence::Vanished => Known::Unknown,
    })
}

struct Teller<'a, const N: usize> {
    setting: &'a Setting<N>,
    under_way: Vec<Seen>,
    next_id: u32,
    events: Vec<Event>,
}

/// A segment under way, and whether it has arrived before, where copies are kept.
#[derive(Clone, Copy)]
struct Seen {
    flight: Flight,
    arrived: bool,
}

impl<'a, const N: usize> Teller<'a, N> {
    fn new(setting: &'a Setting<N>, first: &World<N>) -> Self {
        let mut teller = Self { setting, under_way: Vec::new(), next_id: 0, events: Vec::new() };
        for one in first.under_way() {
            teller.sent(first, one.to.other(), one.incarnation, one.segment(), Make::Original);
        }
        teller
    }

    fn tell(&mut self, before: &World<N>, action: Action, after: &World<N>) {
        match action {
            Action::Open(side)
            | Action::Listen(side)
            | Action::Send(side)
            | Action::Close(side)
            | Action::Abort(side) => self.call(before, action, after, side),
            Action::Timeout(side, timer) => self.timeout(before, after, side, timer),
            Action::Vanish(side) => self.push(What::Gone(side), after),
            Action::Reboot(side) => self.push(What::Back(side), after),
            Action::Deliver(place) => {
                if let Some(one) = before.under_way().nth(usize::from(place.0)) {
                    self.arrives(before, after, one);
                }
            }
            // What is no longer under way is found below.
            Action::Lose(_) => {}
            Action::Double(place) => {
                if let Some(one) = before.under_way().nth(usize::from(place.0)) {
                    let (from, segment) = (one.to.other(), one.segment());
                    self.sent(after, from, one.incarnation, segment, Make::Doubled);
                }
            }
            Action::Cut => self.push(What::Note("the link is cut".into()), after),
            Action::Restore => self.push(What::Note("the link is whole again".into()), after),
            Action::Tick => self.push(What::Note("one tick of time".into()), after),
        }
        self.drop_what_is_gone(after);
    }

    fn call(&mut self, before: &World<N>, action: Action, after: &World<N>, side: Side) {
        let end = &before.ends[index(side)];
        let mut tcb = end.tcb;
        let closes = self.setting.closing;
        let (call, effects) = match action {
            Action::Open(_) => (Call::Connect, tcb.open(self.setting.iss_after_open(end))),
            Action::Listen(_) => (Call::Listen, tcb.listen()),
            Action::Send(_) => (Call::Write(1), tcb.send(1)),
            Action::Close(_) if closes == Closing::HalfClose => (Call::Shutdown, tcb.shutdown()),
            Action::Close(_) => (Call::Close, tcb.close(&self.setting.profile)),
            Action::Abort(_) => (Call::Abort, tcb.abort()),
            _ => return,
        };
        self.push(What::Call(side, call), after);
        self.follow(before, after, side, &effects, Make::Original);
    }

    fn timeout(&mut self, before: &World<N>, after: &World<N>, side: Side, timer: Timer) {
        let mut tcb = before.ends[index(side)].tcb;
        let effects = tcb.timeout(timer);
        self.push(What::Timer(side, timer), after);
        self.follow(before, after, side, &effects, Make::Repeated);
    }

    fn arrives(&mut self, before: &World<N>, after: &World<N>, one: UnderWay) {
        let Some(at) = self.under_way.iter().position(|seen| is_same(&seen.flight, one)) else {
            return;
        };
        let keeps = self.keeps_copies();
        if self.under_way[at].arrived {
            let flight = self.under_way[at].flight;
            let (from, number) = (flight.from, one.incarnation);
            self.under_way.remove(at);
            self.sent(after, from, number, flight.segment, Make::Doubled);
            if let Some(copy) = self.under_way.last_mut() {
                copy.arrived = true;
                let flight = copy.flight;
                self.push(What::Arrived(flight), after);
            }
        } else {
            let flight = self.under_way[at].flight;
            if keeps {
                self.under_way[at].arrived = true;
            } else {
                self.under_way.remove(at);
            }
            self.push(What::Arrived(flight), after);
        }
        let end = &before.ends[index(one.to)];
        if end.presence == Presence::Here {
            let mut tcb = end.tcb;
            let (segment, iss) = (one.segment(), self.setting.iss(end));
            let effects = tcb.arrive(&segment, iss, &self.setting.profile);
            self.answer(before, after, one, &tcb, &effects);
        }
    }

    /// What an arrival led to. A reset that ends nothing is sent in the name of the connection that was meant.
    fn answer(
        &mut self,
        before: &World<N>,
        after: &World<N>,
        one: UnderWay,
        tcb: &Tcb,
        effects: &Effects,
    ) {
        let was = before.ends[index(one.to)].tcb.state;
        let resets = effects.segments().any(|segment| segment.has(Control::RST));
        let number = if resets && was == tcb.state {
            one.incarnation
        } else {
            after.ends[index(one.to)].incarnation
        };
        self.news(before, after, one.to, effects);
        for segment in effects.segments() {
            self.sent(after, one.to, number, segment, Make::Original);
        }
    }

    fn follow(
        &mut self,
        before: &World<N>,
        after: &World<N>,
        side: Side,
        effects: &Effects,
        make: Make,
    ) {
        self.news(before, after, side, effects);
        // An end that is closed by this had sent before it forgot which connection it was.
        let number = after.ends[index(side)].incarnation;
        for segment in effects.segments() {
            self.sent(after, side, number, segment, make);
        }
    }

    fn news(&mut self, before: &World<N>, after: &World<N>, side: Side, effects: &Effects) {
        let (was, is) = (&before.ends[index(side)].tcb, &after.ends[index(side)].tcb);
        if let Some(report) = effects.report.filter(|_| was.program == Program::Holds) {
            self.push(What::Told(side, report), after);
        }
        let mark = match (was.state == State::TimeWait, is.state == State::TimeWait) {
            (false, true) => WaitMark::Starts,
            (true, true) if effects.wait == Wait::Starts => WaitMark::Restarts,
            (true, false) => WaitMark::Ends,
            (true, true) | (false, false) => return,
        };
        self.push(What::Wait(side, mark), after);
    }

    fn sent(
        &mut self,
        after: &World<N>,
        from: Side,
        incarnation: u8,
        segment: Segment,
        make: Make,
    ) {
        // Two segments are the same to a reader whatever window they offer.
        let segment = Segment { window: 0, ..segment };
        let flight =
            Flight { id: self.next_id, from, segment, incarnation: Some(incarnation), make };
        self.next_id += 1;
        if self.keeps_copies() {
            // The youngest copy stands for all.
            let same = |seen: &Seen| is_copy(&seen.flight, &flight);
            if let Some(at) = self.under_way.iter().position(same) {
                let old = self.under_way.remove(at);
                if !old.arrived {
                    self.push(What::Lost(old.flight), after);
                }
            }
        }
        self.under_way.push(Seen { flight, arrived: false });
        self.push(What::Sent(flight), after);
    }

    /// A network that is full loses what is sent into it, one that ages what is too old; a reader must see that.
    fn drop_what_is_gone(&mut self, after: &World<N>) {
        let mut left: Vec<UnderWay> = after.under_way().collect();
        let mut gone = Vec::new();
        self.under_way.retain(|seen| {
            let place = left.iter().position(|one| is_same(&seen.flight, *one));
            if let Some(at) = place {
                left.swap_remove(at);
            } else {
                gone.extend((!seen.arrived).then_some(seen.flight));
            }
            place.is_some()
        });
        for flight in gone {
            self.push(What::Lost(flight), after);
        }
    }

    const fn keeps_copies(&self) -> bool {
        match self.setting.network {
            Network::Bag { .. } => false,
            Network::Set | Network::Aged { .. } => true,
        }
    }

    fn push(&mut self, what: What, after: &World<N>) {
        self.events.push(Event { at: None, what, states: states(after) });
    }
}

fn is_same(flight: &Flight, wanted: UnderWay) -> bool {
    let segment = wanted.segment();
    flight.from.other() == wanted.to
        && flight.incarnation == Some(wanted.incarnation)
        && is_like(&flight.segment, &segment)
}

fn is_copy(one: &Flight, other: &Flight) -> bool {
    (one.from, one.incarnation) == (other.from, other.incarnation)
        && is_like(&one.segment, &other.segment)
}

fn is_like(one: &Segment, other: &Segment) -> bool {
    (one.seq, one.ack, one.control, one.length)
        == (other.seq, other.ack, other.control, other.length)
}
