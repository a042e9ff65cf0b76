//! The kernel's rules as switches: how each version of Linux sets them, and a handle to turn one off.
//!
//! A switch that no version turns off is still a switch: the differential test breaks the rules one at a
//! time and must notice every one.

use crate::facts::KernelVersion;

/// Which rules hold. Each field says what it means when it is true and where the kernel has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rules {
    /// A wildcard address covers every specific address of its family
    /// (`inet_bhash2_addr_any_conflict`, `ipv4_rcv_saddr_equal`).
    pub wildcard_covers_specific: bool,
    /// An IPv6 wildcard without `V6ONLY` covers IPv4 as well (`ipv6_rcv_saddr_equal`).
    pub dual_stack_covers_v4: bool,
    /// An IPv4 bind ignores sockets that are `V6ONLY` (`inet_bind2_bucket_addr_match`).
    pub v6only_spares_v4: bool,
    /// The kernel stores 127.0.0.6 as the IPv4 side of every socket with a real IPv6 address, so a
    /// connection between IPv6 addresses stands against a bind of 0.0.0.0 (`LOOPBACK4_IPV6`).
    pub loopback_stand_in: bool,
    /// Sockets bound to different interfaces never meet (`inet_bind_conflict`).
    pub devices_separate: bool,
    /// `SO_REUSEADDR` must be set on both sides (`inet_bind_conflict`). Other systems ask the new one only.
    pub reuse_address_needs_both: bool,
    /// `SO_REUSEADDR` does not help beside a listener (`inet_bind_conflict`).
    pub listener_refuses_reuse_address: bool,
    /// `SO_REUSEPORT` must be set on both sides (`inet_bind_conflict`).
    pub reuse_port_needs_both: bool,
    /// `SO_REUSEPORT` joins sockets of one uid only, root included (`inet_bind_conflict`).
    pub reuse_port_needs_same_uid: bool,
    /// A minisock carries no uid, so `SO_REUSEPORT` of any uid passes it (`inet_bind_conflict`).
    pub minisock_passes_any_uid: bool,
    /// Ports below `ip_unprivileged_port_start` need `CAP_NET_BIND_SERVICE` (`__inet_bind`).
    pub reserved_ports_need_capability: bool,
    /// IPv4 checks the address before the port's privilege; IPv6 after it (`__inet_bind`, `__inet6_bind`).
    pub v4_checks_address_first: bool,
    /// Since 6.9 a bind to a mapped specific address sees an owner on `::ffff:0.0.0.0`
    /// (`inet_bhash2_addr_any_conflict`); before, it let both in.
    pub mapped_sees_mapped_wildcard: bool,
    /// Before 6.8 a port whose owners all had `SO_REUSEADDR` when they bound skipped the walk
    /// (`inet_csk_update_fastreuse`).
    pub reuse_address_shortcut: bool,
    /// A port that remembers a `SO_REUSEPORT` bind of the same uid skips the walk (`sk_reuseport_match`).
    /// Nothing shows the memory, and it outlives the socket that set it.
    pub reuse_port_shortcut: bool,
}

impl Rules {
    /// The rules of that version of Linux.
    pub const fn of(kernel: KernelVersion) -> Self {
        Self {
            wildcard_covers_specific: true,
            dual_stack_covers_v4: true,
            v6only_spares_v4: true,
            loopback_stand_in: true,
            devices_separate: true,
            reuse_address_needs_both: true,
            listener_refuses_reuse_address: true,
            reuse_port_needs_both: true,
            reuse_port_needs_same_uid: true,
            minisock_passes_any_uid: true,
            reserved_ports_need_capability: true,
            v4_checks_address_first: true,
            mapped_sees_mapped_wildcard: kernel.at_least(6, 9),
            reuse_address_shortcut: !kernel.at_least(6, 8),
            reuse_port_shortcut: true,
        }
    }
}
