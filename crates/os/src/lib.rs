//! What the operating system knows about sockets, and what it can be told to do.
//!
//! Everything speaks of the network namespace and the user of the calling thread; [`namespace::within`] runs a
//! closure inside another one. Linux 5.10 and later; features are detected at run time, never by version alone.
//! What cannot be seen is returned as [`lastack_model::facts::Unseen`], never left out in silence.
//!
//! `unsafe` lives in `sys` alone, one function a system call.

pub mod act;
pub mod bound;
pub mod claim;
pub mod connection;
pub mod dialogue;
pub mod error;
pub mod gather;
pub mod holders;
pub mod host;
pub mod interrupt;
pub mod listener;
pub mod live;
pub mod namespace;
pub mod netlink;
pub mod open_files;
pub mod options;
pub mod passing;
pub mod process;
pub mod reach;
pub mod sock_diag;
pub mod stage;
pub mod supervisor;
pub mod trial;
pub mod tun;
pub mod usage;
pub mod watch;

mod sys;

pub use error::{Error, Result};
