//! What can happen in a world: how it begins, what programs do, what the network does, which timers run.

use super::{Belief, End, Link, Presence, Side, World};
use crate::state::State;
use crate::tcp::profile::Profile;
use crate::tcp::seq::SeqNumber;
use crate::tcp::tcb::{Effects, Tcb, Timer};

/// What can happen, with at most `N` segments under way.
#[derive(Clone, Copy, Debug)]
pub struct Setting<const N: usize> {
    /// How the ends behave.
    pub profile: Profile,
    /// How it begins.
    pub start: Start,
    /// What the network does with segments.
    pub network: Network,
    /// How many octets each program writes at most.
    pub octets: u32,
    /// How programs end their side.
    pub closing: Closing,
    /// Who closes first; anybody when `None`.
    pub first_to_close: Option<Side>,
    /// Whether programs read at once.
    pub reads: bool,
    /// Whether programs abort.
    pub aborts: bool,
    /// Whether segments are lost.
    pub loses: bool,
    /// Whether segments are doubled.
    pub doubles: bool,
    /// Whether retransmission is given up.
    pub gives_up: bool,
    /// Whether an end that owes nothing asks whether its peer is there, and gives up when nobody answers (keepalive).
    pub keeps_alive: bool,
    /// Which host may vanish.
    pub vanishes: Option<Side>,
    /// Whether it may come back, and remember nothing.
    pub reboots: bool,
    /// Whether the link may be cut, and made whole again.
    pub cuts: bool,
    /// What programs may ask for.
    pub calls: Calls,
    /// How often a connection is opened at most.
    pub incarnations: u8,
    /// How the initial sequence numbers of a new incarnation are chosen.
    pub initial: Initial,
    /// When a wait may end.
    pub time_wait: TimeWait,
    /// Who waits after the last acknowledgement.
    pub waits: Waits,
}

/// When the wait of `TIME_WAIT` may end. Time does not pass in a world; what its passing does is said instead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimeWait {
    /// Whenever it likes: as if it were skipped.
    Any,
    /// When no segment of its connection is under way any more, which is what twice the segment lifetime is for.
    Drained,
    /// And the peer has got the last acknowledgement: losses do not outlast it.
    DrainedAndAcknowledged,
    /// After so many ticks, and when the peer has got the last acknowledgement.
    Ticks(u8),
}

/// Who waits after the last acknowledgement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Waits {
    /// Who closed first, or at the same time (RFC 9293).
    pub active: bool,
    /// Who closed second.
    pub passive: bool,
}

/// How a world begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// With a connection.
    Established,
    /// Without: A opens, B listens.
    Closed,
    /// Both have closed before either heard of it: two FINs are under way and cross.
    Crossing,
}

/// What the network does with segments. Every kind delivers in any order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Network {
    /// It holds so many at most and loses more; each arrives once, unless it is doubled, or is lost.
    Bag {
        /// How many.
        in_flight: usize,
    },
    /// It holds each for ever: what was sent once may arrive at any time and any number of times, or never.
    Set,
    /// It holds each for so many ticks, in which it may arrive any number of times, or never.
    Aged {
        /// The segment lifetime.
        ticks: u8,
    },
}

/// What programs may ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Calls {
    /// A opens, B listens, and what was opened is closed.
    Usual,
    /// Everything that the figure has an arc for: both sides open or listen, a listener opens, is closed or aborted.
    Every,
    /// As usual, but nobody closes: what is ended is aborted.
    Abort,
}

/// How programs end their side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// They write no more and go on reading (`shutdown`).
    HalfClose,
    /// They neither write nor read any more (`close`).
    FullClose,
}

/// How the initial sequence numbers of a new incarnation are chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Initial {
    /// The same as before: the worst case.
    Same,
    /// Beyond everything the one before has used.
    Rising,
    /// The same, but not beyond its window while it has sent nothing.
    RisingSlowly,
}

impl Network {
    /// Whether it holds a number of segments rather than each for a time.
    pub(super) const fn is_bounded(self) -> bool {
        matches!(self, Self::Bag { .. })
    }

