//! Drawing with characters and with SVG: what the figure, the table of pairs, ladders and plots have in common.
//!
//! Strings come out; where they go, and what colour a terminal gives them, is the caller's.

pub mod canvas;
pub mod svg;

use crate::state::State;

/// The part of the figure that a state belongs to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Half {
    /// Neither side has ended its direction.
    Open,
    /// This side has closed first, or both at once.
    Active,
    /// The other side has closed first.
    Passive,
    /// There is no connection.
    None,
}

impl Half {
    /// The half of a state.
    pub const fn of(state: State) -> Self {
        match state {
            State::Listen | State::SynSent | State::SynReceived | State::Established => Self::Open,
            State::FinWait1 | State::FinWait2 | State::Closing | State::TimeWait => Self::Active,
            State::CloseWait | State::LastAck => Self::Passive,
            State::Closed => Self::None,
        }
    }

    /// Its name as a CSS class.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Active => "active",
            Self::Passive => "passive",
            Self::None => "none",
        }
    }
}
