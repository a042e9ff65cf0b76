//! What is left of a closed connection: `TIME_WAIT`, and `FIN_WAIT_2` without a process.

use super::{INT, MOST_SECONDS, ROW, SWITCH, sysctl};
use crate::facts::KernelVersion;
use crate::tune::setting::{Key, Myth, Place, Proof, Setting};
use crate::tune::value::Format;

pub(super) const TABLE: &[Setting] = &[
    Setting {
        name: "TCP_TIMEWAIT_LEN",
        unit: "s",
        default: "60",
        format: Format::Free,
        gist: "the length of TIME_WAIT: a constant, no setting changes it",
        does: "How long a TIME_WAIT lasts. It is a constant of the kernel's source; the timer may fire up to 3 s late. \
               Neither a sysctl nor a socket option shortens it. What lives shorter did not end by it: it was replaced \
               by a new connection, killed by a reset, destroyed, or never made.",
        myth: Some(Myth {
            said: "tcp_fin_timeout is the length of TIME_WAIT",
            fact: "both are 60 s by default, which is how the belief arose; changing tcp_fin_timeout leaves TIME_WAIT \
                   at 60 s",
        }),
        source: "include/net/tcp.h (TCP_TIMEWAIT_LEN), tcp_time_wait(); RFC 9293 §3.4.2 asks for 2 x MSL",
        risk: "a kernel compiled with less would accept old segments into new connections where packets are late",
        proof: Proof::Experiment(FIN_TIMEOUT),
        ..ROW
    },
    Setting {
        name: "tcp_fin_timeout",
        place: sysctl(Key::FinTimeout, "net/ipv4/tcp_fin_timeout"),
        unit: "s",
        default: "60",
        format: Format::Number { least: 0, most: MOST_SECONDS },
        gist: "ends FIN_WAIT_2 that no process holds; does not shorten TIME_WAIT",
        does: "How long a connection stays in FIN_WAIT_2 after its program has closed it and the peer has acknowledged \
               that but not closed itself. It never waits less than 3.5 retransmission timeouts. When the peer's FIN \
               comes in that time, a full TIME_WAIT of 60 s follows. It counts for connections that close from now on; \
               those that wait already keep their time. FIN_WAIT_2 that a process still holds has no limit at all.",
        myth: Some(Myth {
            said: "lowering it shortens TIME_WAIT and frees ports sooner",
            fact: "TIME_WAIT stays at 60 s whatever it says; only FIN_WAIT_2 without a process follows it",
        }),
        source: "tcp_fin_time(), tcp_rcv_state_process(), tcp_time_wait()",
        risk: "a peer that closes later than this gets a reset for its last data, which it may not have sent yet",
        proof: Proof::Experiment(FIN_TIMEOUT),
        ..ROW
    },
    Setting {
        name: "tcp_tw_reuse",
        place: sysctl(Key::TwReuse, "net/ipv4/tcp_tw_reuse"),
        default: "2",
        format: Format::Number { least: 0, most: 2 },
        gist: "lets connect() take over a TIME_WAIT; never helps bind() or a server",
        does: "Whether a connect() whose port the kernel chooses may take the port of a TIME_WAIT toward the same \
               destination: 0 never, 1 always, 2 on loopback only. It needs timestamps on the old connection and that \
               the wait has lasted tcp_tw_reuse_delay. A connect() from a port that was bound by name recycles at \
               once, whatever it says. It acts on the TIME_WAITs that are there already.",
        myth: Some(Myth {
            said: "it lets a server restart while its port is in TIME_WAIT",
            fact: "bind() never looks at it; that needs SO_REUSEADDR, on the old server and the new one",
        }),
        source: "tcp_twsk_unique(), __inet_check_established(); RFC 6191",
        risk: "with 1: an old segment of the first connection can reach the second one; timestamps make that unlikely, \
               and where something on the way rewrites or strips them, they do not",
        history: "the value 2, and as default, since 4.19; 0 before",
        proof: Proof::Experiment(
            "lab/tests/tuning/after_close.rs::tcp_tw_reuse_helps_connect_and_never_bind",
        ),
        ..ROW
    },
    Setting {
        name: "tcp_tw_reuse_delay",
        place: sysctl(Key::TwReuseDelay, "net/ipv4/tcp_tw_reuse_delay"),
        unit: "ms",
        default: "1000",
        format: Format::Number { least: 1, most: 60_000 },
        gist: "how old a TIME_WAIT must be before tcp_tw_reuse may take it",
        does: "How long a TIME_WAIT must have lasted before tcp_tw_reuse may give its port to a new connection. It acts \
               on the TIME_WAITs that are there already.",
        source: "tcp_twsk_unique()",
        risk: "little: with less than the time that a segment can spend on the way, timestamps alone keep old ones out",
        since: Some(KernelVersion::new(6, 14)),
        history: "since 6.14; the delay was 1 s before",
        proof: Proof::Experiment(
            "lab/tests/tuning/after_close.rs::tcp_tw_reuse_delay_keeps_a_young_time_wait_from_being_reused",
        ),
        ..ROW
    },
    Setting {
        name: "tcp_max_tw_buckets",
        place: sysctl(Key::MaxTwBuckets, "net/ipv4/tcp_max_tw_buckets"),
        default: "by memory",
        format: Format::Number { least: 0, most: INT },
        gist: "above so many, a connection that closes gets no TIME_WAIT at all",
        does: "How many minisocks (TIME_WAIT, and FIN_WAIT_2 without a process) the namespace may have. One more is \
               simply not made: the connection vanishes, its port is free at once, and the kernel counts \
               TCPTimeWaitOverflow. Those that are there stay.",
        myth: Some(Myth {
            said: "many TIME_WAITs cost much memory, so keep it low",
            fact: "one takes a few hundred bytes, and ports run out long before memory does",
        }),
        source: "inet_twsk_alloc(), tcp_time_wait()",
        risk: "without a TIME_WAIT the peer's lost FIN is answered by a reset, and late segments can reach the next \
               connection on the same addresses and ports (RFC 1337)",
        history: "half the connection table's entries (tcp_ehash_entries) by default",
        proof: Proof::Experiment(
            "lab/tests/tuning/after_close.rs::above_tcp_max_tw_buckets_no_time_wait_is_made_and_the_kernel_counts_it",
        ),
        ..ROW
    },
    Setting {
        name: "tcp_rfc1337",
        place: sysctl(Key::Rfc1337, "net/ipv4/tcp_rfc1337"),
        default: "0",
        format: SWITCH,
        gist: "1: a reset no longer ends a TIME_WAIT early",
        does: "With 0, a reset with exactly the expected sequence number ends a TIME_WAIT at once; with 1 it is ignored. \
               A reset with another number never ends it. It acts on the TIME_WAITs that are there already.",
        myth: Some(Myth {
            said: "1 switches RFC 1337 off",
            fact: "RFC 1337 describes the hazard; 1 switches its first fix on: ignore resets in TIME_WAIT",
        }),
        source: "tcp_timewait_state_process(); RFC 1337 §3",
        risk: "with 1: a peer that resets instead of closing no longer frees your port; with 0: a stray reset ends the \
               protection that TIME_WAIT gives",
        proof: Proof::Experiment(
            "lab/tests/tuning/after_close.rs::an_exact_reset_ends_time_wait_unless_tcp_rfc1337_is_set",
        ),
        ..ROW
    },
    Setting {
        name: "tcp_timestamps",
        place: sysctl(Key::Timestamps, "net/ipv4/tcp_timestamps"),
        default: "1",
        format: Format::Number { least: 0, most: 2 },
        gist: "the base of every early reuse of a TIME_WAIT; keep it on",
        does: "Whether new connections carry timestamps: 0 no, 1 with a random offset, 2 without the offset. They let the \
               kernel tell old segments from new ones, so that a TIME_WAIT can give way to a new connection from the \
               same address and port. Connections that are there keep what they agreed on.",
        myth: Some(Myth {
            said: "turning them off saves time and hides the uptime",
            fact: "the uptime is hidden by the random offset since 4.10; without them a client that comes back from the \
                   same port is refused for a minute",
        }),
        source: "tcp_twsk_unique(), tcp_timewait_state_process(); RFC 7323 §5",
        risk: "0 takes away the protection against old segments at high speed, and all reuse of TIME_WAIT by connect()",
        proof: Proof::Experiment(
            "lab/tests/tuning/after_close.rs::without_tcp_timestamps_a_time_wait_does_not_give_way_to_the_same_four_tuple",
        ),
        ..ROW
    },
    Setting {
        name: "tcp_tw_recycle",
        place: Place::Removed,
        default: "gone",
        format: Format::Free,
        gist: "removed in 4.12; advice that names it is older than 2017",
        does: "It ended TIME_WAIT early by remembering one timestamp for each peer address. Clients behind one address \
               translator have clocks of their own, so the server dropped the connections of all but one.",
        myth: Some(Myth {
            said: "set tcp_tw_recycle=1 to get rid of TIME_WAIT",
            fact: "no kernel since 4.12 has it, and where it was, it dropped clients behind address translation",
        }),
        source: "removed in 4.12 together with per-destination timestamps",
        risk: "none today: the name does not exist",
        history: "removed in 4.12",
        proof: Proof::Documented("the sources of 4.11 and 4.12; that the file is gone is tested"),
        ..ROW
    },
];

const FIN_TIMEOUT: &str = "lab/tests/tuning/after_close.rs::tcp_fin_timeout_ends_orphans_in_fin_wait_2_and_leaves_time_wait_alone";
