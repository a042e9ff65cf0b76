//! Time as a number: microseconds since whatever the caller counts from. Nothing here knows what time it is.

use std::fmt;
use std::ops::Add;

/// A moment, or a span from the beginning to it, in microseconds.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Moment(pub u64);

impl Moment {
    /// So many milliseconds.
    pub const fn of_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// So many seconds.
    pub const fn of_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// As often as that.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl Add for Moment {
    type Output = Self;

    fn add(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
