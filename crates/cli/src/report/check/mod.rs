//! The answers of `check` on paper.

pub mod replay;
