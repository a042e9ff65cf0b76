//! A bench for real kernels: network namespaces of one's own, and sockets in every state a port can be held by.
//!
//! Everything here acts on the calling thread's namespace and identity and panics when it cannot: a test that lacks a
//! privilege must fail and say how to get it. Nothing here judges; that is what the tests do.

#![expect(
    clippy::missing_panics_doc,
    reason = "a bench for tests: everything panics when it cannot"
)]

pub mod carried;
pub mod crowd;
pub mod driver;
pub mod etc;
pub mod handover;
pub mod link;
pub mod naive;
pub mod namespace;
pub mod other_explorer;
pub mod owner;
pub mod paper;
pub mod privilege;
pub mod program;
pub mod random;
pub mod rshd;
pub mod rtnetlink;
pub mod segment;
pub mod sockets;
pub mod sshd;
pub mod states;
pub mod stock;
pub mod systemd;
pub mod terminal;
pub mod truncation;
pub mod wire;
