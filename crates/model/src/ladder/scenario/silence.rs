//! Peers and networks that vanish, and what ends a connection then.

use super::{Scenario, call, opening, story};
use crate::ladder::Call::{
    Accept, Close, Connect, KeepAlive, Listen, Shutdown, UserTimeout, Write,
};
use crate::ladder::Side::{A, B};
use crate::ladder::stage::Step::{Back, Gone, Lost, Note, Probe, Settle, Timeout};
use crate::tcp::tcb::Timer::{GiveUp, Retransmit};

pub(super) const STORIES: [Scenario; 11] = [
    story(
        "peer-vanishes",
        "B's host is gone: A repeats its FIN until it gives up, and no TIME_WAIT follows.",
        &[
            Gone(B),
            call(A, Close),
            Settle,
            Timeout(A, Retransmit),
            Settle,
            Timeout(A, Retransmit),
            Settle,
            Timeout(A, GiveUp),
        ],
    ),
    story(
        "peer-vanishes-while-idle",
        "B's host is gone and A has nothing to send: A stays ESTABLISHED, and no timer runs.",
        &[Gone(B), Note("A has nothing to send and no timer"), Timeout(A, Retransmit)],
    ),
    story(
        "peer-vanishes-with-data-in-flight",
        "B's host is gone while A has data to send: A repeats it, gives up, and its program is told.",
        &[Gone(B), call(A, Write(100)), Settle, Timeout(A, Retransmit), Settle, Timeout(A, GiveUp)],
    ),
    story(
        "peer-vanishes-after-its-fin",
        "B has ended its direction and its host is gone: A's FIN is never acknowledged, and LAST_ACK ends by giving up.",
        &[
            call(B, Shutdown),
            Settle,
            Gone(B),
            call(A, Close),
            Settle,
            Timeout(A, Retransmit),
            Settle,
            Timeout(A, GiveUp),
        ],
    ),
    story(
        "keepalive-finds-nobody",
        "B's host is gone and A asks for signs of life: without an answer it resets and tells its program.",
        &[call(A, KeepAlive), Gone(B), Probe(A), Settle, Timeout(A, GiveUp), Settle],
    ),
    story(
        "keepalive-is-answered",
        "A asks for signs of life and B's kernel answers, whatever its program does.",
        &[call(A, KeepAlive), Probe(A), Settle],
    ),
    story(
        "user-timeout-ends-a-silent-connection",
        "A has set a user timeout: its data is not acknowledged in that time, and the connection ends.",
        &[call(A, UserTimeout), Gone(B), call(A, Write(100)), Settle, Timeout(A, GiveUp)],
    ),
    story(
        "network-down-for-longer-than-patience",
        "The network is down: A gives up, B knows nothing, and what B writes later is answered by a reset.",
        &[
            call(A, Write(100)),
            Lost(A),
            Timeout(A, Retransmit),
            Lost(A),
            Timeout(A, GiveUp),
            Note("the network is back"),
            call(B, Write(100)),
            Settle,
        ],
    ),
    story(
        "peer-reboots",
        "B comes back and remembers nothing: what A sends is answered by a reset.",
        &[Gone(B), Back(B), call(A, Write(100)), Settle],
    ),
    story(
        "close-after-the-peer-rebooted",
        "B comes back and remembers nothing: A's FIN is answered by a reset, and no TIME_WAIT follows.",
        &[Gone(B), Back(B), call(A, Close), Settle],
    ),
    opening(
        "client-reboots-and-connects-again",
        "A crashed client connects from the same port: the old connection answers, is reset, and makes room (RFC 9293 §3.5.1).",
        &[
            call(B, Listen),
            call(A, Connect),
            Settle,
            call(B, Accept),
            Gone(A),
            Back(A),
            call(A, Connect),
            Settle,
            Timeout(A, Retransmit),
            Settle,
        ],
    ),
];
