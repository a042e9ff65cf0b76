//! How connections close in order, one side after the other or both at once.

use super::{Scenario, call, story};
use crate::ladder::Call::{Close, Die, Exit, NoFinWait2, Read, Shutdown, Write};
use crate::ladder::Side::{A, B};
use crate::ladder::stage::Step::{Arrives, Lost, Note, Settle, Timeout};
use crate::tcp::tcb::Timer::{FinWait2, Retransmit, TimeWait};

pub(super) const STORIES: [Scenario; 11] = [
    story(
        "local-close-then-remote-close",
        "A closes first, B later: A is left in TIME_WAIT.",
        &[call(A, Close), Settle, call(B, Close), Settle, Timeout(A, TimeWait)],
    ),
    story(
        "remote-closes-first",
        "B closes first and gets the wait; A has nothing left once its FIN is acknowledged.",
        &[call(B, Close), Settle, call(A, Close), Settle, Timeout(B, TimeWait)],
    ),
    story(
        "both-close-at-once",
        "The FINs cross: both go through CLOSING, and both wait.",
        &[call(A, Close), call(B, Close), Settle, Timeout(A, TimeWait), Timeout(B, TimeWait)],
    ),
    story(
        "one-of-two-crossing-fins-lost",
        "Both close at once and one FIN is lost: only B goes through CLOSING.",
        &[
            call(A, Close),
            call(B, Close),
            Lost(B),
            Settle,
            Timeout(B, Retransmit),
            Settle,
            Timeout(A, TimeWait),
            Timeout(B, TimeWait),
        ],
    ),
    story(
        "fin-carries-the-ack",
        "The pure ACK is lost; B's FIN acknowledges as well, and A skips FIN_WAIT_2.",
        &[call(A, Close), Arrives(A), Lost(B), call(B, Close), Settle, Timeout(A, TimeWait)],
    ),
    story(
        "half-close-with-data",
        "A ends its direction and goes on reading what B still sends.",
        &[
            call(A, Shutdown),
            Settle,
            call(B, Write(100)),
            Settle,
            call(A, Read),
            call(B, Close),
            Settle,
            Timeout(A, TimeWait),
        ],
    ),
    story(
        "killed-program",
        "B's program is killed: the kernel sends the FIN for it, and B is the one that waits.",
        &[call(B, Die), Settle, call(A, Close), Settle, Timeout(B, TimeWait)],
    ),
    story(
        "program-ends-without-closing",
        "B's program ends and has not closed: the kernel does, as if it had.",
        &[call(B, Exit), Settle, call(A, Close), Settle, Timeout(B, TimeWait)],
    ),
    story(
        "peer-never-closes",
        "A has closed and B never does: A's FIN_WAIT_2 ends by a timeout, and B's FIN is refused later.",
        &[call(A, Close), Settle, Timeout(A, FinWait2), call(B, Close), Settle],
    ),
    story(
        "half-closed-and-held-waits-for-ever",
        "A has ended its direction and holds the socket, and B never closes: no timer ends FIN_WAIT_2.",
        &[
            call(A, Shutdown),
            Settle,
            Timeout(A, FinWait2),
            Note("A's program holds the socket, so no timer runs"),
        ],
    ),
    story(
        "no-fin-wait-2-wanted",
        "A has set TCP_LINGER2 below 0: once its FIN is acknowledged, what would be FIN_WAIT_2 is a reset.",
        &[call(A, NoFinWait2), call(A, Close), Settle],
    ),
];
