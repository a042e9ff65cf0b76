//! How TCP connections end, who may bind where, and why: the rules as pure functions over plain data.
//!
//! This crate does no I/O. It has no clock, no randomness and no sockets; time is an argument, and what
//! the operating system shows arrives as [`facts::Facts`]. The same facts give the same answer on any
//! machine, which is what makes an answer testable and a bug report replayable.
//!
//! Where a rule depends on something that cannot be seen, the answer is [`truth::Truth::Unknown`] and names
//! it; nothing here guesses.

pub mod bind;
pub mod draw;
pub mod errno;
pub mod explore;
pub mod facts;
pub mod figure;
pub mod findings;
pub mod ids;
pub mod ladder;
pub mod lifetime;
pub mod overview;
pub mod plan;
pub mod ports;
pub mod probe;
pub mod remains;
pub mod request;
pub mod script;
pub mod selection;
pub mod state;
pub mod stop;
pub mod tcp;
pub mod transport;
pub mod truth;
pub mod tune;
pub mod waiting;
pub mod why;
