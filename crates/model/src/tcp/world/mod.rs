//! Two ends and the network between them, as a space that an explorer can walk: every order in which calls, segments and
//! timers can come.
//!
//! The ends are the same [`Tcb`]s that everything else uses. Time does not pass here: a timer may run out whenever it
//! runs at all, which covers every length it could have. What can happen is said by a [`Setting`].

mod packed;
mod setting;

pub use packed::Packed;
pub use setting::{Calls, Closing, Initial, Network, Setting, Start, TimeWait, WINDOW, Waits};

use super::segment::{Control, Segment};
use super::tcb::{Effects, Tcb, Timer, Wait};
use crate::explore::Space;
use crate::state::State;

/// One of the two ends.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// The one that opens, where one does.
    A,
    /// The other.
    B,
}

/// What may happen next.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Action {
    /// The program opens a connection.
    Open(Side),
    /// The program waits for one.
    Listen(Side),
    /// The program writes an octet.
    Send(Side),
    /// The program closes.
    Close(Side),
    /// The program aborts.
    Abort(Side),
    /// A timer runs out.
    Timeout(Side, Timer),
    /// The whole host is gone, without a word.
    Vanish(Side),
    /// It is back and remembers nothing.
    Reboot(Side),
    /// The link between them is cut, and what is under way is lost.
    Cut,
    /// The link is whole again.
    Restore,
    /// A segment under way arrives.
    Deliver(Place),
    /// It is lost.
    Lose(Place),
    /// It is doubled.
    Double(Place),
    /// A unit of time passes: what is under way grows older, waits grow shorter.
    Tick,
}

/// Which of the segments under way, in their fixed order.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Place(pub u8);

/// Everything there is: the ends, and at most `N` segments under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct World<const N: usize> {
    /// The ends.
    pub ends: [End; 2],
    /// What is between them.
    pub link: Link,
    under_way: [Option<UnderWay>; N],
}

/// Whether anything can come from one end to the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Link {
    /// It can.
    Whole,
    /// Nothing comes through.
    Cut,
}

/// One end, and what an explorer must know beside it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    /// What it knows.
    pub tcb: Tcb,
    /// Octets that its program may still write.
    pub octets_left: u32,
    /// Which connection between these two ends it is, counted from 1; what it sends is marked with it.
    pub incarnation: u8,
    /// Whether the host is still there.
    pub presence: Presence,
    /// Whether it has taken a segment of another connection for one of its own.
    pub belief: Belief,
    /// Ticks until its wait in `TIME_WAIT` may end, where time passes.
    pub wait_left: u8,
}

/// Whether an end took a segment of another connection between the same addresses and ports for one of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Belief {
    /// Never.
    Sound,
    /// It did: octets, an acknowledgement, an end or a reset that was not meant for it.
    Deceived,
}

/// Whether a host is still there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// It answers.
    Here,
    /// It is switched off, or cut off.
    Vanished,
}

/// A segment under way. The mark is not on the wire: it is there to see whether an old segment is taken for a new one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct UnderWay {
    /// To whom.
    pub to: Side,
    /// In which incarnation it was sent.
    pub incarnation: u8,
    number: u32,
    /// Ticks that it may still arrive, where time passes.
    pub ticks_left: u8,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

impl<const N: usize> World<N> {
    /// The states of both ends.
    pub const fn states(&self) -> (State, State) {
        (self.ends[0].tcb.state, self.ends[1].tcb.state)
    }

