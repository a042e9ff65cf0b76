//! The states that were found, in tables that threads fill side by side: a state belongs to one shard by its hash, and
//! each shard is filled in the same order whatever the number of threads.

use super::{Space, joined};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

/// A state, by its shard and its place there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Id(u32);

/// Successors that were found, by the part of the shards that they belong to.
#[derive(Debug)]
pub(super) struct Sorted<S: Space>(Vec<Vec<Found<S>>>);

/// A successor that was found, and where from.
#[derive(Debug)]
struct Found<S: Space> {
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
    /// Open addressing.
    table: Vec<Entry>,
}

/// The place of a state plus one, or 0, below some bits of its hash.
#[derive(Clone, Copy, Debug)]
struct Entry(u32);

/// Where each state stands in the order of finding.
pub(super) struct Positions(Vec<Vec<u32>>);

impl Id {
    const fn new(shard: usize, place: usize) -> Self {
        Self((place as u32) << SHARD_BITS | shard as u32)
    }

    const fn shard(self) -> usize {
        self.0 as usize & (SHARDS - 1)
    }

    fn place(self) -> usize {
        self.0 as usize >> SHARD_BITS
    }
}

impl<S: Space> Sorted<S> {
    /// Nothing yet, for insertion by so many threads.
    pub(super) fn new(threads: usize) -> Self {
        let parts = SHARDS.div_ceil(per_part(threads));
        Self((0..parts).map(|_| Vec::new()).collect())
    }

    /// Forgets them and keeps the room.
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }

    pub(super) fn add(&mut self, from: Id, action: S::Action, state: S::State) {
        let hash = hash(&state);
        let per_part = SHARDS.div_ceil(self.0.len());
        self.0[shard_of(hash) / per_part].push(Found { from, action, state, hash });
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

impl<S: Space> Shards<S> {
    pub(super) fn new() -> Self {
        let empty =
            || Shard { states: Vec::new(), origins: Vec::new(), table: vec![Entry::FREE; 64] };
        Self { shards: (0..SHARDS).map(|_| empty()).collect() }
    }

    /// The first state, which comes from nowhere.
    pub(super) fn begin(&mut self, state: S::State) -> Id {
        let hash = hash(&state);
        let shard = shard_of(hash);
        let place = self.shards[shard].add(state, hash, None).unwrap_or(0);
        Id::new(shard, place)
    }

    /// Takes in what is new of the states that were found, as many threads at a time as found them, and returns where
    /// they are.
    pub(super) fn insert(&mut self, found: &[Sorted<S>], threads: usize) -> Vec<Id> {
        let per_part = per_part(threads);
        let parts = self.shards.chunks_mut(per_part).enumerate();
        if found.len() == 1 {
            return parts
                .flat_map(|(part, shards)| take_in(shards, part, per_part, found))
                .collect();
        }
        std::thread::scope(|scope| {
            let workers: Vec<_> = parts
                .map(|(part, shards)| scope.spawn(move || take_in(shards, part, per_part, found)))
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

/// What is new for the shards of one part.
fn take_in<S: Space>(
    shards: &mut [Shard<S>],
    part: usize,
    per_part: usize,
    found: &[Sorted<S>],
) -> Vec<Id> {
    let first = part * per_part;
    // By shard, so that the order does not turn on how many shards a thread has.
    let mut new: Vec<Vec<Id>> = shards.iter().map(|_| Vec::new()).collect();
    for batch in found.iter().flat_map(|sorted| sorted.0[part].chunks(BATCH)) {
        let known = known(shards, first, batch);
        for (one, _) in batch.iter().zip(known).filter(|(_, known)| !known) {
            let shard = shard_of(one.hash);
            let origin = Some((one.from, one.action));
            let place = shards[shard - first].add(one.state, one.hash, origin);
            new[shard - first].extend(place.map(|place| Id::new(shard, place)));
        }
    }
    new.into_iter().flatten().collect()
}

/// Which of a batch are surely known; most are. The look-ups of a batch do not wait for each other, so that the memory is
/// asked for many of them at once.
fn known<S: Space>(shards: &[Shard<S>], first: usize, batch: &[Found<S>]) -> [bool; BATCH] {
    let mut entries = [Entry::FREE; BATCH];
    for (entry, one) in entries.iter_mut().zip(batch) {
        let shard = &shards[shard_of(one.hash) - first];
        *entry = shard.table[shard.first_slot(one.hash)];
    }
    for (entry, one) in entries.iter_mut().zip(batch) {
        if !entry.is_free() && !entry.may_be(one.hash) {
            *entry = shards[shard_of(one.hash) - first].likely(one.hash);
        }
    }
    let mut known = [false; BATCH];
    for ((known, entry), one) in known.iter_mut().zip(entries).zip(batch) {
        let states = &shards[shard_of(one.hash) - first].states;
        *known = entry.place().is_some_and(|place| states[place] == one.state);
    }
    known
}

/// How many shards a part has, of as many parts as there are threads at most.
const fn per_part(threads: usize) -> usize {
    SHARDS.div_ceil(threads)
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
        self.table[slot] = Entry::new(place, hash);
        Some(place)
    }

    /// Where the table is looked into first.
    const fn first_slot(&self, hash: u64) -> usize {
        (hash >> SHARD_BITS) as usize & (self.table.len() - 1)
    }

    /// The first entry that may be this one, or a free one.
    fn likely(&self, hash: u64) -> Entry {
        let mut slot = self.first_slot(hash);
        loop {
            let entry = self.table[slot];
            if entry.is_free() || entry.may_be(hash) {
                return entry;
            }
            slot = (slot + 1) & (self.table.len() - 1);
        }
    }

    /// The place of a state, or the free slot where it would be noted.
    fn slot(&self, state: &S::State, hash: u64) -> Result<usize, usize> {
        let mut slot = self.first_slot(hash);
        loop {
            let entry = self.table[slot];
            match entry.place() {
                None => return Err(slot),
                Some(place) if entry.may_be(hash) && self.states[place] == *state => {
                    return Ok(place);
                }
                Some(_) => slot = (slot + 1) & (self.table.len() - 1),
            }
        }
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        self.table = vec![Entry::FREE; mask + 1];
        for (place, state) in self.states.iter().enumerate() {
            let hash = hash(state);
            let mut slot = self.first_slot(hash);
            while !self.table[slot].is_free() {
                slot = (slot + 1) & mask;
            }
            self.table[slot] = Entry::new(place, hash);
        }
    }
}

impl Entry {
    const FREE: Self = Self(0);

    const fn new(place: usize, hash: u64) -> Self {
        Self(((hash >> (64 - TAG_BITS)) as u32 * TAG) | (place as u32 + 1))
    }

    const fn is_free(self) -> bool {
        self.0 == 0
    }

    fn place(self) -> Option<usize> {
        (self.0 % TAG).checked_sub(1).map(|place| place as usize)
    }

    /// False when it is surely another one; so a state is rarely fetched from memory for nothing.
    const fn may_be(self, hash: u64) -> bool {
        (self.0 / TAG) as u64 == hash >> (64 - TAG_BITS)
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
/// Looked up together: as many as a processor asks its memory for at once.
const BATCH: usize = 32;
const SHARD_BITS: u32 = 6;
const SHARDS: usize = 1 << SHARD_BITS;
const MOST_PLACES: usize = 1 << (32 - SHARD_BITS);
/// What an entry has left beside a place.
const TAG_BITS: u32 = SHARD_BITS - 1;
const TAG: u32 = 1 << (32 - TAG_BITS);
