//! How long the kernel goes on without an answer: with data, without a process, while connecting, and when idle.

use super::{BYTE, INT, MOST_SECONDS, ROW, sysctl};
use crate::facts::KernelVersion;
use crate::tune::setting::{Group, Key, Myth, Place, Proof, Scope, Setting};
use crate::tune::value::Format;

pub(super) const TABLE: &[Setting] = &[
    Setting {
        name: "tcp_retries2",
        place: sysctl(Key::Retries2, "net/ipv4/tcp_retries2"),
        default: "15",
        format: BYTE,
        gist: "how long unacknowledged data keeps a connection alive: 15 is 15 minutes",
        does: "How long a connection with unacknowledged data waits for any answer before it is given up with ETIMEDOUT. \
               The number is turned into a time: that of so many retransmissions from 200 ms on, doubling up to \
               tcp_rto_max_ms. It acts on present connections at their next timeout.",
        myth: Some(Myth {
            said: "it is the number of retransmissions",
            fact: "it is a time since 2.6.32; how many retransmissions fit in it depends on the round-trip time",
        }),
        source: "tcp_write_timeout(), retransmits_timed_out(), tcp_model_timeout(); RFC 9293 §3.8.3 (R2), RFC 1122 \
                 §4.2.3.5",
        risk: "below 100 s (8), connections die in interruptions that the standard requires them to survive",
        proof: Proof::Experiment(
            "lab/tests/tuning/silence.rs::tcp_retries2_ends_a_connection_whose_data_is_not_acknowledged",
        ),
        ..SILENCE
    },
    Setting {
        name: "tcp_orphan_retries",
        place: sysctl(Key::OrphanRetries, "net/ipv4/tcp_orphan_retries"),
        default: "0",
        format: BYTE,
        gist: "the same after close(), for data and FIN still to deliver; 0 means 8",
        does: "The same for a connection that its program has closed while data or the FIN was not acknowledged \
               (FIN_WAIT_1, CLOSING, LAST_ACK). 0 stands for 8, which is 102 s, and for giving up at once when the \
               interval has reached its maximum. It acts on present orphans at their next timeout.",
        myth: Some(Myth {
            said: "0 means that orphans are dropped without a retry",
            fact: "0 means 8 retries, which take 102 s or more",
        }),
        source: "tcp_orphan_retries(), tcp_write_timeout(), tcp_probe_timer()",
        risk: "a low value throws away data that a program has written and closed, without telling anybody",
        proof: Proof::Experiment(
            "lab/tests/tuning/silence.rs::tcp_orphan_retries_ends_a_closed_connection_whose_fin_is_not_acknowledged",
        ),
        ..SILENCE
    },
    Setting {
        name: "tcp_max_orphans",
        place: Place::Sysctl {
            key: Key::MaxOrphans,
            path: "net/ipv4/tcp_max_orphans",
            scope: Scope::Host,
        },
        default: "by memory",
        format: Format::Number { least: 0, most: INT },
        gist: "above so many closed connections still sending, they are reset",
        does: "How many connections without a process, with data or a FIN still to deliver, the whole host may have. \
               Above it a connection that is closed, or whose timer fires, is reset and forgotten \
               (TCPAbortOnMemory). Those that did nothing for long count double or fourfold. FIN_WAIT_2 and TIME_WAIT \
               as minisocks do not count.",
        source: "tcp_too_many_orphans(), tcp_check_oom(), tcp_out_of_resources(), __tcp_close()",
        risk: "a low value cuts off the last data of connections that were closed in good order",
        proof: Proof::Documented(
            "of the whole host: a test of it would reset the connections of the machine it runs on",
        ),
        ..SILENCE
    },
    Setting {
        name: "tcp_mem",
        place: Place::Sysctl { key: Key::Memory, path: "net/ipv4/tcp_mem", scope: Scope::Host },
        unit: "pages",
        default: "by memory",
        format: Format::Triple,
        gist: "above the third number, orphans are reset; TIME_WAIT is not counted",
        does: "The pages that the buffers of all TCP connections of the host may take: the first number is the end of \
               restraint, the second its beginning, the third the limit. Above the limit orphans are reset \
               (TCPAbortOnMemory). TIME_WAIT has no buffers and does not count.",
        myth: Some(Myth {
            said: "TIME_WAITs fill tcp_mem",
            fact: "they hold no buffers; their memory is the kernel's own (slab), a few hundred bytes each",
        }),
        source: "tcp_out_of_memory(), tcp_check_oom()",
        risk: "too low, and every connection of the host slows down or is reset",
        proof: Proof::Documented(
            "of the whole host: a test of it would starve the machine it runs on",
        ),
        ..SILENCE
    },
    Setting {
        name: "tcp_syn_retries",
        place: sysctl(Key::SynRetries, "net/ipv4/tcp_syn_retries"),
        default: "6",
        format: Format::Number { least: 1, most: 127 },
        gist: "how long connect() waits for an answer, and holds its port (SYN_SENT)",
        does: "How long connect() waits for an answer before it fails with ETIMEDOUT: so many retransmissions of the \
               first segment, at intervals that double from 1 s, after those of tcp_syn_linear_timeouts. It acts on \
               connections that are being made already, at their next timeout.",
        source: "tcp_write_timeout(); RFC 1122 §4.2.3.5 asks for 3 minutes",
        risk: "a low value fails toward peers that are only slow or overloaded",
        proof: Proof::Experiment(
            "lab/tests/tuning/silence.rs::tcp_syn_retries_ends_a_connection_attempt_that_nobody_answers",
        ),
        ..SILENCE
    },
    Setting {
        name: "tcp_syn_linear_timeouts",
        place: sysctl(Key::SynLinearTimeouts, "net/ipv4/tcp_syn_linear_timeouts"),
        default: "4",
        format: Format::Number { least: 0, most: 127 },
        gist: "so many first retries of connect() come each second before doubling",
        does: "How many retransmissions of connect()'s first segment are made at the interval of 1 s before it begins to \
               double. They are added to tcp_syn_retries.",
        source: "tcp_retransmit_timer(), tcp_write_timeout()",
        risk: "little: more segments toward a peer that does not answer",
        since: Some(KernelVersion::new(6, 5)),
        history: "since 6.5",
        proof: Proof::Experiment(
            "lab/tests/tuning/silence.rs::tcp_syn_linear_timeouts_keeps_the_first_intervals_from_doubling",
        ),
        ..SILENCE
    },
    Setting {
        name: "tcp_rto_min_us",
        place: sysctl(Key::RtoMin, "net/ipv4/tcp_rto_min_us"),
        unit: "us",
        default: "200000",
        format: Format::Number { least: 1, most: INT },
        gist: "how soon a lost FIN is sent again, at the earliest",
        does: "The shortest retransmission timeout of sockets made from now on: how soon a lost FIN, or lost data, is sent \
               again. The times of tcp_retries2 and tcp_orphan_retries do not follow it; they are reckoned from 200 ms.",
        myth: Some(Myth {
            said: "with a shorter timeout dead connections are given up sooner",
            fact: "how long they last is reckoned from 200 ms; only more retransmissions are made in that time",
        }),
        source: "tcp_init_sock(), tcp_rto_min(), retransmits_timed_out()",
        risk: "below the peer's delay of acknowledgements (40 to 200 ms), segments are sent again that were not lost",
        since: Some(KernelVersion::new(6, 11)),
        history: "since 6.11; a route's rto_min before, which still goes first",
        proof: Proof::Experiment(
            "lab/tests/tuning/silence.rs::tcp_rto_min_us_sets_when_a_lost_fin_is_sent_again",
        ),
        ..SILENCE
    },
    Setting {
        name: "tcp_rto_max_ms",
        place: sysctl(Key::RtoMax, "net/ipv4/tcp_rto_max_ms"),
        unit: "ms",
        default: "120000",
        format: Format::Number { least: 1_000, most: 120_000 },
        gist: "the longest pause between retries; shortens tcp_retries2 as well",
        does: "The longest retransmission timeout of sockets made from now on. The times of tcp_retries2 and \
               tcp_orphan_retries are reckoned with it, so a lower value makes both shorter.",
        myth: Some(Myth {
            said: "it changes the pauses and nothing else",
            fact: "tcp_retries2=15 lasts 15 minutes with the default, and 14 s with 1000: raise that with it",
        }),
        source: "tcp_init_sock(), tcp_model_timeout(); RFC 6298 §2.5 allows no less than 60 s",
        risk: "dead connections are found sooner, and so are slow ones that would have recovered",
        since: Some(KernelVersion::new(6, 15)),
        history: "since 6.15",
        proof: Proof::Experiment(
            "lab/tests/tuning/silence.rs::tcp_rto_max_ms_limits_the_pause_between_retransmissions",
        ),
        ..SILENCE
    },
    Setting {
        name: "tcp_keepalive_time",
        place: sysctl(Key::KeepaliveTime, "net/ipv4/tcp_keepalive_time"),
        unit: "s",
        default: "7200",
        format: Format::Number { least: 1, most: MOST_SECONDS },
        gist: "after so long without a segment the first probe is sent",
        does: "How long a connection must be idle before the kernel asks whether the peer is there, on sockets that set \
               SO_KEEPALIVE and not TCP_KEEPIDLE. A timer that runs is not shortened: it fires as it was set, and looks \
               at the value then.",
        myth: Some(Myth {
            said: "setting it makes the kernel find dead peers",
            fact: "only on sockets whose program sets SO_KEEPALIVE; all others stay open for ever",
        }),
        source: "tcp_keepalive_timer(), keepalive_time_when(); RFC 9293 §3.8.4",
        risk: "short values send probes over idle links, and end connections that a short interruption would not",
        proof: Proof::Experiment(KEEPALIVE),
        ..IDLE
    },
    Setting {
        name: "tcp_keepalive_intvl",
        place: sysctl(Key::KeepaliveInterval, "net/ipv4/tcp_keepalive_intvl"),
        unit: "s",
        default: "75",
        format: Format::Number { least: 1, most: MOST_SECONDS },
        gist: "the pause between probes that are not answered",
        does: "The pause between keepalive probes that are not answered, on sockets that set SO_KEEPALIVE and not \
               TCP_KEEPINTVL.",
        source: "tcp_keepalive_timer(), keepalive_intvl_when()",
        risk: "with few probes, a short interruption ends idle connections",
        proof: Proof::Experiment(KEEPALIVE),
        ..IDLE
    },
    Setting {
        name: "tcp_keepalive_probes",
        place: sysctl(Key::KeepaliveProbes, "net/ipv4/tcp_keepalive_probes"),
        default: "9",
        format: BYTE,
        gist: "after so many without an answer the connection is reset",
        does: "How many keepalive probes may stay unanswered before the connection is reset and its program gets \
               ETIMEDOUT. With 0 an idle connection is reset without a single probe.",
        source: "tcp_keepalive_timer(), keepalive_probes()",
        risk: "1 ends a connection for one lost segment, 0 for being idle",
        proof: Proof::Experiment(
            "lab/tests/tuning/silence.rs::without_a_keepalive_probe_an_idle_connection_to_a_live_peer_is_reset",
        ),
        ..IDLE
    },
];

const SILENCE: Setting = Setting { group: Group::Silence, ..ROW };
const IDLE: Setting = Setting { group: Group::Idle, ..ROW };
const KEEPALIVE: &str = "lab/tests/tuning/silence.rs::keepalive_settings_decide_when_an_idle_connection_to_a_dead_peer_ends";
