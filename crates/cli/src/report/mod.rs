//! Answers on paper: for people and for programs.

pub mod check;
pub mod close;
pub mod connect;
pub mod countdown;
pub mod data;
pub mod explanation;
pub mod figure;
pub mod free;
pub mod json;
pub mod overview;
pub mod page;
pub mod phrase;
pub mod plan;
pub mod probe;
mod remedies;
pub mod rsh;
pub mod tune;
pub mod wait;
