//! Options that a program sets on one socket. No command changes them from outside.

use super::setting::{Group, Myth, Place, Proof, Setting, System};
use super::value::Format;
use crate::facts::KernelVersion;

pub(super) const TABLE: &[Setting] = &[
    Setting {
        name: "SO_REUSEADDR",
        place: Place::SocketOption { level: "SOL_SOCKET" },
        default: "0",
        gist: "lets bind() pass TIME_WAIT, if the old server had it too",
        does: "A bind() may share a port with sockets that do not listen, TIME_WAIT included, if they had the option too. \
               It never lets a second server in beside one that listens.",
        myth: Some(Myth {
            said: "setting it on the new server is enough",
            fact: "the TIME_WAIT keeps the option its socket had: without it there, bind() fails for the rest of the \
                   60 s",
        }),
        source: "inet_bind_conflict(), inet_csk_bind_conflict()",
        risk: "between bind() and listen() another user can take the port if both set it",
        proof: Proof::Experiment(
            "lab/tests/diagnosis/cases.rs::time_wait_of_a_server_with_reuse_address_gives_way_to_reuse_address",
        ),
        ..OPTION
    },
    Setting {
        name: "SO_REUSEPORT",
        place: Place::SocketOption { level: "SOL_SOCKET" },
        default: "0",
        gist: "several servers of one user on one port; all must set it",
        does: "Sockets of one user that all set it may listen on the same port; connections are spread over them. When \
               one closes, the connections in its queue are reset unless tcp_migrate_req is set.",
        source: "inet_bind_conflict(), reuseport_select_sock()",
        risk: "a restart loses the connections in the old listener's queue",
        proof: Proof::Experiment(
            "lab/tests/tuning/listening.rs::tcp_migrate_req_moves_a_closed_listeners_queue_to_its_sibling",
        ),
        ..OPTION
    },
    Setting {
        name: "SO_LINGER",
        place: Place::SocketOption { level: "SOL_SOCKET" },
        unit: "s",
        default: "off",
        gist: "0 s: close() is a reset, without TIME_WAIT; else close() waits",
        does: "With a time above 0 close() waits until all is acknowledged or the time is over. With 0 it throws away \
               what is not sent and resets the connection: no TIME_WAIT.",
        myth: Some(Myth {
            said: "0 is a clean way to be rid of TIME_WAIT",
            fact: "the peer gets ECONNRESET and may lose data that it had received already",
        }),
        source: "__tcp_close(); RFC 9293 §3.10.5",
        risk: "with 0 data is lost on both sides",
        proof: Proof::Experiment(
            "lab/tests/tuning/sockets.rs::so_linger_of_0_resets_the_peer_and_leaves_no_time_wait",
        ),
        ..OPTION
    },
    Setting {
        name: "TCP_LINGER2",
        place: Place::SocketOption { level: "IPPROTO_TCP" },
        unit: "s",
        default: "tcp_fin_timeout",
        gist: "tcp_fin_timeout for one socket; below 0 no FIN_WAIT_2 at all",
        does: "How long this socket stays in FIN_WAIT_2 once closed, 120 s at most. A negative value resets the \
               connection instead. It does not change TIME_WAIT.",
        source: "tcp_fin_time(), __tcp_close(), do_tcp_setsockopt()",
        risk: "as tcp_fin_timeout",
        proof: Proof::Experiment(
            "lab/tests/tuning/sockets.rs::tcp_linger2_is_tcp_fin_timeout_for_one_socket",
        ),
        ..OPTION
    },
    Setting {
        name: "TCP_USER_TIMEOUT",
        place: Place::SocketOption { level: "IPPROTO_TCP" },
        unit: "ms",
        default: "0",
        gist: "tcp_retries2 and keepalive's limit for one socket, as a time",
        does: "How long data of this socket may stay unacknowledged, or keepalive probes unanswered, before it is given \
               up with ETIMEDOUT. 0 stands for the system's settings.",
        source: "tcp_clamp_rto_to_user_timeout(), retransmits_timed_out(), tcp_keepalive_timer(); RFC 5482",
        risk: "shorter than an ordinary interruption, it ends connections that would have recovered",
        proof: Proof::Experiment(
            "lab/tests/tuning/sockets.rs::tcp_user_timeout_gives_one_connection_up_early",
        ),
        ..OPTION
    },
    Setting {
        name: "SO_KEEPALIVE",
        place: Place::SocketOption { level: "SOL_SOCKET" },
        default: "0",
        gist: "asks an idle peer whether it is there; without it, nobody does",
        does: "Probes an idle connection as tcp_keepalive_time, _intvl and _probes say. Without it an idle connection to a \
               dead peer stays for ever.",
        source: "tcp_keepalive_timer(); RFC 9293 §3.8.4",
        risk: "a short interruption can end an idle connection that would have survived it",
        proof: Proof::Experiment(
            "lab/tests/tuning/silence.rs::keepalive_settings_decide_when_an_idle_connection_to_a_dead_peer_ends",
        ),
        ..OPTION
    },
    Setting {
        name: "TCP_KEEPIDLE",
        place: Place::SocketOption { level: "IPPROTO_TCP" },
        unit: "s",
        default: "tcp_keepalive_time",
        gist: "tcp_keepalive_time for one socket; TCP_KEEPINTVL, TCP_KEEPCNT alike",
        does: "TCP_KEEPIDLE, TCP_KEEPINTVL (both in seconds) and TCP_KEEPCNT stand for tcp_keepalive_time, _intvl and \
               _probes on one socket. It needs SO_KEEPALIVE.",
        source: "keepalive_time_when(), keepalive_intvl_when(), keepalive_probes()",
        risk: "as those settings",
        proof: Proof::Experiment(
            "lab/tests/tuning/sockets.rs::tcp_keepidle_is_tcp_keepalive_time_for_one_socket",
        ),
        ..OPTION
    },
    Setting {
        name: "IP_BIND_ADDRESS_NO_PORT",
        place: Place::SocketOption { level: "IPPROTO_IP" },
        default: "0",
        gist: "bind(address, 0) leaves the port to connect(), which can share it",
        does: "bind() with port 0 fixes the address alone; the port is chosen by connect(), which may share it between \
               destinations. Without it bind() takes a port for all destinations.",
        source: "__inet_bind(), __inet_hash_connect()",
        risk: "none known",
        since: Some(KernelVersion::new(4, 2)),
        history: "since 4.2",
        proof: Proof::Experiment(
            "lab/tests/tuning/sockets.rs::ip_bind_address_no_port_leaves_the_port_to_connect",
        ),
        ..OPTION
    },
    Setting {
        name: "IP_LOCAL_PORT_RANGE",
        place: Place::SocketOption { level: "IPPROTO_IP" },
        default: "ip_local_port_range",
        gist: "narrows ip_local_port_range for one socket",
        does: "The ports that the kernel may choose for this socket. Each bound counts only where it lies inside \
               ip_local_port_range.",
        source: "inet_sk_get_local_port_range()",
        risk: "a range too narrow runs out of ports",
        since: Some(KernelVersion::new(6, 3)),
        history: "since 6.3",
        proof: Proof::Experiment(
            "lab/tests/tuning/sockets.rs::ip_local_port_range_of_a_socket_narrows_that_of_the_namespace",
        ),
        ..OPTION
    },
    Setting {
        name: "TCP_RTO_MAX_MS",
        place: Place::SocketOption { level: "IPPROTO_TCP" },
        unit: "ms",
        default: "tcp_rto_max_ms",
        gist: "tcp_rto_max_ms for one socket",
        does: "The longest pause between retransmissions of this socket, 1000 to 120000. The times of tcp_retries2 and \
               tcp_orphan_retries are reckoned with it.",
        source: "do_tcp_setsockopt(), tcp_rto_max()",
        risk: "as tcp_rto_max_ms",
        since: Some(KernelVersion::new(6, 15)),
        history: "since 6.15",
        proof: Proof::Documented(
            "read in the source of 6.18; it sets what tcp_rto_max_ms sets, which a test covers",
        ),
        ..OPTION
    },
];

const OPTION: Setting = Setting {
    name: "",
    system: System::Linux,
    group: Group::Socket,
    place: Place::SocketOption { level: "" },
    unit: "",
    default: "",
    format: Format::Free,
    gist: "",
    does: "",
    myth: None,
    source: "",
    risk: "",
    since: None,
    history: "",
    proof: Proof::Documented(""),
};
