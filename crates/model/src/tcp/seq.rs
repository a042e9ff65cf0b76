//! Sequence numbers: 32 bits that wrap round, compared by their distance (RFC 9293 §3.4).

use std::fmt;
use std::ops::{Add, Sub};

/// A position in one direction of a connection; SYN and FIN take one each, every octet one.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// True when this comes before the other, by the shorter way round.
    pub const fn is_before(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() < 0
    }

    /// True when this is the other or comes after it.
    pub const fn is_at_or_after(self, other: Self) -> bool {
        !self.is_before(other)
    }

    /// True when this lies in the half-open range from `start`, `length` long.
    pub const fn is_within(self, start: Self, length: u32) -> bool {
        self.0.wrapping_sub(start.0) < length
    }

    /// How far this lies after the other, assuming it does.
    pub const fn distance_from(self, other: Self) -> u32 {
        self.0.wrapping_sub(other.0)
    }
}

impl Add<u32> for SeqNumber {
    type Output = Self;

    fn add(self, length: u32) -> Self {
        Self(self.0.wrapping_add(length))
    }
}

impl Sub<u32> for SeqNumber {
    type Output = Self;

    fn sub(self, length: u32) -> Self {
        Self(self.0.wrapping_sub(length))
    }
}

impl fmt::Display for SeqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_holds_across_the_wrap() {
        let near_the_end = SeqNumber(u32::MAX);
        assert!(near_the_end.is_before(near_the_end + 1));
        assert!((near_the_end + 1).is_at_or_after(near_the_end));
        assert!((near_the_end + 5).is_within(near_the_end, 6));
        assert!(!(near_the_end + 6).is_within(near_the_end, 6));
    }

    proptest! {
        #[test]
        fn what_is_ahead_by_less_than_half_the_circle_comes_after(start: u32, ahead in 1_u32..0x8000_0000) {
            let start = SeqNumber(start);
            prop_assert!(start.is_before(start + ahead));
            prop_assert!(!(start + ahead).is_before(start));
            prop_assert_eq!((start + ahead).distance_from(start), ahead);
            prop_assert_eq!(start + ahead - ahead, start);
        }
    }
}
