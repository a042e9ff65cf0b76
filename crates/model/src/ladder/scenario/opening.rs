//! How connections open, and what becomes of those that do not.

use super::{Scenario, call, opening};
use crate::ladder::Call::{Close, Connect, Die, Disconnect, Listen};
use crate::ladder::Side::{A, B};
use crate::ladder::stage::Step::{Arrives, Gone, Settle, Timeout};
use crate::tcp::tcb::Timer::{GiveUp, Retransmit, TimeWait};

pub(super) const STORIES: [Scenario; 11] = [
    opening(
        "open-in-three-steps",
        "A client connects to a server that listens.",
        &[call(B, Listen), call(A, Connect), Settle],
    ),
    opening(
        "both-open-at-once",
        "Both connect to each other at the same time, and one connection comes of it.",
        &[call(A, Connect), call(B, Connect), Settle],
    ),
    opening(
        "connection-refused",
        "Nobody listens: a reset answers the SYN.",
        &[call(A, Connect), Settle],
    ),
    opening(
        "nobody-answers-the-syn",
        "The server's host is gone: the client repeats its SYN and gives up.",
        &[
            Gone(B),
            call(A, Connect),
            Settle,
            Timeout(A, Retransmit),
            Settle,
            Timeout(A, GiveUp),
        ],
    ),
    opening(
        "close-while-connecting",
        "A client that awaits an answer closes: nothing is sent, nothing stays, and the answer is refused.",
        &[call(B, Listen), call(A, Connect), call(A, Close), Settle],
    ),
    opening(
        "client-killed-while-connecting",
        "A client is killed while it awaits an answer: the kernel forgets it at once, and the answer is refused.",
        &[call(B, Listen), call(A, Connect), call(A, Die), Settle],
    ),
    opening(
        "client-disconnects-while-connecting",
        "A client calls off the connection it awaits and keeps its socket: nothing is sent.",
        &[call(B, Listen), call(A, Connect), call(A, Disconnect), Settle],
    ),
    opening(
        "client-vanishes-half-open",
        "The client's host is gone before the handshake is over: the server repeats its answer, gives up and listens on.",
        &[
            call(B, Listen),
            call(A, Connect),
            Gone(A),
            Settle,
            Timeout(B, Retransmit),
            Settle,
            Timeout(B, GiveUp),
        ],
    ),
    opening(
        "close-in-syn-received",
        "Both connect at once and B closes before the handshake is over: from SYN_RECEIVED to FIN_WAIT_1.",
        &[
            call(A, Connect),
            call(B, Connect),
            Arrives(A),
            call(B, Close),
            Settle,
            call(A, Close),
            Settle,
        ],
    ),
    opening(
        "close-before-the-handshake-is-over",
        "The server closes in SYN_RECEIVED: its FIN follows its SYN.",
        &[
            call(B, Listen),
            call(A, Connect),
            Arrives(A),
            call(B, Close),
            Settle,
            call(A, Close),
            Settle,
            Timeout(B, TimeWait),
        ],
    )
    .by_the_rfc()
    .cannot("on Linux a program gets a connection only once the handshake is over; close-in-syn-received shows the arc"),
    opening(
        "a-listener-connects-itself",
        "A program that listens connects instead: its listener becomes the client.",
        &[call(B, Listen), call(A, Listen), call(A, Connect), Settle],
    )
    .by_the_rfc()
    .cannot("connect() on a socket that listens is refused by Linux (EISCONN)"),
];
