//! How long other systems keep a closed connection, and what of it can be set. Read in their sources and manuals.

use super::setting::{Group, Myth, Place, Proof, Setting, System};
use super::value::Format;

pub(super) const TABLE: &[Setting] = &[
    Setting {
        name: "net.inet.tcp.msl",
        system: System::FreeBsd,
        unit: "ms",
        default: "30000",
        gist: "TIME_WAIT lasts twice as long: 60 s",
        does: "The assumed longest life of a segment; TIME_WAIT lasts twice as long. It can be changed at any time.",
        source: "tcp_twstart(); tcp(4)",
        risk: "lowered, late segments reach new connections",
        ..OTHER
    },
    Setting {
        name: "net.inet.tcp.nolocaltimewait",
        system: System::FreeBsd,
        default: "1",
        gist: "1: connections within the host get no TIME_WAIT",
        does: "Whether a connection whose peer is on the same host gets no TIME_WAIT.",
        source: "tcp_twstart(); release notes of 14.0",
        risk: "none across a network",
        history: "1 since FreeBSD 14.0, 0 before",
        ..OTHER
    },
    Setting {
        name: "net.inet.tcp.finwait2_timeout",
        system: System::FreeBsd,
        unit: "ms",
        default: "60000",
        gist: "ends FIN_WAIT_2 without a process, if fast_finwait2_recycle is 1",
        does: "How long FIN_WAIT_2 without a process lasts when net.inet.tcp.fast_finwait2_recycle is 1. With 0, the \
               default, it lasts as long as keepalive would go on probing: 10 minutes.",
        source: "tcp_usrclosed(), TP_MAXIDLE",
        risk: "a peer that closes late is reset",
        ..OTHER
    },
    Setting {
        name: "net.inet.tcp.msl",
        system: System::MacOs,
        unit: "ms",
        default: "15000",
        gist: "TIME_WAIT lasts twice as long: 30 s",
        does: "The assumed longest life of a segment; TIME_WAIT lasts twice as long.",
        myth: Some(Myth {
            said: "TIME_WAIT lasts 15 s on macOS",
            fact: "15 s is the life of a segment; the wait is twice that",
        }),
        source: "tcp_timer.h (TCPTV_MSL), add_to_time_wait()",
        risk: "lowered, late segments reach new connections",
        ..OTHER
    },
    Setting {
        name: "TCPTV_MSL",
        system: System::OpenBsd,
        place: Place::CompiledIn,
        unit: "s",
        default: "30",
        gist: "TIME_WAIT lasts twice as long: 60 s; it cannot be set",
        does: "A constant of the kernel's source; TIME_WAIT lasts twice as long, 60 s.",
        source: "netinet/tcp_timer.h",
        risk: "none: it cannot be set",
        ..OTHER
    },
    Setting {
        name: "_time_wait_interval",
        system: System::Illumos,
        unit: "ms",
        default: "60000",
        gist: "the length of TIME_WAIT itself: 60 s, 1 s to 10 min",
        does: "How long TIME_WAIT lasts. Older systems call it tcp_time_wait_interval; it is set with ipadm.",
        source: "tcp_tunables.c",
        risk: "lowered, late segments reach new connections",
        ..OTHER
    },
    Setting {
        name: "_fin_wait_2_flush_interval",
        system: System::Illumos,
        unit: "ms",
        default: "60000",
        gist: "ends FIN_WAIT_2 without a process: 60 s, 1 s to 2 h",
        does: "How long FIN_WAIT_2 without a process lasts.",
        source: "tcp_tunables.c",
        risk: "a peer that closes late is reset",
        history: "675000 in the documentation of Solaris",
        ..OTHER
    },
    Setting {
        name: "TcpTimedWaitDelay",
        system: System::Windows,
        unit: "s",
        default: "120",
        gist: "the length of TIME_WAIT, 30 s to 300 s, in the registry",
        does: "How long TIME_WAIT lasts: a value of the registry under Tcpip\\Parameters, from 30 to 300.",
        source: "documentation of Windows Server",
        risk: "lowered, late segments reach new connections",
        history: "the documented default is 240 for Windows 2000 and 120 for Server 2003",
        ..OTHER
    },
];

const OTHER: Setting = Setting {
    name: "",
    system: System::FreeBsd,
    group: Group::Elsewhere,
    place: Place::OtherSystem,
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
    proof: Proof::Documented("another system's source or manual was read, nothing was run"),
};
