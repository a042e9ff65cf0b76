//! Listeners that close, alone or with connections of theirs.

use super::{Scenario, call, opening};
use crate::ladder::Call::{Accept, Close, CloseListener, Connect, Die, Listen};
use crate::ladder::Side::{A, B};
use crate::ladder::stage::Step::{Arrives, Note, Settle};

pub(super) const STORIES: [Scenario; 6] = [
    opening(
        "listener-closed-alone",
        "A listener without connections is closed: it is gone at once, and who comes is refused.",
        &[call(B, Listen), call(B, Close), call(A, Connect), Settle],
    ),
    opening(
        "listener-closed-with-queued-connection",
        "A listener is closed while a connection nobody accepted is in its queue: the connection is reset.",
        &[
            call(B, Listen),
            call(A, Connect),
            Settle,
            Note("nobody has called accept()"),
            call(B, CloseListener),
            Settle,
        ],
    ),
    opening(
        "listener-closed-with-queued-connection-that-has-closed",
        "The connection in the queue was closed by its client before: the reset meets a FIN_WAIT_2.",
        &[
            call(B, Listen),
            call(A, Connect),
            Settle,
            call(A, Close),
            Settle,
            call(B, CloseListener),
            Settle,
        ],
    ),
    opening(
        "listener-closed-while-half-open",
        "A listener is closed during a handshake: the client believes it is connected until its ACK is refused.",
        &[call(B, Listen), call(A, Connect), Arrives(A), call(B, CloseListener), Settle],
    ),
    opening(
        "accepted-connection-outlives-its-listener",
        "A listener is closed and what it has accepted lives on, and ends in order.",
        &[
            call(B, Listen),
            call(A, Connect),
            Settle,
            call(B, Accept),
            call(B, CloseListener),
            call(A, Close),
            Settle,
            call(B, Close),
            Settle,
        ],
    ),
    opening(
        "handshake-broken-off-by-the-client",
        "A client dies while the answer is under way: the half-open connection is reset, and the server listens on.",
        &[call(B, Listen), call(A, Connect), Arrives(A), call(A, Die), Settle],
    ),
];
