//! How one wanted bind stands to one socket that is already there: do their addresses overlap, and if they
//! do, may they share the port?

use super::rules::Rules;
use crate::facts::{Family, Kind, Socket};
use crate::ids::InterfaceIndex;
use crate::request::Request;
use crate::state::State;
use crate::truth::Truth;
use std::net::{IpAddr, Ipv6Addr};

/// How a wanted bind stands to one socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Relation {
    /// Why the addresses meet, or `None` when they cannot.
    pub overlap: Option<Overlap>,
    /// Whether they meet; unknown when it turns on a `V6ONLY` that is not visible.
    pub overlaps: Truth,
    /// Whether `SO_REUSEADDR` on both sides lets them share.
    pub by_reuse_address: Truth,
    /// Whether `SO_REUSEPORT` on both sides lets them share.
    pub by_reuse_port: Truth,
    /// What keeps them from sharing.
    pub barrier: Barrier,
    /// What would settle whatever is unknown.
    pub hidden: Vec<Hidden>,
}

/// Why two local addresses overlap.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Overlap {
    /// The same address, mapped or not.
    SameAddress,
    /// The old one is bound to the wildcard, which covers the new address.
    OldIsWildcard,
    /// The new one asks for the wildcard, which covers the old address.
    NewIsWildcard,
    /// Both are wildcards of one family.
    BothWildcard,
    /// The old one is an IPv6 wildcard without `V6ONLY`: it covers IPv4 too.
    OldIsDualStack,
    /// The new one is an IPv6 wildcard without `V6ONLY`: it asks for IPv4 too.
    NewIsDualStack,
    /// The old one is a connection between IPv6 addresses, for which the kernel stores an IPv4 stand-in
    /// (127.0.0.6), so that it stands against 0.0.0.0.
    StandIn,
}

/// What keeps two sockets with overlapping addresses from sharing the port.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Barrier {
    /// The old one listens, and `SO_REUSEADDR` does not help beside a listener.
    Listens,
    /// Both have `SO_REUSEPORT`, but their uids differ.
    OtherUser,
    /// The new one sets neither option.
    NewSetsNothing,
    /// The new one sets an option that the old one has not.
    OldLacksOption,
    /// The new one sets an option; whether the old one has it is not visible.
    OldOptionHidden,
    /// Nothing: they share.
    Nothing,
}

/// What the kernel does not show and the rule depends on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Hidden {
    /// `SO_REUSEADDR` of the socket that is there.
    OldReuseAddress,
    /// `SO_REUSEPORT` of the socket that is there.
    OldReusePort,
    /// `IPV6_V6ONLY` of the socket that is there.
    OldV6Only,
    /// The uid of the socket that is there.
    OldUid,
    /// Whether the port remembers a `SO_REUSEPORT` bind of this uid (`sk_reuseport_match`).
    ReusePortShortcut,
    /// Whether the port remembers that all its owners had `SO_REUSEADDR` (before Linux 6.8).
    ReuseAddressShortcut,
    /// In which order the kernel walks the sockets of a UDP port (`udp_lib_lport_inuse`).
    UdpWalk,
}

impl Relation {
    /// Whether the old socket stands against the new one.
    pub fn conflict(&self) -> Truth {
        self.overlaps.and(!self.by_reuse_address.or(self.by_reuse_port))
    }
}

/// How `request` stands to `old`; both are taken to be of one transport and port.
pub fn relation(request: &Request, old: &Socket, rules: Rules) -> Relation {
    let (overlaps, overlap) = overlap(request, old, rules);
    let reuse_address = old.options.reuse_address;
    let reuse_port = old.options.reuse_port;
    let beside_listener = old.state == State::Listen && rules.listener_refuses_reuse_address;
    let by_reuse_address = Truth::from(request.options.reuse_address && !beside_listener)
        .and(needed(reuse_address, rules.reuse_address_needs_both));
    let uid = same_uid(request, old, rules);
    let by_reuse_port = Truth::from(request.options.reuse_port)
        .and(needed(reuse_port, rules.reuse_port_needs_both))
        .and(uid);
    let mut relation = Relation {
        overlap,
        overlaps,
        by_reuse_address,
        by_reuse_port,
        barrier: Barrier::Nothing,
        hidden: Vec::new(),
    };
    if relation.conflict() != Truth::No {
        relation.barrier = barrier(request, &relation, reuse_port.and(!uid), beside_listener);
        relation.hidden = hidden(&relation, request, old, uid);
    }
    relation
}

fn needed(option: Truth, needed: bool) -> Truth {
    if needed { option } else { Truth::Yes }
}

fn same_uid(request: &Request, old: &Socket, rules: Rules) -> Truth {
    if !rules.reuse_port_needs_same_uid {
        return Truth::Yes;
    }
    match (old.kind, old.uid) {
        (Kind::Minisock, _) => Truth::from(rules.minisock_passes_any_uid),
        (Kind::Full | Kind::Request, Some(uid)) => Truth::from(uid == request.uid),
        (Kind::Full | Kind::Request, None) => Truth::Unknown,
    }
}

fn barrier(
    request: &Request,
    relation: &Relation,
    other_user: Truth,
    beside_listener: bool,
) -> Barrier {
    let wants = request.options;
    if relation.by_reuse_address.or(relation.by_reuse_port) == Truth::Unknown {
        Barrier::OldOptionHidden
    } else if wants.reuse_port && other_user == Truth::Yes {
        Barrier::OtherUser
    } else if beside_listener {
        Barrier::Listens
    } else if wants.reuse_address || wants.reuse_port {
        Barrier::OldLacksOption
    } else {
        Barrier::NewSetsNothing
    }
}

