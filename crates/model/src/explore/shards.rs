//! The states that were found, in tables that threads fill side by side: a state belongs to one shard by its hash, and
//! each shard is filled in the same order whatever the number of threads.

use super::{Space, joined};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

/// A state, by its shard and its place there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Id(u32);

/// A successor that was found, and where from.
#[derive(Debug)]
pub(super) struct Found<S: Space> {
    from: Id,
    action: S::Action,
    state: S::State,
    hash: u64,
}

/// All states.
#[derive(Debug)]
pub(super) struct Shards<S: Space> {
    shards: Vec<Shard<S>>,
}

/// The states of one shard.
#[derive(Debug)]
struct Shard<S: Space> {
    states: Vec<S::State>,
    origins: Vec<Option<(Id, S::Action)>>,
    /// Open addressing: the place of a state plus one, 0 where there is none.
    table: Vec<u32>,
}

/// Where each state stands in the order of finding.
pub(super) struct Positions(Vec<Vec<u32>>);

impl Id {
    const fn new(shard: usize, place: usize) -> Self {
        Self((place as u32) << SHARD_BITS | shard as u32)
    }

    const fn shard(self) -> usize {
        self.0 as usize & (SHARDS - 1)
    }

    const fn place(self) -> usize {
        self.0 as usize >> SHARD_BITS
    }
}

impl<S: Space> Found<S> {
    pub(super) fn new(from: Id, action: S::Action, state: S::State) -> Self {
        Self { from, action, state, hash: hash(&state) }
    }
}

impl<S: Space> Shards<S> {
    pub(super) fn new() -> Self {
        let empty = || Shard { states: Vec::new(), origins: Vec::new(), table: vec![0; 64] };
        Self { shards: (0..SHARDS).map(|_| empty()).collect() }
    }

    /// The first state, which comes from nowhere.
    pub(super) fn begin(&mut self, state: S::State) -> Id {
        let hash = hash(&state);
        let shard = shard_of(hash);
        let place = self.shards[shard].add(state, hash, None).unwrap_or(0);
        Id::new(shard, place)
    }

    /// Takes in what is new of the states that were found, and returns where they are.
    pub(super) fn insert(&mut self, found: &[Vec<Found<S>>], threads: usize) -> Vec<Id> {
        let per_thread = SHARDS.div_ceil(threads);
        std::thread::scope(|scope| {
            let workers: Vec<_> = self
                .shards
                .chunks_mut(per_thread)
                .enumerate()
                .map(|(part, shards)| {
                    scope.spawn(move || take_in(shards, part * per_thread, found))
                })
                .collect();
            workers.into_iter().flat_map(joined).collect()
        })
    }

    pub(super) fn state(&self, id: Id) -> &S::State {
        &self.shards[id.shard()].states[id.place()]
    }

    pub(super) fn origin(&self, id: Id) -> Option<(Id, S::Action)> {
        self.shards[id.shard()].origins[id.place()]
    }

    pub(super) fn find(&self, state: &S::State) -> Option<Id> {
        let hash = hash(state);
        let shard = shard_of(hash);
        let place = self.shards[shard].slot(state, hash).ok()?;
        Some(Id::new(shard, place))
    }

    pub(super) fn positions(&self, order: &[Id]) -> Positions {
        let mut positions: Vec<Vec<u32>> =
            self.shards.iter().map(|shard| vec![0; shard.states.len()]).collect();
        for (at, id) in order.iter().enumerate() {
            positions[id.shard()][id.place()] = at as u32;
        }
        Positions(positions)
    }
}

/// What is new for these shards, the first of which has the number `first`.
fn take_in<S: Space>(shards: &mut [Shard<S>], first: usize, found: &[Vec<Found<S>>]) -> Vec<Id> {
    // By shard, so that the order does not turn on how many shards a thread has.
    let mut new: Vec<Vec<Id>> = shards.iter().map(|_| Vec::new()).collect();
    for one in found.iter().flatten() {
        let shard = shard_of(one.hash);
        let Some(at) = shard.checked_sub(first).filter(|at| *at < shards.len()) else { continue };
        let place = shards[at].add(one.state, one.hash, Some((one.from, one.action)));
        new[at].extend(place.map(|place| Id::new(shard, place)));
    }
    new.into_iter().flatten().collect()
}

impl<S: Space> Shard<S> {
    /// Adds a state that is new and returns its place.
    fn add(
        &mut self,
        state: S::State,
        hash: u64,
        origin: Option<(Id, S::Action)>,
    ) -> Option<usize> {
        if self.states.len() * 2 >= self.table.len() {
            self.grow();
        }
        let slot = self.slot(&state, hash).err()?;
        let place = self.states.len();
        assert!(place < MOST_PLACES, "more states than an explorer's numbers can name");
        self.states.push(state);
        self.origins.push(origin);
        self.table[slot] = place as u32 + 1;
        Some(place)
    }

    /// The place of a state, or the free slot where it would be noted.
    fn slot(&self, state: &S::State, hash: u64) -> Result<usize, usize> {
        let mask = self.table.len() - 1;
        let mut slot = (hash >> SHARD_BITS) as usize & mask;
        loop {
            match self.table[slot].checked_sub(1) {
                None => return Err(slot),
                Some(place) if self.states[place as usize] == *state => return Ok(place as usize),
                Some(_) => slot = (slot + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        let mut table = vec![0; mask + 1];
        for (place, state) in self.states.iter().enumerate() {
            let mut slot = (hash(state) >> SHARD_BITS) as usize & mask;
            while table[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            table[slot] = place as u32 + 1;
        }
        self.table = table;
    }
}

impl Positions {
    pub(super) fn of(&self, id: Id) -> u32 {
        self.0[id.shard()][id.place()]
    }
}

fn hash(state: &impl Hash) -> u64 {
    BuildHasherDefault::<Mixer>::default().hash_one(state)
}

const fn shard_of(hash: u64) -> usize {
    hash as usize & (SHARDS - 1)
}

/// Multiplies and folds word by word (as in wyhash): states are words already, and nobody chooses them to collide.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ MULTIPLIER) * u128::from(MULTIPLIER);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const SHARD_BITS: u32 = 6;
const SHARDS: usize = 1 << SHARD_BITS;
const MOST_PLACES: usize = 1 << (32 - SHARD_BITS);
