//! Exit codes: one table, for the program, the man page and the tests.

/// What the program's exit code says.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Exit {
    /// Yes, free, done.
    Yes,
    /// No, in use, not done.
    No,
    /// Undecided, or partly: some of what was asked succeeds and some does not.
    Partly,
    /// The question or the environment was at fault; nothing was changed.
    Error,
    /// The time was over first.
    TimedOut,
    /// Somebody interrupted it.
    Interrupted,
    /// The status of a command elsewhere, passed on.
    Remote(u8),
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Error => 2,
            Self::Partly => 3,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::Remote(status) => status,
        }
    }

    /// Of several answers the worst: an error beats undecided, which beats no.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Yes => 0,
            Self::No => 1,
            Self::Partly | Self::Remote(_) => 2,
            Self::TimedOut => 3,
            Self::Error => 4,
            Self::Interrupted => 5,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// The table, as the help and the man page print it.
pub const TABLE: &str = "\
Exit codes:
  0    yes: the address can be bound, the connection can be made, no problem
       found, what was to be done is done
  1    no: it is in use or refused, or a problem was found; nothing was done, or
       it did not help
  2    the question or the environment is at fault; nothing was changed
  3    undecided, or partly: some of what was asked succeeds and some does not
  124  the time of --timeout was over first
  130  interrupted
Of several addresses, the worst.";
