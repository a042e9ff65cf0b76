//! TCP as far as connections begin and end: the figure, the state machine that moves along it, and where systems differ.
//!
//! Sans-IO: no clock, no sockets, no randomness. A segment, a call or a timer goes in; segments and news come out.

pub mod endpoint;
pub mod moment;
pub mod profile;
pub mod segment;
pub mod seq;
pub mod switch;
pub mod tcb;
pub mod transition;
pub mod world;
