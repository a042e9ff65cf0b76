//! Local ports lent toward destinations, never one whose last connection there still holds the four-tuple.
//!
//! `TIME_WAIT` keeps a four-tuple, not a port (RFC 9293 §3.6.1): a port that is in quarantine toward one destination
//! serves every other. The ledger of a destination has all ports in one of three places: free, in the order in which they
//! came free; lent; in quarantine until a moment. Nothing here knows what time it is or opens a socket.

use crate::ids::Port;
use crate::lifetime::{TIME_WAIT_MS, TIMER_SLACK_MS};
use crate::tcp::moment::Moment;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;

/// Ports, and what each of them does toward each destination.
///
/// ```
/// use lastack_model::ids::Port;
/// use lastack_model::ports::{Afterwards, Choice, Pool};
/// use lastack_model::tcp::moment::Moment;
///
/// let mut pool = Pool::new([Port(1022), Port(1023)]);
/// let (one, other) = ("192.0.2.1:514".parse().unwrap(), "192.0.2.2:514".parse().unwrap());
/// let at = Moment::of_secs;
///
/// assert_eq!(pool.take(one, at(0)), Choice::Take(Port(1022)));
/// pool.give_back(one, Port(1022), Afterwards::TimeWait, at(1));
/// assert_eq!(pool.take(one, at(1)), Choice::Take(Port(1023)));
/// // Both are spent toward this destination, and neither toward the other.
/// assert_eq!(pool.take(one, at(2)), Choice::DryUntil(Some(at(66))));
/// assert_eq!(pool.take(other, at(2)), Choice::Take(Port(1022)));
/// assert_eq!(pool.take(one, at(66)), Choice::Take(Port(1022)));
/// ```
#[derive(Clone, Debug)]
pub struct Pool {
    ports: Vec<Port>,
    ledgers: HashMap<SocketAddr, Ledger>,
}

/// The ports toward one destination.
#[derive(Clone, Debug)]
struct Ledger {
    free: VecDeque<Port>,
    lent: BTreeSet<Port>,
    /// By the moment at which it ends, and in the order in which they came.
    quarantine: BTreeMap<(Moment, u64), Port>,
    sequence: u64,
}

/// A port, or when to ask again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Choice {
    /// This port, which is lent from now on.
    Take(Port),
    /// None is free. The next comes out of quarantine at this moment, or earlier if one that is lent comes back; `None`
    /// when all are lent.
    DryUntil(Option<Moment>),
}

/// What became of the four-tuple when its connection ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Afterwards {
    /// Nothing of it is left here: the peer closed first and keeps `TIME_WAIT`, or it was reset, or never came about. The
    /// port may be used again at once. (That the peer's `TIME_WAIT` takes a new SYN is RFC 9293's MAY-2; Linux does.)
    Nothing,
    /// `TIME_WAIT` is here, or cannot be ruled out.
    TimeWait,
    /// The kernel still closes it alone: a `FIN_WAIT_2` of up to a minute may come before the `TIME_WAIT`.
    StillClosing,
    /// Somebody else has it, for how long is not known: another program on the port, or a four-tuple that is taken.
    Refused,
}

/// How a pool stands toward one destination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Standing {
    /// Ports that may be taken now.
    pub free: usize,
    /// Ports that are lent.
    pub lent: usize,
    /// Ports in quarantine.
    pub quarantined: usize,
    /// New connections per second that it can bear for ever when this side always closes first, in thousandths.
    pub bearable_per_1000_s: u64,
}

impl Afterwards {
    /// How long the port is kept from this destination.
    pub const fn quarantine(self) -> Moment {
        match self {
            Self::Nothing => Moment(0),
            Self::TimeWait => QUARANTINE,
            Self::StillClosing => Moment(QUARANTINE.0 + FIN_WAIT_2.0),
            Self::Refused => REFUSED,
        }
    }
}