    pub(super) const fn lifetime(self) -> u8 {
        match self {
            Self::Bag { .. } | Self::Set => 0,
            Self::Aged { ticks } => ticks,
        }
    }

    pub(super) const fn ages(self) -> bool {
        matches!(self, Self::Aged { .. })
    }
}

impl TimeWait {
    pub(super) const fn ticks(self) -> u8 {
        match self {
            Self::Ticks(ticks) => ticks,
            Self::Any | Self::Drained | Self::DrainedAndAcknowledged => 0,
        }
    }
}

impl<const N: usize> Setting<N> {
    /// An established connection on a network that loses, doubles and reorders; programs end their side when they like.
    pub const BASIC: Self = Self {
        profile: Profile::RFC_9293,
        start: Start::Established,
        network: Network::Bag { in_flight: N },
        octets: 0,
        closing: Closing::HalfClose,
        first_to_close: None,
        reads: true,
        aborts: false,
        loses: true,
        doubles: true,
        gives_up: false,
        keeps_alive: false,
        vanishes: None,
        reboots: false,
        cuts: false,
        calls: Calls::Usual,
        incarnations: 1,
        initial: Initial::Same,
        time_wait: TimeWait::Any,
        waits: Waits { active: true, passive: false },
    };

    pub(super) fn first(&self) -> World<N> {
        let iss = [SeqNumber(FIRST); 2];
        let tcbs = match self.start {
            Start::Established | Start::Crossing => Tcb::pair(iss, WINDOW),
            Start::Closed => [Tcb::closed(WINDOW); 2],
        };
        let incarnation = match self.start {
            Start::Established | Start::Crossing => 1,
            Start::Closed => 0,
        };
        let presence = Presence::Here;
        let belief = Belief::Sound;
        let octets_left = self.octets;
        let wait_left = 0;
        let end = |tcb| End { tcb, octets_left, incarnation, presence, belief, wait_left };
        let ends = tcbs.map(end);
        let mut world = World { ends, link: Link::Whole, under_way: [None; N] };
        if self.start == Start::Crossing {
            for side in Side::BOTH {
                let effects = self.close(world.end(side));
                world.send(side, incarnation, &effects, self.network);
            }
        }
        world
    }

    pub(super) fn may_open(&self, end: &End, side: Side) -> bool {
        let can = match self.calls {
            Calls::Usual | Calls::Abort => side == Side::A && end.tcb.state == State::Closed,
            Calls::Every => matches!(end.tcb.state, State::Closed | State::Listen),
        };
        can && end.incarnation < self.incarnations
    }

    pub(super) fn may_listen(&self, end: &End, side: Side) -> bool {
        let may = side == Side::B || self.calls == Calls::Every;
        may && end.tcb.state == State::Closed && end.incarnation < self.incarnations
    }

    pub(super) fn may_close(&self, end: &End, side: Side) -> bool {
        if self.calls == Calls::Abort {
            return false;
        }
        let may_be_first = self.first_to_close.is_none_or(|first| first == side);
        match end.tcb.state {
            State::CloseWait => true,
            State::SynReceived | State::Established => may_be_first,
            State::SynSent => self.start == Start::Closed,
            State::Listen => self.calls == Calls::Every,
            State::FinWait1
            | State::FinWait2
            | State::Closing
            | State::LastAck
            | State::TimeWait
            | State::Closed => false,
        }
    }

    /// A program can abort what it holds; what it has closed is the kernel's alone.
    pub(super) fn may_abort(&self, end: &End) -> bool {
        match end.tcb.state {
            State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck => {
                let holds = self.closing == Closing::HalfClose || !end.tcb.is_orphan();
                holds || self.calls == Calls::Every
            }
            State::Listen | State::TimeWait => self.calls == Calls::Every,
            State::Closed => false,
        }
    }

    pub(super) fn open(&self, end: &mut End) -> Effects {
        end.incarnation += 1;
        end.octets_left = self.octets;
        let iss = self.iss(end);
        end.tcb.open(iss)
    }

