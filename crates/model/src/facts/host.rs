//! The settings, addresses and rights that decide a bind before any other socket is looked at.

use crate::ids::{InterfaceIndex, NamespaceId, Port, Uid};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// One network namespace of one host, at one moment, as one user sees it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Host {
    /// Which kernel's rules hold.
    pub kernel: KernelVersion,
    /// When the facts were taken, in milliseconds since the Unix epoch.
    pub taken_at_ms: u64,
    /// The namespace.
    pub namespace: Option<NamespaceId>,
    /// Who asks.
    pub asker: Asker,
    /// The settings that touch ports.
    pub sysctls: Sysctls,
    /// IPv4: the local routing table, which decides what may be bound.
    pub routes: Vec<LocalRoute>,
    /// IPv6: the addresses of the interfaces, which decide what may be bound.
    pub addresses: Vec<Interface6Address>,
    /// The interfaces.
    pub interfaces: Vec<Interface>,
    /// False when the namespace has no IPv6 at all.
    pub ipv6: bool,
}

/// The kernel's version, for the rules that changed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct KernelVersion {
    /// As in the 6 of 6.18.
    pub major: u16,
    /// As in the 18 of 6.18.
    pub minor: u16,
}

/// Who would bind, and what that one may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Asker {
    /// The uid a new socket would carry.
    pub uid: Uid,
    /// `CAP_NET_BIND_SERVICE` over the namespace.
    pub may_bind_reserved: bool,
    /// `CAP_NET_ADMIN` over the namespace: may destroy sockets.
    pub may_destroy: bool,
    /// `CAP_SYS_PTRACE`: sees every process's descriptors.
    pub may_inspect: bool,
}

/// The settings that touch ports and endings, at the kernel's defaults where they cannot be read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Sysctls {
    /// `net.ipv4.ip_unprivileged_port_start`: ports below it need a capability.
    pub unprivileged_port_start: u16,
    /// `net.ipv4.ip_local_port_range`.
    pub local_port_range: PortRange,
    /// `net.ipv4.ip_local_reserved_ports`: never chosen by the kernel.
    pub reserved_ports: PortSet,
    /// `net.ipv4.ip_nonlocal_bind`.
    pub nonlocal_bind_v4: bool,
    /// `net.ipv6.ip_nonlocal_bind`.
    pub nonlocal_bind_v6: bool,
    /// `net.ipv4.ip_autobind_reuse`.
    pub autobind_reuse: bool,
    /// `net.ipv6.bindv6only`: the default of `IPV6_V6ONLY`.
    pub bind_v6only: bool,
    /// `net.ipv4.tcp_fin_timeout` in seconds: how long an orphaned `FIN_WAIT_2` lives.
    pub fin_timeout_s: u32,
    /// `net.ipv4.tcp_tw_reuse`: 0 never, 1 always, 2 on loopback.
    pub tw_reuse: u8,
    /// `net.ipv4.tcp_tw_reuse_delay` in milliseconds.
    pub tw_reuse_delay_ms: u32,
    /// `net.ipv4.tcp_timestamps`: 0 is off.
    pub timestamps: u8,
    /// `net.ipv4.tcp_max_tw_buckets`.
    pub max_tw_buckets: u32,
    /// `net.ipv4.tcp_max_orphans`.
    pub max_orphans: u32,
    /// `net.ipv4.tcp_orphan_retries`.
    pub orphan_retries: u8,
    /// `net.ipv4.tcp_retries2`.
    pub retries2: u8,
    /// `net.ipv4.tcp_syn_retries`.
    pub syn_retries: u8,
    /// `net.ipv4.tcp_syn_linear_timeouts`: SYNs sent at one interval before it doubles (0 before 6.5).
    pub syn_linear_timeouts: u8,
    /// `net.ipv4.tcp_rto_max_ms`: the longest pause between retransmissions (120 s before 6.15).
    pub rto_max_ms: u32,
    /// `net.ipv4.tcp_rfc1337`.
    pub rfc1337: bool,
}

/// An inclusive range of ports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct PortRange {
    /// The lowest.
    pub low: Port,
    /// The highest.
    pub high: Port,
}

