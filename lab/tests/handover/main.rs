//! Listeners handed from process to process: by the environment, over a Unix socket, out of a running process.
//!
//! Each test has a network namespace of its own, and both sides are processes wherever that matters. Nobody who connects
//! meanwhile may fail, and whoever is not to be trusted gets nothing.

mod environment;
mod heir;
mod hostile;
mod load;
mod offers;
mod paths;
mod taken;