    pub(super) fn close(&self, end: &mut End) -> Effects {
        match self.closing {
            Closing::HalfClose => end.tcb.shutdown(),
            Closing::FullClose => end.tcb.close(&self.profile),
        }
    }

    /// The number that the connection this end opens next begins with.
    pub fn iss_after_open(&self, end: &End) -> SeqNumber {
        self.iss(&End { incarnation: end.incarnation + 1, ..*end })
    }

    /// The number a connection begins with that a segment opens at this end.
    pub fn iss(&self, end: &End) -> SeqNumber {
        match self.initial {
            Initial::Same => SeqNumber(FIRST),
            Initial::Rising => SeqNumber(FIRST + u32::from(end.incarnation) * STRIDE),
            Initial::RisingSlowly => SeqNumber(FIRST + u32::from(end.incarnation) * SHORT_STRIDE),
        }
    }

    pub(super) fn timers_that_run(
        &self,
        world: &World<N>,
        side: Side,
    ) -> impl Iterator<Item = Timer> {
        let timers = [Timer::Retransmit, Timer::GiveUp, Timer::FinWait2, Timer::TimeWait];
        let tcb = world.ends[side.index()].tcb;
        let profile = self.profile;
        let gives_up = self.gives_up;
        let asks = self.keeps_alive && is_silent(tcb.state);
        let may_end = self.may_end_waiting(world, side);
        timers.into_iter().filter(move |timer| match timer {
            Timer::GiveUp => gives_up && tcb.wants(*timer, &profile) || asks,
            Timer::TimeWait => may_end && tcb.wants(*timer, &profile),
            Timer::Retransmit | Timer::FinWait2 => tcb.wants(*timer, &profile),
        })
    }

    fn may_end_waiting(&self, world: &World<N>, side: Side) -> bool {
        let incarnation = world.ends[side.index()].incarnation;
        let drained = || world.under_way().all(|segment| segment.incarnation != incarnation);
        let peer = &world.ends[side.other().index()];
        let acknowledged = || {
            let waits = matches!(peer.tcb.state, State::LastAck | State::Closing);
            !(waits && peer.incarnation == incarnation)
        };
        match self.time_wait {
            TimeWait::Any => true,
            TimeWait::Drained => drained(),
            TimeWait::DrainedAndAcknowledged => drained() && acknowledged(),
            TimeWait::Ticks(_) => world.ends[side.index()].wait_left == 0 && acknowledged(),
        }
    }

    /// Lets those wait who wait here, and no others.
    pub(super) fn wait_or_not(&self, before: &Tcb, end: &mut End) {
        let entered = end.tcb.state == State::TimeWait && before.state != State::TimeWait;
        if entered && !self.waits.active {
            end.tcb = Tcb { program: end.tcb.program, ..Tcb::closed(WINDOW) };
        }
        let left = before.state == State::LastAck && end.tcb.state == State::Closed;
        let in_order = left && end.belief == Belief::Sound;
        if in_order && self.waits.passive {
            end.tcb = Tcb { state: State::TimeWait, snd_una: before.snd_nxt, ..*before };
        }
    }
}

/// Whether nothing need ever come from an end in this state though its connection lives (RFC 9293 §3.8.4).
const fn is_silent(state: State) -> bool {
    match state {
        State::Established | State::FinWait2 | State::CloseWait => true,
        State::Listen
        | State::SynSent
        | State::SynReceived
        | State::FinWait1
        | State::Closing
        | State::LastAck
        | State::TimeWait
        | State::Closed => false,
    }
}

/// The first number of a first incarnation.
const FIRST: u32 = 0;
/// More numbers than an incarnation uses: SYN, octets, FIN.
const STRIDE: u32 = 8;
/// More numbers than SYN and FIN.
const SHORT_STRIDE: u32 = 3;
/// As in real life larger than what is under way, and small enough that numbers lie outside of it.
pub const WINDOW: u32 = 4;