/// A set of ports, as ranges (`8080,9000-9100`).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct PortSet(pub Vec<PortRange>);

/// One route of the table `local`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct LocalRoute {
    /// The network.
    pub network: Ipv4Addr,
    /// Its prefix length.
    pub prefix: u8,
    /// What the addresses in it are.
    pub kind: LocalRouteKind,
}

/// The kinds of route in the table `local`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum LocalRouteKind {
    /// Ours.
    Local,
    /// A broadcast address.
    Broadcast,
    /// Neither: such an address cannot be bound.
    Other,
}

/// One IPv6 address of an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Interface6Address {
    /// The address.
    pub address: Ipv6Addr,
    /// The interface.
    pub interface: InterfaceIndex,
    /// How far it reaches.
    pub scope: Scope,
    /// True while duplicate address detection runs: it cannot be bound yet.
    pub tentative: bool,
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Scope {
    /// Everywhere.
    Global,
    /// This link only.
    Link,
    /// This host only.
    Host,
}

/// A network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Interface {
    /// Its index.
    pub index: InterfaceIndex,
    /// Its name.
    pub name: String,
    /// Its IPv4 addresses, for advice.
    pub v4: Vec<Ipv4Addr>,
}

impl Host {
    /// What kind of IPv4 address this is here (`inet_addr_type_table`): the longest match decides.
    pub fn route_kind(&self, address: Ipv4Addr) -> Option<LocalRouteKind> {
        let bits = u32::from(address);
        self.routes
            .iter()
            .filter(|route| {
                let shift = 32 - u32::from(route.prefix.min(32));
                let matches = |n: u32| n.checked_shr(shift).unwrap_or(0);
                matches(bits) == matches(u32::from(route.network))
            })
            .max_by_key(|route| route.prefix)
            .map(|route| route.kind)
    }

    /// The interface of that name.
    pub fn interface_named(&self, name: &str) -> Option<InterfaceIndex> {
        self.interfaces.iter().find(|i| i.name == name).map(|i| i.index)
    }

    /// The name of that interface.
    pub fn interface_name(&self, index: InterfaceIndex) -> Option<&str> {
        self.interfaces.iter().find(|i| i.index == index).map(|i| i.name.as_str())
    }

    /// Every address of this host that a bind may name, loopback last.
    pub fn own_addresses(&self) -> Vec<IpAddr> {
        let v4 = self.interfaces.iter().flat_map(|i| i.v4.iter().copied().map(IpAddr::V4));
        let v6 = self.addresses.iter().filter(|a| !a.tentative).map(|a| IpAddr::V6(a.address));
        let mut all: Vec<IpAddr> = v4.chain(v6).collect();
        all.sort_by_key(IpAddr::is_loopback);
        all
    }
}

impl KernelVersion {
    /// A version.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// True for this version and every later one.
    pub const fn at_least(self, major: u16, minor: u16) -> bool {
        self.major > major || (self.major == major && self.minor >= minor)
    }
}

impl Default for Sysctls {
    fn default() -> Self {
        Self {
            unprivileged_port_start: 1024,
            local_port_range: PortRange { low: Port(32768), high: Port(60999) },
            reserved_ports: PortSet::default(),
            nonlocal_bind_v4: false,
            nonlocal_bind_v6: false,
            autobind_reuse: false,
            bind_v6only: false,
            fin_timeout_s: 60,
            tw_reuse: 2,
            tw_reuse_delay_ms: 1000,
            timestamps: 1,
            max_tw_buckets: 131_072,
            max_orphans: 65_536,
            orphan_retries: 0,
            retries2: 15,
            syn_retries: 6,
            syn_linear_timeouts: 0,
            rto_max_ms: 120_000,
            rfc1337: false,
        }
    }
}

impl PortRange {
    /// True when the port lies in it.
    pub const fn contains(self, port: Port) -> bool {
        self.low.0 <= port.0 && port.0 <= self.high.0
    }

    /// The ports, in order.
    pub fn ports(self) -> RangeInclusive<u16> {
        self.low.0..=self.high.0
    }
}

impl PortSet {
    /// True when the port is in the set.
    pub fn contains(&self, port: Port) -> bool {
        self.0.iter().any(|range| range.contains(port))
    }
}
