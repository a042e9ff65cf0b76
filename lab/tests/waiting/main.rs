//! `lastack wait` beside real sockets that end in every way they can.
//!
//! Each test has a namespace and a port of its own, starts the program, waits until it sleeps, does what should wake it,
//! and reads how it ended. None of them waits out a minute of `TIME_WAIT`.

mod arrival;
mod command;
mod held;
mod input;
mod sleeper;
mod tables;
mod terminal;
mod timers;