fn hidden(relation: &Relation, request: &Request, old: &Socket, uid: Truth) -> Vec<Hidden> {
    let mut hidden = Vec::new();
    if relation.conflict() != Truth::Unknown {
        return hidden;
    }
    if relation.by_reuse_address == Truth::Unknown {
        hidden.push(Hidden::OldReuseAddress);
    }
    if request.options.reuse_port && old.options.reuse_port == Truth::Unknown && uid != Truth::No {
        hidden.push(Hidden::OldReusePort);
    }
    if request.options.reuse_port && uid == Truth::Unknown {
        hidden.push(Hidden::OldUid);
    }
    if relation.overlaps == Truth::Unknown {
        hidden.push(Hidden::OldV6Only);
    }
    hidden
}

/// Whether the two local addresses collide, interfaces included, and by which rule.
pub(super) fn overlap(request: &Request, old: &Socket, rules: Rules) -> (Truth, Option<Overlap>) {
    if rules.devices_separate && on_different_devices(request.options.device, old.device) {
        return (Truth::No, None);
    }
    let readings =
        old.known_v6only().readings().iter().map(|&v6only| meet(request, old, v6only, rules));
    let found: Vec<Option<Overlap>> = readings.collect();
    let meets = found.iter().flatten().next().copied();
    let truth = match (meets, found.contains(&None)) {
        (None, _) => Truth::No,
        (Some(_), true) => Truth::Unknown,
        (Some(_), false) => Truth::Yes,
    };
    (truth, meets)
}

fn on_different_devices(new: Option<InterfaceIndex>, old: Option<InterfaceIndex>) -> bool {
    matches!((new, old), (Some(new), Some(old)) if new != old)
}

/// The table of overlaps, for one reading of the old socket's `V6ONLY`.
///
/// A specific new address looks into its own address bucket and the wildcard buckets
/// (`inet_bhash2_conflict`, `inet_bhash2_addr_any_conflict`); a wildcard walks every owner
/// (`inet_rcv_saddr_equal`).
fn meet(request: &Request, old: &Socket, old_v6only: bool, rules: Rules) -> Option<Overlap> {
    let new = Reach::of(request.address);
    let there = Reach::of(old.local.ip());
    let spared = old_v6only && rules.v6only_spares_v4;
    match new {
        Reach::Any4 => any4_meets(there, spared, rules),
        Reach::AnyMapped => match there {
            Reach::Specific6(_) => None,
            _ => any4_meets(there, spared, rules),
        },
        Reach::Specific4(_) => match there {
            _ if there == new => Some(Overlap::SameAddress),
            Reach::AnyMapped if misses_mapped_wildcard(request, old, rules) => None,
            Reach::Any4 | Reach::AnyMapped => {
                rules.wildcard_covers_specific.then_some(Overlap::OldIsWildcard)
            }
            Reach::Any6 if !spared => rules.dual_stack_covers_v4.then_some(Overlap::OldIsDualStack),
            Reach::Any6 | Reach::Specific4(_) | Reach::Specific6(_) => None,
        },
        Reach::Any6 => any6_meets(there, request.options.v6only, rules),
        Reach::Specific6(_) => match there {
            _ if there == new => Some(Overlap::SameAddress),
            Reach::Any6 => rules.wildcard_covers_specific.then_some(Overlap::OldIsWildcard),
            Reach::Any4 | Reach::AnyMapped | Reach::Specific4(_) | Reach::Specific6(_) => None,
        },
    }
}

fn any4_meets(there: Reach, spared: bool, rules: Rules) -> Option<Overlap> {
    match there {
        Reach::Any4 | Reach::AnyMapped => Some(Overlap::BothWildcard),
        Reach::Specific4(_) => rules.wildcard_covers_specific.then_some(Overlap::NewIsWildcard),
        Reach::Any6 if !spared => rules.dual_stack_covers_v4.then_some(Overlap::OldIsDualStack),
        Reach::Specific6(_) if !spared => rules.loopback_stand_in.then_some(Overlap::StandIn),
        Reach::Any6 | Reach::Specific6(_) => None,
    }
}

fn any6_meets(there: Reach, new_v6only: bool, rules: Rules) -> Option<Overlap> {
    match there {
        Reach::Any6 => Some(Overlap::BothWildcard),
        Reach::Specific6(_) => rules.wildcard_covers_specific.then_some(Overlap::NewIsWildcard),
        Reach::Any4 | Reach::AnyMapped | Reach::Specific4(_) if new_v6only => None,
        Reach::Any4 | Reach::AnyMapped | Reach::Specific4(_) => {
            rules.dual_stack_covers_v4.then_some(Overlap::NewIsDualStack)
        }
    }
}

/// Before 6.9 an IPv6 socket on a mapped address did not see another IPv6 socket on `::ffff:0.0.0.0`.
fn misses_mapped_wildcard(request: &Request, old: &Socket, rules: Rules) -> bool {
    !rules.mapped_sees_mapped_wildcard && request.family() == Family::V6 && old.family == Family::V6
}

/// What an address covers. IPv4 addresses live in the mapped part of the IPv6 space (`bhash2`), so 127.0.0.1
/// and `::ffff:127.0.0.1` are one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reach {
    Any4,
    AnyMapped,
    Any6,
    Specific4(u32),
    Specific6(Ipv6Addr),
}

impl Reach {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) if v4.is_unspecified() => Self::Any4,
            IpAddr::V4(v4) => Self::Specific4(v4.into()),
            IpAddr::V6(v6) if v6.is_unspecified() => Self::Any6,
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) if v4.is_unspecified() => Self::AnyMapped,
                Some(v4) => Self::Specific4(v4.into()),
                None => Self::Specific6(v6),
            },
        }
    }
}
