//! One's own listener: where its new connections go, what still waits in it, and how one comes by another's.
//!
//! What a listener holds is of two kinds: connections in its accept queue, and handshakes that are half open, of which the
//! listener itself tells nothing. Closing it resets the former at once (`inet_csk_listen_stop`) and the latter with their
//! next segment, which finds no listener; unless the kernel may hand them to another of the group (`tcp_migrate_req`).
//! Only [`refuse_handshakes`] may need a privilege.

mod arrivals;
mod examine;
mod inherited;
mod taken;
mod waiting;

pub use arrivals::{
    defer_accept, detach_filter, has_filter, has_ttl_floor, lower_ttl_floor, raise_ttl_floor,
    refuse_handshakes, settle, steer, stop_steering,
};
pub use examine::{Examined, examine};
pub use inherited::{Inherited, adopt};
pub use taken::take_from;
pub use waiting::{Queue, accept_queue, group_size, half_open, is_listening, migrates};
