//! What losses, copies and detours change on the way to an orderly end.

use super::{Scenario, call, opening, story};
use crate::ladder::Call::{Close, Connect, Listen, Read, Write};
use crate::ladder::Side::{A, B};
use crate::ladder::stage::Step::{Arrives, Doubled, Lost, Overtakes, Settle, Timeout};
use crate::tcp::tcb::Timer::{Retransmit, TimeWait};

pub(super) const STORIES: [Scenario; 7] = [
    opening(
        "syn-lost",
        "The first SYN is lost; a second later the client sends it again.",
        &[call(B, Listen), call(A, Connect), Lost(A), Timeout(A, Retransmit), Settle],
    ),
    story(
        "fin-lost",
        "A's FIN is lost and sent again.",
        &[
            call(A, Close),
            Lost(A),
            Timeout(A, Retransmit),
            Settle,
            call(B, Close),
            Settle,
            Timeout(A, TimeWait),
        ],
    ),
    story(
        "last-ack-lost",
        "B repeats its FIN; TIME_WAIT is there to answer, and starts anew.",
        &[
            call(A, Close),
            Settle,
            call(B, Close),
            Arrives(B),
            Lost(A),
            Timeout(B, Retransmit),
            Settle,
            Timeout(A, TimeWait),
        ],
    ),
    story(
        "both-fins-lost",
        "Both close at once and both FINs are lost: each repeats its own, and both pass through CLOSING.",
        &[
            call(A, Close),
            call(B, Close),
            Lost(A),
            Lost(B),
            Timeout(A, Retransmit),
            Timeout(B, Retransmit),
            Settle,
        ],
    ),
    story(
        "data-lost-before-the-fin",
        "B's data is lost and its FIN arrives: A waits for what is missing, and takes both when it comes.",
        &[
            call(B, Write(100)),
            call(B, Close),
            Lost(B),
            Settle,
            Timeout(B, Retransmit),
            Settle,
            call(A, Read),
            call(A, Close),
            Settle,
        ],
    ),
    story(
        "fin-arrives-before-data",
        "B's FIN overtakes its data: it is kept, and counts once the data is there.",
        &[
            call(B, Write(100)),
            call(B, Close),
            Overtakes(B),
            Settle,
            call(A, Read),
            call(A, Close),
            Settle,
            Timeout(B, TimeWait),
        ],
    ),
    story(
        "duplicate-fin-in-time-wait",
        "The network doubles B's FIN: TIME_WAIT answers the copy too, and B, which is done, resets it.",
        &[call(A, Close), Settle, call(B, Close), Doubled(B), Settle],
    ),
];