    /// The segments under way.
    pub fn under_way(&self) -> impl Iterator<Item = UnderWay> + '_ {
        self.under_way.iter().flatten().copied()
    }

    fn end(&mut self, side: Side) -> &mut End {
        &mut self.ends[side.index()]
    }

    /// Puts on the wire what a step gave. A network that is full loses it; one that keeps copies keeps the youngest.
    fn send(&mut self, from: Side, incarnation: u8, effects: &Effects, network: Network) {
        if self.link == Link::Cut {
            return;
        }
        for segment in effects.segments() {
            let sent = UnderWay::new(from.other(), incarnation, &segment, network.lifetime());
            let same = |slot: &&mut Option<UnderWay>| slot.is_some_and(|one| one.is_copy_of(sent));
            let copy = match network {
                Network::Bag { .. } => None,
                Network::Set | Network::Aged { .. } => self.under_way.iter_mut().find(same),
            };
            if let Some(copy) = copy {
                *copy = Some(sent);
            } else if let Some(free) = self.room(network).find(|slot| slot.is_none()) {
                *free = Some(sent);
            } else {
                assert!(network.is_bounded(), "more different segments than there is room for");
            }
        }
        self.sort();
    }

    fn room(&mut self, network: Network) -> impl Iterator<Item = &mut Option<UnderWay>> {
        let limit = match network {
            Network::Bag { in_flight } => in_flight,
            Network::Set | Network::Aged { .. } => N,
        };
        self.under_way.iter_mut().take(limit)
    }

    /// A unit of time passes; whoever is too old is gone.
    fn tick(&mut self) {
        for slot in &mut self.under_way {
            *slot = slot.and_then(|one| {
                let ticks_left = one.ticks_left - 1;
                (ticks_left > 0).then_some(UnderWay { ticks_left, ..one })
            });
        }
        for end in &mut self.ends {
            end.wait_left = end.wait_left.saturating_sub(1);
        }
        self.sort();
    }

    /// One order for each collection of segments, so that the same collection is the same state.
    fn sort(&mut self) {
        self.under_way.sort_unstable_by(|one, other| match (one, other) {
            (Some(one), Some(other)) => one.cmp(other),
            (one, other) => one.is_none().cmp(&other.is_none()),
        });
    }

    fn take(&mut self, Place(at): Place) -> Option<UnderWay> {
        let taken = self.under_way[usize::from(at)].take();
        self.sort();
        taken
    }
}

/// The space of all worlds that follow from a setting.
impl<const N: usize> Space for Setting<N> {
    type State = Packed<N>;
    type Action = Action;

    fn start(&self) -> Packed<N> {
        Packed::of(&self.first())
    }

    fn successors(&self, state: &Packed<N>, each: &mut dyn FnMut(Action, Packed<N>)) {
        let world = state.unpacked(self);
        // What follows from a deception says nothing more.
        if world.ends.iter().any(|end| end.belief == Belief::Deceived) {
            return;
        }
        for side in Side::BOTH {
            self.calls(&world, side, each);
            self.timers(&world, side, each);
            self.hosts(&world, side, each);
        }
        self.link(&world, each);
        self.network(&world, each);
    }
}

impl<const N: usize> Setting<N> {
    /// The world after an action, for whoever follows a story.
    pub fn after(&self, world: &World<N>, action: Action) -> Option<World<N>> {
        let mut found = None;
        self.successors(&Packed::of(world), &mut |taken, next| {
            if taken == action {
                found = Some(next.unpacked(self));
            }
        });
        found
    }

    fn calls(&self, world: &World<N>, side: Side, each: &mut dyn FnMut(Action, Packed<N>)) {
        let end = &world.ends[side.index()];
        if end.presence == Presence::Vanished {
            return;
        }
        let mut call = |action: Action, act: &dyn Fn(&mut End) -> Effects| {
            let mut next = *world;
            let effects = act(next.end(side));
            let incarnation = next.end(side).incarnation;
            next.send(side, incarnation, &effects, self.network);
            if next != *world {
                each(action, Packed::of(&next));
            }
        };
        if self.may_open(end, side) {
            call(Action::Open(side), &|end| self.open(end));
        }
        if self.may_listen(end, side) {
            call(Action::Listen(side), &|end| end.tcb.listen());
        }
        if end.octets_left > 0 && matches!(end.tcb.state, State::Established | State::CloseWait) {
            call(Action::Send(side), &|end| {
                end.octets_left -= 1;
                end.tcb.send(1)
            });
        }
        if self.may_close(end, side) {
            call(Action::Close(side), &|end| self.close(end));
        }
        if self.aborts && self.may_abort(end) {
            call(Action::Abort(side), &|end| end.tcb.abort());
        }
    }

    /// Hosts go, and come back.
    fn hosts(&self, world: &World<N>, side: Side, each: &mut dyn FnMut(Action, Packed<N>)) {
        if self.vanishes != Some(side) {
            return;
        }
        let mut next = *world;
        let end = next.end(side);
        match end.presence {
            Presence::Here => {
                end.tcb = Tcb::closed(WINDOW);
                end.presence = Presence::Vanished;
                each(Action::Vanish(side), Packed::of(&next));
            }
            Presence::Vanished if self.reboots => {
                end.tcb = Tcb::closed(WINDOW);
                end.presence = Presence::Here;
                each(Action::Reboot(side), Packed::of(&next));
            }
            Presence::Vanished => {}
        }
    }

