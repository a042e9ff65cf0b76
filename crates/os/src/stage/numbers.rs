//! Sequence numbers of a kernel in those of the model: each direction of each connection counts from its SYN.

use lastack_model::tcp::segment::{Control, Segment};
use lastack_model::tcp::seq::SeqNumber;

/// Where the connections of one end began, as they are and as the model counts them.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers(Vec<(SeqNumber, SeqNumber)>);

impl Numbers {
    /// A connection begins with this number, which the model calls so.
    pub(super) fn begin(&mut self, real: SeqNumber, named: SeqNumber) {
        if !self.knows(real) {
            self.0.push((real, named));
        }
    }

    /// True when a connection began with this number.
    pub(super) fn knows(&self, real: SeqNumber) -> bool {
        self.0.iter().any(|(known, _)| *known == real)
    }

    /// It belongs to the connection that began most closely before it.
    fn named(&self, real: SeqNumber) -> SeqNumber {
        let nearest = self.0.iter().min_by_key(|(begin, _)| real.distance_from(*begin));
        nearest.map_or(real, |(begin, named)| *named + real.distance_from(*begin))
    }
}

/// The segment in the model's numbers, of a sender who counts by `own` and a receiver who counts by `other`.
pub(super) fn named(segment: &Segment, own: &Numbers, other: &Numbers) -> Segment {
    // What answers a segment without ACK has no number to begin from (RFC 9293 §3.10.7.1).
    let has_none = segment.has(Control::RST) && segment.seq == SeqNumber(0);
    let seq = if has_none { segment.seq } else { own.named(segment.seq) };
    Segment { seq, ack: segment.ack.map(|ack| other.named(ack)), window: 0, ..*segment }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_counts_from_the_connection_it_belongs_to() {
        let mut numbers = Numbers::default();
        numbers.begin(SeqNumber(u32::MAX - 1), SeqNumber(0));
        numbers.begin(SeqNumber(70_000), SeqNumber(10_000));
        numbers.begin(SeqNumber(70_000), SeqNumber(5));
        assert_eq!(numbers.named(SeqNumber(3)), SeqNumber(5), "across the wrap");
        assert_eq!(numbers.named(SeqNumber(69_999)), SeqNumber(70_001));
        assert_eq!(numbers.named(SeqNumber(70_001)), SeqNumber(10_001));
    }

    #[test]
    fn a_reset_that_had_no_number_to_begin_from_keeps_its_zero() {
        let mut own = Numbers::default();
        own.begin(SeqNumber(500), SeqNumber(0));
        let reset = Segment::new(SeqNumber(0), Some(SeqNumber(9)), Control::RST);
        assert_eq!(named(&reset, &own, &Numbers::default()), reset);
        let fin = Segment::new(SeqNumber(501), Some(SeqNumber(9)), Control::FIN);
        assert_eq!(named(&fin, &own, &Numbers::default()).seq, SeqNumber(1));
    }
}
