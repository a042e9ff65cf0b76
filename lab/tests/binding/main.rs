//! What `lastack_graceful::bind` promises, on the running kernel: the options are set, errors name the culprit, waiting
//! ends when the address is free, and what is exclusive no other user gets.

mod culprit;
mod exclusive;
mod listening;
mod options;
mod outgoing;
mod ports;
mod restart;
mod retry;
mod scene;
mod sharing;
mod tokio;
