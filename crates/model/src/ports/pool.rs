//! Local ports lent toward destinations, never one whose last connection there still holds the four-tuple.
//!
//! `TIME_WAIT` keeps a four-tuple, not a port (RFC 9293 §3.6.1): a port that is in quarantine toward one destination
//! serves every other. Which ports there are may change while some are lent: one that is withdrawn is lent no more and is
//! idle when its last loan ends. A port may also be lent to listen on; it then serves no destination meanwhile.
//! Nothing here knows what time it is, draws lots or opens a socket.

use super::ledger::{Cause, Ledger, Slot};
use super::others::Others;
use super::standing::Standing;
use super::terms::{Afterwards, Choice, Hold, Local, QUARANTINE, Withdrawn};
use crate::ids::Port;
use crate::tcp::moment::Moment;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// Ports, and what each of them does toward each destination.
///
/// ```
/// use lastack_model::ids::Port;
/// use lastack_model::ports::{Afterwards, Choice, Local, Pool};
/// use lastack_model::tcp::moment::Moment;
///
/// let mut pool = Pool::new([Port(1022), Port(1023)]);
/// let (one, other) = ("192.0.2.1:514".parse().unwrap(), "192.0.2.2:514".parse().unwrap());
/// let at = Moment::of_secs;
/// let (first, second) = (Local::any(Port(1022)), Local::any(Port(1023)));
///
/// assert_eq!(pool.take(one, at(0)), Choice::Take(first));
/// pool.give_back(one, first, Afterwards::TimeWait, at(1));
/// assert_eq!(pool.take(one, at(1)), Choice::Take(second));
/// // Both are spent toward this destination, and neither toward the other.
/// assert_eq!(pool.take(one, at(2)), Choice::DryUntil(Some(at(66))));
/// assert_eq!(pool.take(other, at(2)), Choice::Take(first));
/// assert_eq!(pool.take(one, at(66)), Choice::Take(first));
/// ```
#[derive(Clone, Debug)]
pub struct Pool {
    /// `None`: whichever the kernel chooses.
    addresses: Vec<Option<IpAddr>>,
    ports: BTreeMap<Port, Condition>,
    ledgers: HashMap<SocketAddr, Ledger>,
    others: Others,
    /// From where on the next port to listen on is looked for.
    cursor: Port,
    seed: u64,
}

/// What a port does, whatever the destination.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Condition {
    allowed: bool,
    /// Toward how many destinations it is lent.
    lent: u32,
    listening: bool,
    /// It is not listened on before.
    listen_from: Moment,
}

impl Pool {
    /// A pool of these ports, all allowed, of whichever address the kernel chooses; each counts once.
    pub fn new(ports: impl IntoIterator<Item = Port>) -> Self {
        let allowed = Condition { allowed: true, ..Condition::default() };
        let ports: BTreeMap<_, _> = ports.into_iter().map(|port| (port, allowed)).collect();
        Self {
            addresses: vec![None],
            cursor: ports.keys().next().copied().unwrap_or_default(),
            ports,
            ledgers: HashMap::new(),
            others: Others::default(),
            seed: 0,
        }
    }

