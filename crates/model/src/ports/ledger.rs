//! The local ends toward one destination: each in one of four places, and what keeps those in quarantine.

use super::terms::Hold;
use crate::ids::Port;
use crate::tcp::moment::Moment;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// A local end by the number of its address.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Slot {
    pub(super) address: u16,
    pub(super) port: Port,
}

#[derive(Clone, Debug)]
pub(super) struct Ledger {
    /// In the order in which they came free.
    pub(super) free: VecDeque<Slot>,
    pub(super) lent: BTreeSet<Slot>,
    /// Passed over, since their ports serve no destination at present.
    pub(super) parked: BTreeSet<Slot>,
    /// By the moment at which it ends, and in the order in which they came.
    quarantine: BTreeMap<(Moment, u64), (Slot, Cause)>,
    ends: HashMap<Slot, (Moment, u64)>,
    sequence: u64,
}

/// Why a local end is in quarantine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    /// A connection of this pool left something.
    Own,
    /// The kernel refused it.
    Refused,
    /// Somebody else's connection toward the same destination left something.
    Foreign,
    /// Somebody else has the port.
    Held(Hold),
}

impl Ledger {
    /// All free, beginning somewhere.
    pub(super) fn of(slots: impl Iterator<Item = Slot>, seed: u64) -> Self {
        let mut free: VecDeque<Slot> = slots.collect();
        let start = seed.checked_rem(free.len() as u64).unwrap_or_default();
        free.rotate_left(start as usize);
        Self {
            free,
            lent: BTreeSet::new(),
            parked: BTreeSet::new(),
            quarantine: BTreeMap::new(),
            ends: HashMap::new(),
            sequence: 0,
        }
    }

    pub(super) fn keep(&mut self, slot: Slot, until: Moment, cause: Cause) {
        self.sequence += 1;
        self.quarantine.insert((until, self.sequence), (slot, cause));
        self.ends.insert(slot, (until, self.sequence));
    }

    /// Frees the ports whose quarantine is over, in the order of their ends.
    pub(super) fn release(&mut self, now: Moment) {
        while let Some(entry) = self.quarantine.first_entry()
            && entry.key().0 <= now
        {
            let (slot, _) = entry.remove();
            self.ends.remove(&slot);
            self.free.push_back(slot);
        }
    }

    /// Frees those that others are said to hold.
    pub(super) fn release_others(&mut self) {
        let (free, ends) = (&mut self.free, &mut self.ends);
        self.quarantine.retain(|_, (slot, cause)| match cause {
            Cause::Own | Cause::Refused => true,
            Cause::Foreign | Cause::Held(_) => {
                ends.remove(slot);
                free.push_back(*slot);
                false
            }
        });
    }

    /// Keeps what the kernel refused for as long as is known by now.
    pub(super) fn explain_refusals(&mut self, known: impl Fn(Slot) -> Option<(Moment, Cause)>) {
        let refused = |(key, (slot, cause)): (&(Moment, u64), &(Slot, Cause))| {
            (*cause == Cause::Refused).then_some((*key, *slot))
        };
        let refused: Vec<_> = self.quarantine.iter().filter_map(refused).collect();
        for (key, slot) in refused {
            if let Some((until, cause)) = known(slot).filter(|(until, _)| *until > key.0) {
                self.quarantine.remove(&key);
                self.keep(slot, until, cause);
            }
        }
    }

    pub(super) fn next_end(&self, is_lendable: impl Fn(Slot) -> bool) -> Option<Moment> {
        let mut entries = self.quarantine.iter();
        entries.find(|(_, (slot, _))| is_lendable(*slot)).map(|((end, _), _)| *end)
    }

    /// Until when and why a local end is in quarantine.
    pub(super) fn kept(&self, slot: Slot, now: Moment) -> Option<(Moment, Cause)> {
        let key = self.ends.get(&slot).filter(|(end, _)| *end > now)?;
        self.quarantine.get(key).map(|(_, cause)| (key.0, *cause))
    }

    /// Whether it may be forgotten: what others hold is known elsewhere.
    pub(super) fn is_idle(&self) -> bool {
        let is_own = |(_, cause): &(Slot, Cause)| matches!(cause, Cause::Own | Cause::Refused);
        self.lent.is_empty() && !self.quarantine.values().any(is_own)
    }
}
