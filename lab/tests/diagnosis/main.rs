//! `lastack` asked about real sockets in every state that can hold a port.
//!
//! Each test has a namespace and a port of its own. Whatever it is about, the answer as text and as JSON must agree,
//! name nobody but the guilty, keep to 80 columns, and say of every wanted bind what the kernel says.

mod answer;
mod cases;
mod connect;
mod elsewhere;
mod endings;
mod hijack;
mod holders;
mod input;
mod like;
mod unprivileged;
