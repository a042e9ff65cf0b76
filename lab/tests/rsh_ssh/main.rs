//! `lastack rsh` against a real sshd: what comes back, what fails, signals, shared connections, and wrong questions.

mod answers;
mod failures;
mod input;
mod scene;
mod sharing;
mod signals;
#[path = "../schemas/validate.rs"]
mod validate;
