//! The owner of a port stopped the way it was started, under the real programs that start others.
//!
//! Each test has a network namespace of its own and a bystander: another program of the same supervisor, whose port
//! must be held by the same process afterwards. The port must be bindable then, and the supervisor itself must say
//! that it keeps the program down.

mod scratch;
mod supervisors;
mod systemd;
mod watchers;
