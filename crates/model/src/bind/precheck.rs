//! The checks that precede the port table: they need no other socket, and their order decides the error.
//!
//! IPv4 looks at the address before the privilege, IPv6 the other way round, so the same mistake can answer
//! `EADDRNOTAVAIL` over IPv4 and `EACCES` over IPv6.

use super::rules::Rules;
use crate::errno::Errno;
use crate::facts::{Host, LocalRouteKind, Scope, Transport};
use crate::ids::InterfaceIndex;
use crate::request::Request;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a bind is refused before any other socket is looked at.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Refusal {
    /// The address is not one of this host's (`inet_addr_valid_or_nonlocal`, `ipv6_chk_addr`).
    AddressNotLocal,
    /// Duplicate address detection has not finished (`ipv6_chk_addr`, `IFA_F_TENTATIVE`).
    AddressTentative,
    /// The address belongs to another interface than the one bound to (`ipv6_chk_addr`).
    AddressOnOtherInterface,
    /// The namespace has no IPv6.
    NoIpv6,
    /// A mapped address on a `V6ONLY` socket (`__inet6_bind`).
    MappedOnV6Only,
    /// A TCP socket cannot bind a multicast address (`__inet6_bind`).
    Multicast,
    /// A link-local address says nothing without its interface (`__inet6_bind`).
    NeedsInterface,
    /// The interface does not exist (`__inet6_bind`).
    NoSuchInterface,
    /// The port is below `ip_unprivileged_port_start` and the capability is missing (`__inet_bind`).
    ReservedPort,
}

impl Refusal {
    /// The error that `bind()` (or `socket()`, for [`Self::NoIpv6`]) returns.
    pub const fn errno(self) -> Errno {
        match self {
            Self::AddressNotLocal | Self::AddressTentative | Self::AddressOnOtherInterface => {
                Errno::AddressNotAvailable
            }
            Self::NoIpv6 => Errno::FamilyNotSupported,
            Self::MappedOnV6Only | Self::Multicast | Self::NeedsInterface => Errno::InvalidArgument,
            Self::NoSuchInterface => Errno::NoSuchDevice,
            Self::ReservedPort => Errno::AccessDenied,
        }
    }
}

/// The checks in the kernel's order.
pub fn precheck(request: &Request, host: &Host, rules: Rules) -> Result<(), Refusal> {
    match request.address {
        IpAddr::V4(address) if rules.v4_checks_address_first => {
            v4_address(address, request, host)?;
            privilege(request, host, rules)
        }
        IpAddr::V4(address) => {
            privilege(request, host, rules)?;
            v4_address(address, request, host)
        }
        IpAddr::V6(_) if !host.ipv6 => Err(Refusal::NoIpv6),
        IpAddr::V6(address) => {
            if address.is_multicast() && request.transport == Transport::Tcp {
                return Err(Refusal::Multicast);
            }
            privilege(request, host, rules)?;
            v6_address(address, request, host)
        }
    }
}

fn privilege(request: &Request, host: &Host, rules: Rules) -> Result<(), Refusal> {
    let reserved = request.port.0 < host.sysctls.unprivileged_port_start && !request.port.is_any();
    if reserved && !request.may_bind_reserved && rules.reserved_ports_need_capability {
        return Err(Refusal::ReservedPort);
    }
    Ok(())
}

fn v4_address(address: Ipv4Addr, request: &Request, host: &Host) -> Result<(), Refusal> {
    let always = address.is_unspecified() || address.is_multicast() || address.is_broadcast();
    if always || host.sysctls.nonlocal_bind_v4 || request.options.free_bind {
        return Ok(());
    }
    match host.route_kind(address) {
        Some(LocalRouteKind::Local | LocalRouteKind::Broadcast) => Ok(()),
        Some(LocalRouteKind::Other) | None => Err(Refusal::AddressNotLocal),
    }
}

fn v6_address(address: Ipv6Addr, request: &Request, host: &Host) -> Result<(), Refusal> {
    if address.is_unspecified() {
        return Ok(());
    }
    if let Some(v4) = address.to_ipv4_mapped() {
        if request.options.v6only {
            return Err(Refusal::MappedOnV6Only);
        }
        interface_exists(request.options.device, host)?;
        return v4_address(v4, request, host);
    }
    if needs_interface(address) && request.options.device.is_none() {
        return Err(Refusal::NeedsInterface);
    }
    interface_exists(request.options.device, host)?;
    if address.is_multicast() || host.sysctls.nonlocal_bind_v6 || request.options.free_bind {
        return Ok(());
    }
    v6_is_ours(address, request.options.device, host)
}

fn interface_exists(device: Option<InterfaceIndex>, host: &Host) -> Result<(), Refusal> {
    match device {
        Some(index) if host.interface_name(index).is_none() => Err(Refusal::NoSuchInterface),
        _ => Ok(()),
    }
}

/// `__ipv6_addr_needs_scope_id`: link-local unicast, and multicast of interface or link scope.
const fn needs_interface(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    let multicast_scope = first & 0x000f;
    address.is_unicast_link_local()
        || (address.is_multicast() && (multicast_scope == 1 || multicast_scope == 2))
}

/// `ipv6_chk_addr` with `strict` 0: a global address counts on any interface, others on their own.
fn v6_is_ours(
    address: Ipv6Addr,
    device: Option<InterfaceIndex>,
    host: &Host,
) -> Result<(), Refusal> {
    let mut why = Refusal::AddressNotLocal;
    for ours in host.addresses.iter().filter(|ours| ours.address == address) {
        let elsewhere =
            ours.scope != Scope::Global && device.is_some_and(|device| device != ours.interface);
        if ours.tentative {
            why = Refusal::AddressTentative;
        } else if elsewhere {
            why = Refusal::AddressOnOtherInterface;
        } else {
            return Ok(());
        }
    }
    Err(why)
}
