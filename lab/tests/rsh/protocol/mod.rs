//! The protocol against a server that is told what to do, right or wrong.

mod call_backs;
mod commands;
mod endings;
mod real_server;
mod scene;
mod server;
mod session;
mod set_up;
