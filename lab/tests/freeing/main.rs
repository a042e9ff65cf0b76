//! `lastack free` on real sockets: what it frees, by whose leave, and who is unharmed.
//!
//! Each test has a namespace and a port of its own. Whatever it is about, exit code, words and a real bind must agree,
//! nothing happens without leave, and bystanders on the same port live on.

mod accident;
mod bystander;
mod consent;
mod crowd;
mod elsewhere;
mod guards;
mod matrix;
mod scene;
mod stubborn;
mod terminal;
#[path = "../schemas/validate.rs"]
mod validate;
mod waiting;
