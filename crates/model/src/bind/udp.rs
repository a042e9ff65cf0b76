//! UDP's own rules (`udp_lib_get_port`): no states, no listeners, and a walk that ends at the first answer.
//!
//! The kernel walks the sockets of the port and stops at the first that overlaps and does not share by
//! `SO_REUSEADDR`: if that one shares by `SO_REUSEPORT` the bind succeeds, whatever stands behind it. The order of
//! the walk is not visible, so where some would pass and others refuse, the ruling depends on it.

use super::Ruling;
use super::relation::{Hidden, Overlap, Relation, relation};
use super::rules::Rules;
use crate::facts::Socket;
use crate::request::Request;
use crate::truth::Truth;
use std::net::{IpAddr, Ipv4Addr};

pub(super) fn ruling(
    request: &Request,
    sockets: &[&Socket],
    present: &[usize],
    rules: Rules,
) -> Ruling {
    let mut walk = Walk::default();
    for &at in present {
        let (relation, stand_in) = relation_with_stand_in(request, sockets[at], rules);
        walk.meet(at, &relation, stand_in);
    }
    let crowded = crowded_wildcard(request, &walk, present);
    walk.outcome(crowded)
}

/// Whether this socket keeps the kernel from choosing its port. Here the walk does not end early: it marks every
/// port in use in a bitmap (`udp_lib_lport_inuse`).
pub(super) fn refuses(request: &Request, old: &Socket, rules: Rules) -> Truth {
    relation_with_stand_in(request, old, rules).0.conflict()
}

/// What the walk may meet: sockets that would refuse, that would pass, or either.
#[derive(Default)]
struct Walk {
    refuse: Vec<usize>,
    may_refuse: Vec<usize>,
    may_pass: bool,
    meets_wildcard: bool,
    hidden: Vec<Hidden>,
}

impl Walk {
    fn meet(&mut self, at: usize, relation: &Relation, stand_in: bool) {
        let survives = relation.overlaps.and(!relation.by_reuse_address);
        if survives == Truth::No {
            return;
        }
        self.may_pass |= relation.by_reuse_port != Truth::No;
        self.meets_wildcard |= !matches!(relation.overlap, Some(Overlap::NewIsWildcard));
        match survives.and(!relation.by_reuse_port) {
            Truth::Yes if !stand_in => self.refuse.push(at),
            Truth::No => {}
            Truth::Yes | Truth::Unknown => self.may_refuse.push(at),
        }
        for reason in &relation.hidden {
            self.note(*reason);
        }
        if stand_in {
            self.note(Hidden::UdpWalk);
        }
    }

    fn note(&mut self, reason: Hidden) {
        if !self.hidden.contains(&reason) {
            self.hidden.push(reason);
        }
    }

    fn outcome(mut self, crowded: bool) -> Ruling {
        if self.refuse.is_empty() && self.may_refuse.is_empty() {
            return Ruling::Free;
        }
        if !self.refuse.is_empty() && !self.may_pass && !crowded {
            return Ruling::Conflict { certain: self.refuse, possible: self.may_refuse };
        }
        if self.may_pass || crowded {
            self.note(Hidden::UdpWalk);
        }
        Ruling::DependsOn { hidden: self.hidden, certain: self.refuse, possible: self.may_refuse }
    }
}

/// With more than ten sockets in a slot the kernel changes to a second table, and kernels without the repair of
/// `inet_use_hash2_on_bind` for UDP then overlook specific addresses when a wildcard is asked for.
fn crowded_wildcard(request: &Request, walk: &Walk, present: &[usize]) -> bool {
    let wildcard = request.address.to_canonical().is_unspecified();
    wildcard && !walk.meets_wildcard && present.len() > SLOT_LIMIT
}

/// Unlike TCP, a walk compares a specific IPv4 address with the stand-in 127.0.0.6 of IPv6 sockets; whether it does
/// turns on how crowded the slot is, across all namespaces.
fn relation_with_stand_in(request: &Request, old: &Socket, rules: Rules) -> (Relation, bool) {
    let found = relation(request, old, rules);
    let asks_for_it = request.address.to_canonical() == IpAddr::V4(STAND_IN);
    let has_it = matches!(old.local.ip().to_canonical(), IpAddr::V6(ip) if !ip.is_unspecified());
    let v6only = old.known_v6only();
    if asks_for_it && has_it && found.overlaps == Truth::No && v6only != Truth::Yes {
        let overlaps = Truth::Unknown;
        return (Relation { overlaps, overlap: Some(Overlap::StandIn), ..found }, true);
    }
    (found, false)
}

/// `LOOPBACK4_IPV6`.
const STAND_IN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);
/// The number of sockets in a slot above which `udp_lib_get_port` uses its second table.
const SLOT_LIMIT: usize = 10;
