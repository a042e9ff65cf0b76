//! How somebody's server ends connections, found out from outside: what to try, and what follows from what was seen.
//!
//! [`trials`] says what each connection does, step by step; a [`Talk`] carries one through without I/O and keeps a log;
//! [`judge`] answers the questions from the logs; [`ladder`] draws one. What only the other end can know is inferred, and
//! said to be; what cannot be told stays undecided.

mod fix;
pub mod http;
mod judge;
mod ladder;
mod log;
mod talk;
mod tls;
mod trial;
mod want;
mod words;

pub use crate::ladder::Moment;
pub use fix::{Maker, fix};
pub use judge::{Finding, Question, Verdict, judge, unseen};
pub use ladder::ladder;
pub use log::{Entry, Happened, Observed, Told};
pub use talk::Talk;
pub use tls::Tls;
pub use trial::{Awaited, Bounds, Kind, Protocol, Reading, Request, Step, Trial, trials};
pub use want::{Seen, Want};

#[cfg(test)]
mod tests;
