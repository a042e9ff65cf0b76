//! A segment, as far as opening and closing a connection need it.

use super::seq::SeqNumber;
use std::fmt;

/// One segment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Segment {
    /// The number of its first octet, or of its SYN.
    pub seq: SeqNumber,
    /// The number of the octet it expects next, if it acknowledges anything.
    pub ack: Option<SeqNumber>,
    /// What it does beside carrying data.
    pub control: Control,
    /// How many octets it carries.
    pub length: u32,
    /// How many octets its sender accepts from `ack` on.
    pub window: u32,
}

/// The control bits that open, close and reset.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Control(u8);

impl Segment {
    /// A segment that carries nothing.
    pub const fn new(seq: SeqNumber, ack: Option<SeqNumber>, control: Control) -> Self {
        Self { seq, ack, control, length: 0, window: 0 }
    }

    /// How many sequence numbers it takes (`SEG.LEN`): its octets, its SYN, its FIN.
    pub const fn sequence_length(&self) -> u32 {
        let controls = self.has(Control::SYN) as u32 + self.has(Control::FIN) as u32;
        self.length.saturating_add(controls)
    }

    /// What it acknowledges, and nothing else of it.
    #[must_use]
    pub const fn acknowledgement_only(&self) -> Self {
        Self { length: 0, control: Control::NONE, ..*self }
    }

    /// What is left of it after its SYN.
    #[must_use]
    pub fn without_syn(&self) -> Self {
        let seq = if self.has(Control::SYN) { self.seq + 1 } else { self.seq };
        Self { seq, control: Control(self.control.0 & !Control::SYN.0), ..*self }
    }

    /// True when the control bit is set.
    pub const fn has(&self, bit: Control) -> bool {
        self.control.has(bit)
    }

    /// Its control bits.
    pub const fn control(&self) -> Control {
        self.control
    }

    /// The reset that answers a segment for which there is no connection (RFC 9293 §3.10.7.1); none for a reset.
    pub fn reset_in_reply(&self) -> Option<Self> {
        if self.has(Control::RST) {
            return None;
        }
        let end = self.seq + self.sequence_length();
        let without_ack = Self::new(SeqNumber(0), Some(end), Control::RST);
        Some(self.ack.map_or(without_ack, |ack| Self::new(ack, None, Control::RST)))
    }
}

impl Control {
    /// Nothing but data and acknowledgement.
    pub const NONE: Self = Self(0);
    /// Opens.
    pub const SYN: Self = Self(1);
    /// Ends one direction.
    pub const FIN: Self = Self(2);
    /// Resets.
    pub const RST: Self = Self(4);

    /// True when all bits of the other are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// A number for each combination.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The combination of that number.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 7)
    }
}

/// As the literature writes it: `FIN,ACK seq 5 ack 9`.
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.has(Control::SYN), "SYN"),
            (self.has(Control::FIN), "FIN"),
            (self.has(Control::RST), "RST"),
            (self.ack.is_some(), "ACK"),
        ];
        let set: Vec<&str> = names.iter().filter_map(|(set, name)| set.then_some(*name)).collect();
        let name = if set.is_empty() { "no flags".to_owned() } else { set.join(",") };
        write!(f, "{name} seq {}", self.seq)?;
        if let Some(ack) = self.ack {
            write!(f, " ack {ack}")?;
        }
        if self.length > 0 {
            write!(f, " len {}", self.length)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syn_and_fin_take_a_number_each() {
        let both = Control::SYN.with(Control::FIN);
        let segment = Segment { length: 3, ..Segment::new(SeqNumber(0), None, both) };
        assert_eq!(segment.sequence_length(), 5);
        assert_eq!(Segment::new(SeqNumber(0), None, Control::RST).sequence_length(), 0);
    }

    #[test]
    fn a_reset_is_never_answered_by_one() {
        assert_eq!(Segment::new(SeqNumber(7), None, Control::RST).reset_in_reply(), None);
        let late = Segment::new(SeqNumber(7), Some(SeqNumber(9)), Control::FIN);
        assert_eq!(late.reset_in_reply().expect("a reset").seq, SeqNumber(9));
        let without_ack = Segment::new(SeqNumber(7), None, Control::SYN);
        assert_eq!(without_ack.reset_in_reply().expect("a reset").ack, Some(SeqNumber(8)));
    }
}
