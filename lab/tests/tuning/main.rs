//! What `lastack tune` says of each setting, shown on the running kernel: set it, watch what ends, compare. And that
//! values are changed, kept, recorded and taken back as it says.
//!
//! Each experiment has a namespace of its own and waits for conditions; the times of the kernel are read from its timers
//! wherever that spares waiting for them.

mod after_close;
mod apply;
mod bench;
mod listening;
mod ports;
mod refusals;
mod silence;
mod sockets;
mod table;
