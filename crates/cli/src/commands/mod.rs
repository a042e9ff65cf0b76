//! One module a verb.

pub mod connect;
pub mod overview;
pub mod why;
