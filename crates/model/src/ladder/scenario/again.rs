//! Two connections, one after the other, between the same addresses and ports.

use super::{Scenario, call, opening, story};
use crate::ladder::Call::{Close, Connect, Listen};
use crate::ladder::Side::{A, B};
use crate::ladder::found;
use crate::ladder::stage::Step::Settle;

pub(super) const STORIES: [Scenario; 3] = [
    opening(
        "client-returns-during-time-wait",
        "The server closed first and is in TIME_WAIT: a SYN from the same port, with a higher number, opens anew.",
        &[
            call(B, Listen),
            call(A, Connect),
            Settle,
            call(B, Close),
            Settle,
            call(A, Close),
            Settle,
            call(A, Connect),
            Settle,
        ],
    ),
    story(
        "time-wait-reopened-by-syn",
        "A SYN beyond the old numbers opens a new connection out of TIME_WAIT.",
        &[],
    )
    .by_the_rfc()
    .searching(found::reopened)
    .cannot("by the RFC it needs no listener; client-returns-during-time-wait is the same with one"),
    story(
        "time-wait-assassination",
        "An old duplicate makes the peer reset TIME_WAIT; an old FIN then ends the next connection (RFC 1337).",
        &[],
    )
    .by_the_rfc()
    .searching(found::assassination)
    .cannot("two connections with the same initial number, which no kernel hands out on demand; duplicate-fin-in-time-wait shows the reset"),
];
