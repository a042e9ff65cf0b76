//! What was sent, against what a script expects.

use crate::script::{Acknowledged, Pattern};
use crate::tcp::segment::{Control, Segment};
use crate::tcp::seq::SeqNumber;

/// A segment that waits for the script to expect it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queued {
    pub(super) segment: Segment,
    pub(super) cause: Cause,
}

/// Why it was sent, and so whether a script may leave it out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    /// A call or a segment called for it: it must be expected.
    Due,
    /// It acknowledges octets, which may wait (RFC 9293 §3.8.6.3).
    MayWait,
    /// A timer ran out, at a moment that the model does not know exactly.
    Timer,
}

/// The numbers that scripts count from in a segment that is no SYN: where each direction began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Base {
    pub(super) own: SeqNumber,
    pub(super) peer: SeqNumber,
}

impl Base {
    /// A segment that was sent, in a script's numbers.
    pub(super) fn sent(self, segment: &Segment) -> Segment {
        shifted(segment, |seq| seq - self.own.0, |ack| ack - self.peer.0)
    }

    /// A segment that arrives, in the numbers of the connection.
    pub(super) fn arriving(self, segment: &Segment) -> Segment {
        shifted(segment, |seq| seq + self.peer.0, |ack| ack + self.own.0)
    }
}

/// A SYN names its numbers as they are.
fn shifted(
    segment: &Segment,
    seq: impl Fn(SeqNumber) -> SeqNumber,
    ack: impl Fn(SeqNumber) -> SeqNumber,
) -> Segment {
    if segment.has(Control::SYN) {
        return *segment;
    }
    Segment { seq: seq(segment.seq), ack: segment.ack.map(ack), ..*segment }
}

/// How a segment fits what a script expects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fit {
    /// It is that.
    Whole,
    /// It begins with that, and this is left: systems cut what they send at other places.
    Begins(Segment),
    /// It is something else.
    Not,
}

/// Compares what was sent with what is expected.
pub fn fit(pattern: &Pattern, segment: &Segment) -> Fit {
    if pattern.sequence.length < segment.length {
        let (first, rest) = split(segment, pattern.sequence.length);
        let fits = pattern.sequence.length > 0 && same(pattern, &first);
        return if fits { Fit::Begins(rest) } else { Fit::Not };
    }
    if same(pattern, segment) { Fit::Whole } else { Fit::Not }
}

fn same(pattern: &Pattern, segment: &Segment) -> bool {
    let acknowledges = match pattern.acknowledged {
        Acknowledged::Nothing => segment.ack.is_none(),
        Acknowledged::Upto(number) => segment.ack == Some(SeqNumber(number)),
        Acknowledged::Open => segment.ack.is_some(),
    };
    acknowledges
        && pattern.control == segment.control()
        && pattern.sequence.length == segment.length
        && pattern.sequence.first.is_none_or(|first| SeqNumber(first) == segment.seq)
}

/// The first octets; the rest, with the FIN.
fn split(segment: &Segment, at: u32) -> (Segment, Segment) {
    let first = Segment { length: at, control: Control::NONE, ..*segment };
    let rest = Segment { seq: segment.seq + at, length: segment.length - at, ..*segment };
    (first, rest)
}

/// Whether what is expected is a later part of what is sent again: systems choose which part they repeat.
pub fn is_tail(pattern: &Pattern, segment: &Segment) -> bool {
    let Some(first) = pattern.sequence.first.map(SeqNumber) else { return false };
    let inside = first != segment.seq && first.is_within(segment.seq, segment.sequence_length());
    inside && (pattern.sequence.length > 0 || pattern.control.has(Control::FIN))
}

/// Both as one, where the second continues the first.
pub fn joined(first: &Segment, second: &Segment) -> Option<Segment> {
    let continues = first.control() == Control::NONE
        && first.length > 0
        && first.seq + first.length == second.seq
        && second.sequence_length() > 0;
    let length = first.length.checked_add(second.length)?;
    continues.then_some(Segment { seq: first.seq, length, ..*second })
}

/// The segment that arrives; `None` when the script leaves its numbers open.
pub fn segment(pattern: &Pattern) -> Option<Segment> {
    let ack = match pattern.acknowledged {
        Acknowledged::Nothing => None,
        Acknowledged::Upto(number) => Some(SeqNumber(number)),
        Acknowledged::Open => return None,
    };
    let seq = SeqNumber(pattern.sequence.first?);
    let window = pattern.window.unwrap_or(0);
    let length = pattern.sequence.length;
    Some(Segment { length, window, ..Segment::new(seq, ack, pattern.control) })
}

/// What a script expects, in the words in which segments are shown.
pub fn shown(pattern: &Pattern) -> String {
    let ack = match pattern.acknowledged {
        Acknowledged::Nothing => None,
        Acknowledged::Upto(number) => Some(SeqNumber(number)),
        Acknowledged::Open => Some(SeqNumber(0)),
    };
    let seq = SeqNumber(pattern.sequence.first.unwrap_or(0));
    let length = pattern.sequence.length;
    let whole = Segment { length, ..Segment::new(seq, ack, pattern.control) }.to_string();
    if pattern.sequence.first.is_none() || pattern.acknowledged == Acknowledged::Open {
        let flags = whole.split(" seq ").next().unwrap_or("");
        return format!("{flags} with numbers left open");
    }
    whole
}
