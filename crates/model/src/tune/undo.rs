//! Taking a change back: only as long as nobody else has changed the value since.

use super::value::Value;

/// A change as it was recorded before it was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recorded {
    /// What it was.
    pub before: Value,
    /// What it was set to.
    pub after: Value,
}

/// What taking it back means now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Undo {
    /// It is as it was set: write the earlier value.
    Restore,
    /// It already has the earlier value.
    AlreadyBack,
    /// It has neither value: somebody else changed it since.
    ChangedSince,
}

/// Compares a record with the present value.
pub fn undo(recorded: &Recorded, present: &Value) -> Undo {
    if *present == recorded.before {
        Undo::AlreadyBack
    } else if *present == recorded.after {
        Undo::Restore
    } else {
        Undo::ChangedSince
    }
}
