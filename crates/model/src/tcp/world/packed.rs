//! A world in few words, so that millions of them can be kept. Nothing is lost: what is packed is unpacked the same.

use super::setting::{Setting, WINDOW};
use super::{Belief, End, Link, Presence, Side, UnderWay, World};
use crate::state::State;
use crate::tcp::segment::{Control, Segment};
use crate::tcp::seq::SeqNumber;
use crate::tcp::tcb::{Ended, Origin, Program, Tcb};
use std::hash::{Hash, Hasher};

/// A packed world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packed<const N: usize> {
    ends: [u64; 2],
    /// 0 where there is none.
    under_way: [u32; N],
}

impl<const N: usize> Hash for Packed<N> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.ends[0]);
        hasher.write_u64(self.ends[1]);
        for pair in self.under_way.chunks(2) {
            let high = pair.get(1).copied().unwrap_or(0);
            hasher.write_u64(u64::from(pair[0]) | u64::from(high) << 32);
        }
    }
}

impl<const N: usize> Packed<N> {
    pub(super) fn of(world: &World<N>) -> Self {
        let mut ends = world.ends.map(|end| pack_end(&end));
        ends[0] |= u64::from(world.link == Link::Cut) << LINK;
        Self { ends, under_way: world.under_way.map(|one| one.map_or(0, pack_under_way)) }
    }

    /// The world.
    pub fn unpacked(&self, _setting: &Setting<N>) -> World<N> {
        World {
            ends: self.ends.map(unpack_end),
            link: if self.ends[0] >> LINK & 1 == 1 { Link::Cut } else { Link::Whole },
            under_way: self.under_way.map(|number| (number != 0).then(|| unpack_under_way(number))),
        }
    }

    /// True when an end has taken a segment of another connection for one of its own.
    pub const fn is_deceived(&self) -> bool {
        (self.ends[0] | self.ends[1]) >> BELIEF & 1 == 1
    }

    /// The states of both ends, without unpacking the rest.
    pub const fn states(&self) -> (State, State) {
        (STATES[(self.ends[0] & 15) as usize], STATES[(self.ends[1] & 15) as usize])
    }
}

/// Bits taken or given one field after the other.
struct Bits(u64, u32);

impl Bits {
    const fn put(self, value: u32, width: u32) -> Self {
        debug_assert!(value >> width == 0, "a value that its field cannot hold");
        Self(self.0 | (value as u64) << self.1, self.1 + width)
    }

    const fn take(&mut self, width: u32) -> u32 {
        let value = self.0 & ((1 << width) - 1);
        self.0 >>= width;
        value as u32
    }
}

fn pack_end(end: &End) -> u64 {
    let tcb = &end.tcb;
    Bits(0, 0)
        .put(tcb.state as u32, 4)
        .put(u32::from(tcb.origin == Origin::Passive), 1)
        .put(u32::from(tcb.program == Program::Gone), 1)
        .put(u32::from(tcb.ended == Ended::Yes), 1)
        .put(tcb.iss.0, NUMBER)
        .put(tcb.snd_una.0, NUMBER)
        .put(tcb.snd_nxt.0, NUMBER)
        .put(tcb.snd_end.0, NUMBER)
        .put(tcb.rcv_nxt.0, NUMBER)
        .put(tcb.unread, 3)
        .put(end.octets_left, 3)
        .put(u32::from(end.incarnation), 3)
        .put(u32::from(end.presence == Presence::Vanished), 1)
        .put(u32::from(end.belief == Belief::Deceived), 1)
        .put(u32::from(end.wait_left), TICKS)
        .0
}

fn unpack_end(word: u64) -> End {
    let mut bits = Bits(word, 0);
    let state = STATES[bits.take(4) as usize];
    let origin = if bits.take(1) == 1 { Origin::Passive } else { Origin::Active };
    let program = if bits.take(1) == 1 { Program::Gone } else { Program::Holds };
    let ended = if bits.take(1) == 1 { Ended::Yes } else { Ended::No };
    let mut number = || SeqNumber(bits.take(NUMBER));
    let (iss, snd_una, snd_nxt, snd_end, rcv_nxt) =
        (number(), number(), number(), number(), number());
    let unread = bits.take(3);
    let tcb = Tcb {
        state,
        origin,
        program,
        iss,
        snd_una,
        snd_nxt,
        snd_end,
        ended,
        // Every segment says the same of its sender's window here.
        snd_wnd: 0,
        rcv_nxt,
        rcv_wnd: WINDOW,
        unread,
    };
    let octets_left = bits.take(3);
    let incarnation = bits.take(3) as u8;
    let presence = if bits.take(1) == 1 { Presence::Vanished } else { Presence::Here };
    let belief = if bits.take(1) == 1 { Belief::Deceived } else { Belief::Sound };
    let wait_left = bits.take(TICKS) as u8;
    End { tcb, octets_left, incarnation, presence, belief, wait_left }
}

fn pack_under_way(one: UnderWay) -> u32 {
    let to = u32::from(one.to == Side::B);
    let age = u32::from(one.ticks_left) << 24;
    1 | to << 1 | u32::from(one.incarnation) << 2 | one.number << 5 | age
}

fn unpack_under_way(word: u32) -> UnderWay {
    let to = if word >> 1 & 1 == 1 { Side::B } else { Side::A };
    let (incarnation, ticks_left) = ((word >> 2 & 7) as u8, (word >> 24) as u8);
    UnderWay { to, incarnation, number: word >> 5 & ((1 << 19) - 1), ticks_left }
}

/// A segment as a number. Windows are not kept: they do not change here.
pub(super) fn number(segment: &Segment) -> u32 {
    let (has_ack, ack) = segment.ack.map_or((0, 0), |ack| (1, ack.0));
    let bits = Bits(0, 0)
        .put(u32::from(segment.control.bits()), 3)
        .put(has_ack, 1)
        .put(segment.seq.0, NUMBER)
        .put(ack, NUMBER)
        .put(segment.length, 3);
    bits.0 as u32
}

/// The segment of that number.
pub(super) fn segment(number: u32) -> Segment {
    let mut bits = Bits(u64::from(number), 0);
    let control = Control::from_bits(bits.take(3) as u8);
    let has_ack = bits.take(1) == 1;
    let seq = SeqNumber(bits.take(NUMBER));
    let ack = SeqNumber(bits.take(NUMBER));
    let length = bits.take(3);
    Segment { length, ..Segment::new(seq, has_ack.then_some(ack), control) }
}

/// Where the mark of a deception stands in an end: after all that comes before it.
const BELIEF: u32 = 4 + 3 + 5 * NUMBER + 3 + 3 + 3 + 1;

/// Where the first end says that the link is cut.
const LINK: u32 = 63;

/// Waits are counted in fewer ticks than this many bits hold.
const TICKS: u32 = 5;

/// Sequence numbers stay below this many bits: few incarnations, few octets.
const NUMBER: u32 = 6;

/// The states by their numbers.
const STATES: [State; 16] = {
    let mut all = [State::Closed; 16];
    let mut at = 0;
    while at < State::ALL.len() {
        all[State::ALL[at] as usize] = State::ALL[at];
        at += 1;
    }
    all
};
