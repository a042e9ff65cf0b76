//! What `lastack-graceful` promises, on the running kernel: nothing is lost by a close, every close ends within its
//! bounds with the outcome that the peer deserves, and `TIME_WAIT` stays where the report says.

mod bad_links;
mod deadlines;
mod early_answer;
mod ends;
mod layers;
mod own_ends;
mod reaper;
mod rest;
mod time_wait;
mod tls;
mod tokio;
mod truncation;
mod woken;