impl Pool {
    /// A pool of these ports; each counts once.
    pub fn new(ports: impl IntoIterator<Item = Port>) -> Self {
        let mut seen = BTreeSet::new();
        let ports = ports.into_iter().filter(|port| seen.insert(*port)).collect();
        Self { ports, ledgers: HashMap::new() }
    }

    /// How many ports it has.
    pub const fn size(&self) -> usize {
        self.ports.len()
    }

    /// How many destinations it remembers.
    pub fn destinations(&self) -> usize {
        self.ledgers.len()
    }

    /// Lends a port toward this destination: the one that has been free for longest, so that all are used alike and each
    /// rests as long as can be.
    pub fn take(&mut self, destination: SocketAddr, now: Moment) -> Choice {
        let ports = &self.ports;
        let ledger = self.ledgers.entry(destination).or_insert_with(|| Ledger::of(ports));
        ledger.release(now);
        match ledger.free.pop_front() {
            Some(port) => {
                ledger.lent.insert(port);
                Choice::Take(port)
            }
            None => Choice::DryUntil(ledger.next_end()),
        }
    }

    /// Takes back a port that was lent toward this destination. One that was not is ignored.
    pub fn give_back(
        &mut self,
        destination: SocketAddr,
        port: Port,
        afterwards: Afterwards,
        now: Moment,
    ) {
        let Some(ledger) = self.ledgers.get_mut(&destination) else { return };
        if !ledger.lent.remove(&port) {
            return;
        }
        match afterwards {
            Afterwards::Nothing => ledger.free.push_back(port),
            Afterwards::TimeWait | Afterwards::StillClosing | Afterwards::Refused => {
                ledger.sequence += 1;
                let end = now + afterwards.quarantine();
                ledger.quarantine.insert((end, ledger.sequence), port);
            }
        }
    }

    /// How it stands toward this destination.
    pub fn standing(&self, destination: SocketAddr, now: Moment) -> Standing {
        let (lent, quarantined) = self.ledgers.get(&destination).map_or((0, 0), |ledger| {
            let over = ledger.quarantine.range(..=(now, u64::MAX)).count();
            (ledger.lent.len(), ledger.quarantine.len() - over)
        });
        let size = self.size();
        Standing {
            free: size - lent - quarantined,
            lent,
            quarantined,
            bearable_per_1000_s: size as u64 * 1_000_000_000 / QUARANTINE.0,
        }
    }

    /// Forgets the destinations toward which nothing is lent nor in quarantine, and in which order their ports were used.
    /// Returns how many are left.
    pub fn forget_idle(&mut self, now: Moment) -> usize {
        self.ledgers.retain(|_, ledger| {
            ledger.release(now);
            !ledger.lent.is_empty() || !ledger.quarantine.is_empty()
        });
        self.ledgers.len()
    }
}

impl Ledger {
    fn of(ports: &[Port]) -> Self {
        Self {
            free: ports.iter().copied().collect(),
            lent: BTreeSet::new(),
            quarantine: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Frees the ports whose quarantine is over, in the order of their ends.
    fn release(&mut self, now: Moment) {
        while let Some(entry) = self.quarantine.first_entry()
            && entry.key().0 <= now
        {
            self.free.push_back(entry.remove());
        }
    }

    fn next_end(&self) -> Option<Moment> {
        self.quarantine.keys().next().map(|(end, _)| *end)
    }
}

/// `TIME_WAIT` and what its timer may be late by, and 2 s more: after 61.5 s Linux still refused one in eight.
const QUARANTINE: Moment = Moment::of_millis(TIME_WAIT_MS + TIMER_SLACK_MS + 2000);
/// The default of `tcp_fin_timeout`.
const FIN_WAIT_2: Moment = Moment::of_secs(60);
/// A port that somebody else has is looked at again after this.
const REFUSED: Moment = Moment::of_secs(2);

#[cfg(test)]
mod tests;
