//! Two ends and the network between them, as a space that an explorer can walk: every order in which calls, segments and
//! timers can come.
//!
//! The ends are the same [`Tcb`]s that everything else uses. Time does not pass here: a timer may run out whenever it
//! runs at all, which covers every length it could have. What can happen is said by a [`Setting`].

mod packed;
mod setting;
mod steps;

pub use packed::Packed;
pub use setting::{Calls, Closing, Initial, Network, Setting, Start, TimeWait, WINDOW, Waits};

use super::segment::Segment;
use super::tcb::{Effects, Tcb, Timer};
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
