//! What each act costs, in words: one place, for the terminal, for JSON's readers and for the book.

use crate::why::Role;

/// What destroying a socket of this kind does, and to whom (`tcp_abort`, `inet_csk_destroy_sock`,
/// `inet_twsk_deschedule_put`; measured).
pub const fn destroy_words(role: Role) -> &'static str {
    match role {
        Role::TimeWait => "nothing is sent and nobody is told",
        Role::OrphanFinWait2 => "nothing is sent now",
        Role::OrphanUnacknowledged => {
            "bytes the peer has not acknowledged are lost; the peer is reset, or keeps waiting"
        }
        Role::CloseWait => "its program sees ECONNABORTED on it once; the peer is sent a reset",
        Role::HalfClosed => {
            "its program sees ECONNABORTED on it; a peer that is still sending is reset"
        }
        Role::Queued => "the client that waits to be accepted is reset",
        Role::Accepted | Role::Outgoing => {
            "its program sees ECONNABORTED and the peer ECONNRESET; data under way is lost"
        }
        Role::Listener | Role::BoundOnly | Role::Dead | Role::Udp => {
            "never done: its program would be broken and the port stay taken"
        }
    }
}

/// What ending a connection through its holder does, and to whom (`tcp_disconnect`; measured).
pub const fn disconnect_words(role: Role) -> &'static str {
    match role {
        Role::CloseWait => "its program sees ECONNRESET on it once; the peer is sent a reset",
        Role::HalfClosed => {
            "its program sees ECONNRESET on it; a peer that is still sending is reset"
        }
        Role::Accepted | Role::Outgoing => {
            "its program and the peer see ECONNRESET; data under way is lost"
        }
        Role::TimeWait
        | Role::OrphanFinWait2
        | Role::OrphanUnacknowledged
        | Role::Queued
        | Role::Listener
        | Role::BoundOnly
        | Role::Dead
        | Role::Udp => "never done: no process holds a connection of it",
    }
}
