//! The answers of `check`, for people and for programs.

pub mod cells;
pub mod lines;
pub mod replay;
pub mod stories;
pub mod tables;
