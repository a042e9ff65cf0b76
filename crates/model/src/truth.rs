//! Three-valued logic: what the kernel does not show is `Unknown`, and stays so until it is settled.

/// Yes, no, or not visible.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Truth {
    /// Certainly not.
    No,
    /// The facts at hand do not say.
    #[default]
    Unknown,
    /// Certainly so.
    Yes,
}

impl Truth {
    /// Both: the lesser of the two (Kleene's strong conjunction).
    #[must_use]
    pub fn and(self, other: impl Into<Self>) -> Self {
        self.min(other.into())
    }

    /// Either: the greater of the two (Kleene's strong disjunction).
    #[must_use]
    pub fn or(self, other: impl Into<Self>) -> Self {
        self.max(other.into())
    }

    /// True when the answer is certain.
    pub const fn is_known(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// The two possible readings of an unknown, or the one of a known.
    pub const fn readings(self) -> &'static [bool] {
        match self {
            Self::No => &[false],
            Self::Unknown => &[false, true],
            Self::Yes => &[true],
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, No, Unknown, Yes};

    #[test]
    fn a_certain_no_decides_and_whatever_else_is_hidden() {
        assert_eq!(No.and(Unknown), No);
        assert_eq!(Unknown.and(Yes), Unknown);
        assert_eq!(Yes.and(true), Yes);
    }

    #[test]
    fn a_certain_yes_decides_or_whatever_else_is_hidden() {
        assert_eq!(Yes.or(Unknown), Yes);
        assert_eq!(Unknown.or(No), Unknown);
        assert_eq!(No.or(false), No);
    }

    #[test]
    fn de_morgan_holds_for_all_nine_pairs() {
        for a in [No, Unknown, Yes] {
            for b in [No, Unknown, Yes] {
                let both: Truth = a.and(b);
                assert_eq!(!both, (!a).or(!b));
            }
        }
    }
}
