//! Listeners: handshakes that are not finished, full queues, and what becomes of a queue when its listener closes.

use super::{BYTE, INT, ROW, SWITCH, sysctl};
use crate::facts::KernelVersion;
use crate::tune::setting::{Group, Key, Myth, Proof, Setting};
use crate::tune::value::Format;

pub(super) const TABLE: &[Setting] = &[
    Setting {
        name: "tcp_synack_retries",
        place: sysctl(Key::SynAckRetries, "net/ipv4/tcp_synack_retries"),
        default: "5",
        format: BYTE,
        gist: "how long a handshake that the client does not finish is kept",
        does: "How often the answer to a client's first segment is sent again, at intervals that double from 1 s, before \
               the half-open connection is dropped. It acts on those that are there already, at their next timeout. \
               Such a half-open connection holds no port.",
        source: "reqsk_timer_handler()",
        risk: "0 drops a client for one lost segment",
        proof: Proof::Experiment(
            "lab/tests/tuning/listening.rs::tcp_synack_retries_ends_a_handshake_that_the_client_does_not_finish",
        ),
        ..LISTENING
    },
    Setting {
        name: "tcp_abort_on_overflow",
        place: sysctl(Key::AbortOnOverflow, "net/ipv4/tcp_abort_on_overflow"),
        default: "0",
        format: SWITCH,
        gist: "1: a client that meets a full queue is reset instead of kept waiting",
        does: "What a client gets whose handshake ends while the listener's queue is full: with 0 its last segment is \
               ignored, it believes to be connected, and both sides try again; with 1 it is reset.",
        source: "tcp_check_req()",
        risk: "with 1 every short burst becomes errors at the clients",
        proof: Proof::Experiment(
            "lab/tests/tuning/listening.rs::tcp_abort_on_overflow_resets_a_client_that_meets_a_full_queue",
        ),
        ..LISTENING
    },
    Setting {
        name: "somaxconn",
        place: sysctl(Key::ListenLimit, "net/core/somaxconn"),
        default: "4096",
        format: Format::Number { least: 0, most: INT },
        gist: "limits listen()'s queue; what waits there is reset when it closes",
        does: "The longest queue that listen() may ask for. It counts at listen(): present listeners keep theirs. When a \
               listener closes, every connection in its queue is reset, so a long queue is also more to lose.",
        myth: Some(Myth {
            said: "raising it helps a running server at once",
            fact: "a running server keeps its queue until it calls listen() again",
        }),
        source: "__sys_listen_socket(), inet_csk_listen_stop()",
        risk: "too short, and bursts of clients are turned away",
        history: "4096 since 5.4; 128 before",
        proof: Proof::Experiment(
            "lab/tests/tuning/listening.rs::somaxconn_limits_the_queue_of_listeners_to_come",
        ),
        ..LISTENING
    },
    Setting {
        name: "tcp_migrate_req",
        place: sysctl(Key::MigrateRequests, "net/ipv4/tcp_migrate_req"),
        default: "0",
        format: SWITCH,
        gist: "1: connections queued at a closed SO_REUSEPORT listener move on",
        does: "What becomes of the connections in a listener's queue when it closes: with 0 they are reset; with 1 they \
               move to another listener of the same SO_REUSEPORT group, if there is one. A handshake that ends in the \
               same instant can still be lost.",
        source: "inet_csk_listen_stop(), reuseport_migrate_sock()",
        risk: "a connection can reach a listener with other options than those it was made with",
        since: Some(KernelVersion::new(5, 14)),
        history: "since 5.14",
        proof: Proof::Experiment(MIGRATE),
        ..LISTENING
    },
];

const LISTENING: Setting = Setting { group: Group::Listening, ..ROW };
const MIGRATE: &str =
    "lab/tests/tuning/listening.rs::tcp_migrate_req_moves_a_closed_listeners_queue_to_its_sibling";
