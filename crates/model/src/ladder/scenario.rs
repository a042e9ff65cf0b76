//! The stories: each a script for two ends, named by what it tells, or a search that finds it.

use super::Call::{Abort, Close, CloseListener, Connect, Die, Listen, Read, Shutdown, Write};
use super::Side::{A, B};
use super::stage::Step::{Arrives, Back, Doubled, Gone, Lost, Note, Overtakes, Settle, Timeout};
use super::stage::{Stage, Start, Step};
use super::{Ladder, found};
use crate::tcp::profile::Profile;
use crate::tcp::tcb::Timer::{FinWait2, GiveUp, Retransmit, TimeWait};

/// A story.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What happens, in a sentence.
    pub title: &'static str,
    /// What A and B are.
    pub ends: [&'static str; 2],
    /// Whose behaviour.
    pub profile: Profile,
    /// How it comes about.
    pub plot: Plot,
}

/// How a story comes about.
#[derive(Clone, Copy, Debug)]
pub enum Plot {
    /// By these steps.
    Script(Start, &'static [Step]),
    /// An exhaustive search finds the shortest one.
    Search(fn() -> Option<Stage>),
}

/// The story of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

impl Scenario {
    /// Plays it. `None` only where a search finds nothing.
    pub fn ladder(&self) -> Option<Ladder> {
        let stage = match self.plot {
            Plot::Script(start, steps) => {
                let mut stage = Stage::new(self.profile, start, WINDOW);
                for step in steps {
                    stage.play(*step);
                }
                stage
            }
            Plot::Search(search) => search()?,
        };
        Some(stage.into_ladder(self.name, self.title, self.ends))
    }
}

const fn story(name: &'static str, title: &'static str, steps: &'static [Step]) -> Scenario {
    Scenario {
        name,
        title,
        ends: ["A", "B"],
        profile: Profile::LINUX,
        plot: Plot::Script(Start::Connected, steps),
    }
}

const fn opening(name: &'static str, title: &'static str, steps: &'static [Step]) -> Scenario {
    Scenario {
        plot: Plot::Script(Start::Closed, steps),
        ends: ["client", "server"],
        ..story(name, title, steps)
    }
}

const fn call(side: super::Side, what: super::Call) -> Step {
    Step::Call(side, what)
}

/// The table, in the order in which a reader may take them.
pub const SCENARIOS: [Scenario; 26] = [
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
        &[
            call(A, Close),
            call(B, Close),
            Settle,
            Timeout(A, TimeWait),
            Timeout(B, TimeWait),
        ],
    ),
    story(
        "fin-carries-the-ack",
        "The pure ACK is lost; B's FIN acknowledges as well, and A skips FIN_WAIT_2.",
        &[
            call(A, Close),
            Arrives(A),
            Lost(B),
            call(B, Close),
            Settle,
            Timeout(A, TimeWait),
        ],
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
        "fin-arrives-before-data",
        "B's FIN overtakes its data: it counts only once the data is there.",
        &[
            call(B, Write(100)),
            call(B, Close),
            Overtakes(B),
            Settle,
            Timeout(B, Retransmit),
            Settle,
            call(A, Read),
            call(A, Close),
            Settle,
            Timeout(B, TimeWait),
        ],
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
    Scenario {
        profile: Profile::RFC_9293,
        ..opening(
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
    },
    opening(
        "close-while-connecting",
        "A client that awaits an answer closes: nothing is sent, nothing stays, and the answer is refused.",
        &[call(B, Listen), call(A, Connect), call(A, Close), Settle],
    ),
    opening(
        "connection-refused",
        "Nobody listens: a reset answers the SYN.",
        &[call(A, Connect), Settle],
    ),
    story(
        "reset-by-abort",
        "A closes with SO_LINGER of 0 s: a reset instead of a FIN, and no TIME_WAIT.",
        &[call(A, Abort), Settle],
    ),
    story(
        "reset-by-unread-data",
        "A closes without having read everything: a reset, since data is lost.",
        &[call(B, Write(100)), Settle, call(A, Close), Settle],
    ),
    story(
        "data-after-close",
        "A has closed, so what B still writes is answered by a reset.",
        &[call(A, Close), Settle, call(B, Write(100)), Settle],
    ),
    story(
        "killed-program",
        "B's program is killed: the kernel sends the FIN for it, and B is the one that waits.",
        &[call(B, Die), Settle, call(A, Close), Settle, Timeout(B, TimeWait)],
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
        "peer-reboots",
        "B comes back and remembers nothing: what A sends is answered by a reset.",
        &[Gone(B), Back(B), call(A, Write(100)), Settle],
    ),
    story(
        "peer-never-closes",
        "A has closed and B never does: A's FIN_WAIT_2 ends by a timeout, and B's FIN is refused later.",
        &[call(A, Close), Settle, Timeout(A, FinWait2), call(B, Close), Settle],
    ),
    story(
        "duplicate-fin-in-time-wait",
        "The network doubles B's FIN: TIME_WAIT answers the copy too, and B, which is done, resets it.",
        &[
            call(A, Close),
            Settle,
            call(B, Close),
            Doubled(B),
            Settle,
        ],
    ),
    Scenario {
        profile: Profile::RFC_9293,
        ..story(
            "time-wait-reopened-by-syn",
            "A SYN beyond the old numbers opens a new connection out of TIME_WAIT.",
            &[],
        )
        .searching(found::reopened)
    },
    Scenario {
        profile: Profile::RFC_9293,
        ..story(
            "time-wait-assassination",
            "An old duplicate makes the peer reset TIME_WAIT; an old FIN then ends the next connection (RFC 1337).",
            &[],
        )
        .searching(found::assassination)
    },
];

impl Scenario {
    const fn searching(self, search: fn() -> Option<Stage>) -> Self {
        Self { plot: Plot::Search(search), ..self }
    }
}

/// Octets that each end accepts: more than any story sends.
const WINDOW: u32 = 1000;
