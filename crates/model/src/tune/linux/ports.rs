//! Local ports: which the kernel lends to connections, each of which keeps its port through `TIME_WAIT`.

use super::{ROW, SWITCH, sysctl};
use crate::facts::KernelVersion;
use crate::tune::setting::{Group, Key, Myth, Proof, Setting};
use crate::tune::value::Format;

pub(super) const TABLE: &[Setting] = &[
    Setting {
        name: "ip_local_port_range",
        place: sysctl(Key::PortRange, "net/ipv4/ip_local_port_range"),
        default: "32768 60999",
        format: Format::PortRange,
        gist: "the ports lent to connect() and bind(0); each rests 60 s after use",
        does: "The ports that the kernel chooses from when a program names none. Who closes first keeps the port for 60 s \
               toward that destination, so the number of ports divided by 60 is the rate of new connections toward \
               one destination that can be kept up. Of an odd number of ports each connect() leaves one untried.",
        source: "inet_get_local_port_range(), __inet_hash_connect(), inet_csk_find_open_port()",
        risk: "a server's port inside it may be lent to a client while the server is down: reserve it",
        proof: Proof::Experiment(
            "lab/tests/tuning/ports.rs::ip_local_port_range_limits_how_many_connections_can_rest",
        ),
        ..PORTS
    },
    Setting {
        name: "ip_local_reserved_ports",
        place: sysctl(Key::ReservedPorts, "net/ipv4/ip_local_reserved_ports"),
        default: "",
        format: Format::PortSet,
        gist: "ports that are never lent; a program can still name them",
        does: "Ports of ip_local_port_range that the kernel never chooses. bind() by name still gets them. It keeps a \
               server's port from being lent to a client while the server restarts.",
        source: "inet_is_local_reserved_port()",
        risk: "each one is a port less for outgoing connections",
        proof: Proof::Experiment(
            "lab/tests/tuning/ports.rs::ip_local_reserved_ports_are_not_lent_and_can_be_bound_by_name",
        ),
        ..PORTS
    },
    Setting {
        name: "ip_unprivileged_port_start",
        place: sysctl(Key::UnprivilegedPortStart, "net/ipv4/ip_unprivileged_port_start"),
        default: "1024",
        format: Format::Number { least: 0, most: 65_535 },
        gist: "ports below it need CAP_NET_BIND_SERVICE",
        does: "The first port that anybody may bind. Those below need CAP_NET_BIND_SERVICE over the namespace. It must not \
               lie above the first port of ip_local_port_range.",
        source: "inet_port_requires_bind_service(), ipv4_privileged_ports()",
        risk: "with less, any user can take the port of a service that is restarting",
        proof: Proof::Experiment(
            "lab/tests/tuning/ports.rs::ip_unprivileged_port_start_opens_ports_to_everybody",
        ),
        ..PORTS
    },
    Setting {
        name: "ip_autobind_reuse",
        place: sysctl(Key::AutobindReuse, "net/ipv4/ip_autobind_reuse"),
        default: "0",
        format: SWITCH,
        gist: "1: bind(0) may share a port, by SO_REUSEADDR, when none is free",
        does: "With 1 a bind() to port 0 with SO_REUSEADDR may be given a port in use by others that set it too and do \
               not listen, when no port is free. Two such sockets cannot connect to the same destination.",
        myth: Some(Myth {
            said: "it is needed to connect more often than there are ports",
            fact: "a connect() without bind() shares ports between destinations already, and so does bind() with \
                   IP_BIND_ADDRESS_NO_PORT",
        }),
        source: "inet_csk_get_port(), inet_csk_find_open_port()",
        risk: "connect() can fail with EADDRNOTAVAIL after a bind() that succeeded",
        since: Some(KernelVersion::new(5, 7)),
        history: "since 5.7",
        proof: Proof::Experiment(
            "lab/tests/tuning/ports.rs::ip_autobind_reuse_lends_a_port_twice_when_none_is_free",
        ),
        ..PORTS
    },
];

const PORTS: Setting = Setting { group: Group::Ports, ..ROW };