    /// The same with these local addresses. Each has every port; an address serves destinations of its family alone.
    #[must_use]
    pub fn with_addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut all: Vec<_> = addresses.into_iter().map(|address| address.to_canonical()).collect();
        all.sort_unstable();
        all.dedup();
        if !all.is_empty() {
            self.addresses = all.into_iter().map(Some).collect();
        }
        self
    }

    /// The same, beginning toward each destination with a port that this number chooses instead of the lowest: programs
    /// that start one after the other with the same port meet each other's remains.
    #[must_use]
    pub fn starting_at(mut self, seed: u64) -> Self {
        self.seed = seed;
        let at = seed.checked_rem(self.ports.len() as u64).unwrap_or_default();
        self.cursor = self.ports.keys().nth(at as usize).copied().unwrap_or_default();
        self
    }

    /// How many local ends it may lend: ports that are allowed, times addresses.
    pub fn size(&self) -> usize {
        self.allowed().count() * self.addresses.len()
    }

    /// The ports that are allowed.
    pub fn allowed(&self) -> impl Iterator<Item = Port> {
        self.ports.iter().filter(|(_, port)| port.allowed).map(|(port, _)| *port)
    }

    /// Whether this port is lent at present.
    pub fn is_allowed(&self, port: Port) -> bool {
        self.ports.get(&port).is_some_and(|port| port.allowed)
    }

    /// How many destinations it remembers.
    pub fn destinations(&self) -> usize {
        self.ledgers.len()
    }

    /// Lends this port from now on; a quarantine of it goes on.
    pub fn allow(&mut self, port: Port) {
        let is_new = !self.ports.contains_key(&port);
        self.ports.entry(port).or_default().allowed = true;
        if is_new {
            for (destination, ledger) in &mut self.ledgers {
                ledger.free.extend(slots_toward(*destination, &self.addresses, port));
            }
        } else {
            self.call_up(port);
        }
    }

    /// Lends this port no more.
    pub fn withdraw(&mut self, port: Port) -> Withdrawn {
        if let Some(condition) = self.ports.get_mut(&port) {
            condition.allowed = false;
        }
        if self.is_idle(port) { Withdrawn::Idle } else { Withdrawn::InUse }
    }

    /// Whether a port is lent toward no destination and not listened on.
    pub fn is_idle(&self, port: Port) -> bool {
        self.ports.get(&port).is_none_or(|port| port.lent == 0 && !port.listening)
    }

    /// Lends a port toward this destination: the one that has been free for longest, so that all are used alike and each
    /// rests as long as can be.
    pub fn take(&mut self, destination: SocketAddr, now: Moment) -> Choice {
        let destination = same(destination);
        let (ports, addresses, seed) = (&self.ports, &self.addresses, self.seed);
        let ledger = self.ledgers.entry(destination).or_insert_with(|| {
            let all = ports.keys().flat_map(|port| slots_toward(destination, addresses, *port));
            Ledger::of(all, seed)
        });
        ledger.release(now);
        while let Some(slot) = ledger.free.pop_front() {
            if !ports.get(&slot.port).is_some_and(Condition::is_lendable) {
                ledger.parked.insert(slot);
                continue;
            }
            let local = local(addresses, slot);
            if let Some((until, cause)) = self.others.against(destination, local, now) {
                ledger.keep(slot, until, cause);
                continue;
            }
            ledger.lent.insert(slot);
            self.ports.entry(slot.port).or_default().lent += 1;
            return Choice::Take(local);
        }
        let is_lendable = |slot: Slot| ports.get(&slot.port).is_some_and(Condition::is_lendable);
        Choice::DryUntil(ledger.next_end(is_lendable))
    }

    /// Takes back what was lent toward this destination. What was not is ignored.
    pub fn give_back(
        &mut self,
        destination: SocketAddr,
        local: Local,
        afterwards: Afterwards,
        now: Moment,
    ) {
        let Some(slot) = self.slot(local) else { return };
        let Some(ledger) = self.ledgers.get_mut(&same(destination)) else { return };
        if !ledger.lent.remove(&slot) {
            return;
        }
        if let Some(condition) = self.ports.get_mut(&slot.port) {
            condition.lent -= 1;
        }
        match afterwards {
            Afterwards::Nothing => ledger.free.push_back(slot),
            Afterwards::TimeWait | Afterwards::StillClosing | Afterwards::Refused => {
                ledger.keep(slot, now + afterwards.quarantine(), afterwards.cause());
            }
        }
    }

    /// Lends a port to listen on. It serves no destination until [`end_listening`](Self::end_listening). One that is lent
    /// nowhere is preferred; connections that it has may go on (`inet_bind_conflict` minds listeners alone, where both have
    /// `SO_REUSEADDR`).
    pub fn take_to_listen(&mut self, now: Moment) -> Choice {
        let usable = || self.listenable(now);
        let now_usable = || usable().filter(|(_, condition)| condition.listen_from <= now);
        let idle = now_usable().find(|(_, condition)| condition.lent == 0);
        let Some((port, _)) = idle.or_else(|| now_usable().next()) else {
            let rested = usable().map(|(_, condition)| condition.listen_from);
            let held = self.allowed().filter_map(|port| self.others.holds(port, now));
            let held = held.map(|(end, _)| end);
            return Choice::DryUntil(rested.chain(held).filter(|end| *end > now).min());
        };
        self.ports.entry(port).or_default().listening = true;
        self.cursor = Port(port.0.wrapping_add(1));
        Choice::Take(Local::any(port))
    }

    /// Whether there is a port to listen on.
    pub fn may_listen(&self, now: Moment) -> bool {
        self.listenable(now).any(|(_, condition)| condition.listen_from <= now)
    }

    /// Takes back a port that was lent to listen on. Nobody is to listen on it again before that moment; toward
    /// destinations it is free at once.
    pub fn end_listening(&mut self, port: Port, again_from: Moment) {
        let Some(condition) = self.ports.get_mut(&port).filter(|port| port.listening) else {
            return;
        };
        condition.listening = false;
        condition.listen_from = again_from;
        self.call_up(port);
    }

    /// Others hold this four-tuple until then, as far as is known. One that is lent is this pool's own and not kept.
    pub fn keep(&mut self, destination: SocketAddr, address: IpAddr, port: Port, until: Moment) {
        let is_own = self.ledgers.get(&same(destination)).is_some_and(|ledger| {
            let owns = |own: Option<IpAddr>| own.is_none_or(|own| own == address.to_canonical());
            let mut lent = ledger.lent.iter().filter(|slot| slot.port == port);
            lent.any(|slot| owns(local(&self.addresses, *slot).address))
        });
        if !is_own {
            self.others.keep(destination, address, port, until);
        }
    }

    /// Others hold this port of this address until then, whatever the destination. An unspecified address is every one.
    pub fn hold(&mut self, address: IpAddr, port: Port, until: Moment, by: Hold) {
        self.others.hold(address, port, until, by);
    }

    /// Whether anything is kept or held.
    pub fn heeds_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Forgets what was said by [`keep`](Self::keep) and [`hold`](Self::hold), to be told anew.
    pub fn forget_others(&mut self) {
        self.others = Others::default();
        for ledger in self.ledgers.values_mut() {
            ledger.release_others();
        }
    }

    /// Keeps the ports that the kernel refused for as long as others are known by now to have them.
    pub fn explain_refusals(&mut self, now: Moment) {
        for (destination, ledger) in &mut self.ledgers {
            let (others, addresses) = (&self.others, &self.addresses);
            let known = |slot| others.against(*destination, local(addresses, slot), now);
            ledger.explain_refusals(known);
        }
    }

    /// How it stands toward this destination.
    pub fn standing(&self, destination: SocketAddr, now: Moment) -> Standing {
        let destination = same(destination);
        let mut standing = Standing::default();
        let ledger = self.ledgers.get(&destination);
        let mut ends = Vec::new();
        for (port, condition) in self.ports.iter().filter(|(_, port)| port.allowed) {
            for slot in slots_toward(destination, &self.addresses, *port) {
                let local = local(&self.addresses, slot);
                let others = || self.others.against(destination, local, now);
                if ledger.is_some_and(|ledger| ledger.lent.contains(&slot)) {
                    standing.lent += 1;
                } else if condition.listening {
                    standing.listening += 1;
                } else if let Some((end, cause)) =
                    ledger.and_then(|ledger| ledger.kept(slot, now)).or_else(others)
                {
                    standing.count(cause);
                    ends.push(end);
                } else {
                    standing.free += 1;
                }
            }
        }
        standing.expect(&ends, now);
        standing.bearable_per_1000_s = standing.size() as u64 * 1_000_000_000 / QUARANTINE.0;
        standing
    }

    /// How it stands for who wants a port to listen on, each counted once: connections are in nobody's way.
    pub fn standing_to_listen(&self, now: Moment) -> Standing {
        let mut standing = Standing::default();
        let mut ends = Vec::new();
        for (port, condition) in self.ports.iter().filter(|(_, port)| port.allowed) {
            if condition.listening {
                standing.listening += 1;
            } else if let Some((end, by)) = self.others.holds(*port, now) {
                standing.count(Cause::Held(by));
                ends.push(end);
            } else if condition.listen_from > now {
                standing.resting += 1;
                ends.push(condition.listen_from);
            } else {
                standing.free += 1;
            }
        }
        standing.expect(&ends, now);
        standing
    }

    /// Forgets the destinations toward which nothing is lent nor in quarantine, and in which order their ports were used.
    /// Returns how many are left.
    pub fn forget_idle(&mut self, now: Moment) -> usize {
        self.ledgers.retain(|_, ledger| {
            ledger.release(now);
            !ledger.is_idle()
        });
        self.ledgers.len()
    }

    /// The ports that may be listened on once they have rested, beginning where the last one was found.
    fn listenable(&self, now: Moment) -> impl Iterator<Item = (Port, Condition)> {
        let round = self.ports.range(self.cursor..).chain(self.ports.range(..self.cursor));
        round.map(|(port, condition)| (*port, *condition)).filter(move |(port, condition)| {
            condition.is_lendable() && self.others.holds(*port, now).is_none()
        })
    }

    /// A port may be lent again: where it was passed over meanwhile, it stands in line.
    fn call_up(&mut self, port: Port) {
        if !self.ports.get(&port).is_some_and(Condition::is_lendable) {
            return;
        }
        for ledger in self.ledgers.values_mut() {
            for address in 0..self.addresses.len() {
                let slot = Slot { address: address as u16, port };
                if ledger.parked.remove(&slot) {
                    ledger.free.push_back(slot);
                }
            }
        }
    }

    fn slot(&self, local: Local) -> Option<Slot> {
        let address = self.addresses.iter().position(|address| *address == local.address)?;
        Some(Slot { address: address as u16, port: local.port })
    }
}

impl Condition {
    const fn is_lendable(&self) -> bool {
        self.allowed && !self.listening
    }
}

/// The local ends with this port that can reach this destination.
fn slots_toward(
    destination: SocketAddr,
    addresses: &[Option<IpAddr>],
    port: Port,
) -> impl Iterator<Item = Slot> {
    let fits = move |address: &Option<IpAddr>| {
        address.is_none_or(|address| address.is_ipv4() == destination.is_ipv4())
    };
    let fitting = addresses.iter().enumerate().filter(move |(_, address)| fits(address));
    fitting.map(move |(index, _)| Slot { address: index as u16, port })
}

fn local(addresses: &[Option<IpAddr>], slot: Slot) -> Local {
    let address = addresses.get(usize::from(slot.address)).copied().flatten();
    Local { address, port: slot.port }
}

/// One form for destinations that the kernel does not tell apart.
fn same(destination: SocketAddr) -> SocketAddr {
    match (destination.ip().to_canonical(), destination) {
        (IpAddr::V6(address), SocketAddr::V6(v6)) => {
            SocketAddrV6::new(address, v6.port(), 0, v6.scope_id()).into()
        }
        (address, _) => SocketAddr::new(address, destination.port()),
    }
}

#[cfg(test)]
mod tests;
