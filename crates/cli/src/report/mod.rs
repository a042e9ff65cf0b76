//! Answers on paper: for people and for programs.

pub mod connect;
pub mod explanation;
pub mod json;
pub mod overview;
pub mod page;
pub mod phrase;
mod remedies;