    fn link(&self, world: &World<N>, each: &mut dyn FnMut(Action, Packed<N>)) {
        if !self.cuts {
            return;
        }
        match world.link {
            Link::Whole => {
                let cut = World { link: Link::Cut, under_way: [None; N], ..*world };
                each(Action::Cut, Packed::of(&cut));
            }
            Link::Cut => {
                each(Action::Restore, Packed::of(&World { link: Link::Whole, ..*world }));
            }
        }
    }

    fn timers(&self, world: &World<N>, side: Side, each: &mut dyn FnMut(Action, Packed<N>)) {
        let end = &world.ends[side.index()];
        if end.presence == Presence::Vanished {
            return;
        }
        for timer in self.timers_that_run(world, side) {
            let mut next = *world;
            let effects = next.end(side).tcb.timeout(timer);
            next.send(side, end.incarnation, &effects, self.network);
            if next != *world {
                each(Action::Timeout(side, timer), Packed::of(&next));
            }
        }
    }

    fn network(&self, world: &World<N>, each: &mut dyn FnMut(Action, Packed<N>)) {
        let mut last = None;
        for (at, under_way) in world.under_way.iter().enumerate() {
            let Some(under_way) = under_way else { break };
            // Of equal segments one stands for all.
            if last.replace(*under_way) == Some(*under_way) {
                continue;
            }
            let place = Place(at as u8);
            each(Action::Deliver(place), Packed::of(&self.delivered(world, place)));
            if self.network.is_bounded() {
                self.lose_or_double(world, place, each);
            }
        }
        if self.network.ages() {
            let mut next = *world;
            next.tick();
            if next != *world {
                each(Action::Tick, Packed::of(&next));
            }
        }
    }

    fn lose_or_double(
        &self,
        world: &World<N>,
        place: Place,
        each: &mut dyn FnMut(Action, Packed<N>),
    ) {
        if self.loses {
            let mut next = *world;
            next.take(place);
            each(Action::Lose(place), Packed::of(&next));
        }
        let mut next = *world;
        let copy = world.under_way[usize::from(place.0)];
        let free = next.room(self.network).find(|slot| slot.is_none());
        if let (true, Some(free)) = (self.doubles, free) {
            *free = copy;
            next.sort();
            each(Action::Double(place), Packed::of(&next));
        }
    }

    fn delivered(&self, world: &World<N>, place: Place) -> World<N> {
        let mut next = *world;
        let Some(under_way) = world.under_way[usize::from(place.0)] else { return next };
        // Where copies are kept, another one may arrive as long as the segment lives.
        if self.network.is_bounded() {
            next.take(place);
        }
        let end = next.end(under_way.to);
        if end.presence == Presence::Vanished {
            return next;
        }
        let before = end.tcb;
        let effects = end.tcb.arrive(&under_way.segment(), self.iss(end), &self.profile);
        if self.reads {
            end.tcb.read();
        }
        let opened = matches!(before.state, State::Listen | State::TimeWait)
            && end.tcb.state == State::SynReceived;
        if is_moved(&before, &end.tcb) && under_way.incarnation < end.incarnation && !opened {
            end.belief = Belief::Deceived;
        }
        self.wait_or_not(&before, end);
        if effects.wait == Wait::Starts {
            end.wait_left = self.time_wait.ticks();
        }
        if opened {
            end.incarnation = under_way.incarnation;
            end.octets_left = self.octets;
        }
        // A reset that ends nothing here answers in the name of the connection that was meant.
        let resets = effects.segments().any(|segment| segment.has(Control::RST));
        let for_another = resets && before.state == end.tcb.state;
        let incarnation = if for_another { under_way.incarnation } else { end.incarnation };
        next.send(under_way.to, incarnation, &effects, self.network);
        next
    }
}

/// Whether a segment changed what an end knows of its connection.
fn is_moved(before: &Tcb, after: &Tcb) -> bool {
    before.state != State::Closed
        && (before.state, before.rcv_nxt, before.snd_una)
            != (after.state, after.rcv_nxt, after.snd_una)
}

impl UnderWay {
    fn new(to: Side, incarnation: u8, segment: &Segment, ticks_left: u8) -> Self {
        Self { to, incarnation, number: packed::number(segment), ticks_left }
    }

    fn is_copy_of(self, other: Self) -> bool {
        (self.to, self.incarnation, self.number) == (other.to, other.incarnation, other.number)
    }

    /// The segment.
    pub fn segment(&self) -> Segment {
        packed::segment(self.number)
    }
}

#[cfg(test)]
mod tests;
