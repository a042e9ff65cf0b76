//! Ends by a reset, each cause by itself.

use super::{Scenario, call, story};
use crate::ladder::Call::{Abort, Close, Destroy, Die, Disconnect, Shutdown, ShutdownBoth, Write};
use crate::ladder::Side::{A, B};
use crate::ladder::stage::Step::Settle;

pub(super) const STORIES: [Scenario; 13] = [
    story(
        "reset-by-abort",
        "A closes with SO_LINGER of 0 s: a reset instead of a FIN, and no TIME_WAIT.",
        &[call(A, Abort), Settle],
    ),
    story(
        "abort-after-the-peers-fin-meets-its-program",
        "B has ended its direction and holds its socket; A answers by an abort: B's program is told.",
        &[call(B, Shutdown), Settle, call(A, Abort), Settle],
    ),
    story(
        "abort-after-the-peers-fin-meets-nobody",
        "B has closed; A answers by an abort: nobody at B is there to be told.",
        &[call(B, Close), Settle, call(A, Abort), Settle],
    ),
    story(
        "abort-after-a-half-close",
        "A has ended its direction and aborts later: the FIN was sent, and still a reset ends it.",
        &[call(A, Shutdown), Settle, call(A, Abort), Settle],
    ),
    story(
        "reset-by-unread-data",
        "A closes without having read everything: a reset, since data is lost.",
        &[call(B, Write(100)), Settle, call(A, Close), Settle],
    ),
    story(
        "killed-program-with-unread-data",
        "A's program is killed and has not read everything: a reset, as if it had closed.",
        &[call(B, Write(100)), Settle, call(A, Die), Settle],
    ),
    story(
        "unread-data-at-the-second-close",
        "B has written and closed; A closes without having read: B's FIN is answered by a reset.",
        &[call(B, Write(100)), call(B, Close), Settle, call(A, Close), Settle],
    ),
    story(
        "data-after-close",
        "A has closed, so what B still writes is answered by a reset.",
        &[call(A, Close), Settle, call(B, Write(100)), Settle],
    ),
    story(
        "data-crosses-a-close",
        "B's data is under way while A closes: it comes too late, and a reset answers it.",
        &[call(B, Write(100)), call(A, Close), Settle],
    ),
    story(
        "data-after-shutdown-of-both-directions",
        "A reads no more and still holds its socket: what B writes resets the connection, and both programs are told.",
        &[call(A, ShutdownBoth), Settle, call(B, Write(100)), Settle],
    ),
    story(
        "destroyed-from-outside",
        "Somebody with the right to do so ends A's connection: its program is told, and B is reset.",
        &[call(A, Destroy), Settle],
    ),
    story(
        "a-program-disconnects",
        "A's program gives its connection up by connect() to no address, and keeps the socket.",
        &[call(A, Disconnect), Settle],
    ),
    story(
        "killed-program-whose-peer-writes",
        "B's program is killed; what A still writes is answered by a reset.",
        &[call(B, Die), Settle, call(A, Write(100)), Settle],
    ),
];
