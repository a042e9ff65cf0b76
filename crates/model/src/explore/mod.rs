//! Every state a space of states has, breadth first: the shortest story to any of them, and what can still happen from it.
//!
//! Exhaustive and deterministic: the same space gives the same states in the same order on any number of threads. It
//! knows nothing of TCP; a [`Space`] says where one begins and what may happen next.

mod shards;

use shards::{Id, Shards, Sorted};
use std::fmt::Debug;
use std::hash::Hash;

/// A space of states.
pub trait Space: Sync {
    /// A state. Small, since all of them are kept.
    type State: Copy + Debug + Eq + Hash + Send + Sync;
    /// What leads from one to the next.
    type Action: Copy + Debug + Send + Sync;

    /// Where it begins.
    fn start(&self) -> Self::State;

    /// Hands every action that is possible in this state, with the state after it, to `each`, in a fixed order.
    fn successors(&self, state: &Self::State, each: &mut dyn FnMut(Self::Action, Self::State));
}

/// What was found of a space.
#[derive(Debug)]
pub struct Explored<S: Space> {
    shards: Shards<S>,
    /// The states in the order they were found: none is further from the start than a later one.
    order: Vec<Id>,
    /// How many actions were taken.
    pub transitions: u64,
}

/// One step of a story.
#[derive(Clone, Copy, Debug)]
pub struct Step<S: Space> {
    /// What happened.
    pub action: S::Action,
    /// What it led to.
    pub state: S::State,
}

/// Finds every state, on so many threads.
pub fn explore<S: Space>(space: &S, threads: usize) -> Explored<S> {
    let threads = threads.max(1);
    let mut shards = Shards::new();
    let mut order = vec![shards.begin(space.start())];
    let mut found: Vec<Sorted<S>> = (0..threads).map(|_| Sorted::new(threads)).collect();
    let mut transitions = 0;
    let mut at = 0;
    while at < order.len() {
        let block = &order[at..order.len().min(at + BLOCK)];
        let workers = if block.len() < WORTH_THREADS { 1 } else { threads };
        let found = &mut found[..workers];
        expand(space, &shards, block, found);
        at += block.len();
        transitions += found.iter().map(|sorted| sorted.len() as u64).sum::<u64>();
        order.extend(shards.insert(found, threads));
    }
    Explored { shards, order, transitions }
}

/// What follows from each state of a block, by the thread that found it.
fn expand<S: Space>(space: &S, shards: &Shards<S>, block: &[Id], found: &mut [Sorted<S>]) {
    let walk = |ids: &[Id], found: &mut Sorted<S>| {
        for &from in ids {
            space.successors(shards.state(from), &mut |action, state| {
                found.add(from, action, state);
            });
        }
    };
    found.iter_mut().for_each(Sorted::clear);
    if let [found] = found {
        return walk(block, found);
    }
    let part = block.len().div_ceil(found.len());
    std::thread::scope(|scope| {
        for (ids, found) in block.chunks(part).zip(found) {
            scope.spawn(move || walk(ids, found));
        }
    });
}

fn joined<T>(worker: std::thread::ScopedJoinHandle<'_, T>) -> T {
    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl<S: Space> Explored<S> {
    /// How many states there are.
    pub fn states(&self) -> usize {
        self.order.len()
    }

    /// Every state, the nearest first.
    pub fn iter(&self) -> impl Iterator<Item = &S::State> {
        self.order.iter().map(|id| self.shards.state(*id))
    }

    /// The shortest story that leads to such a state; empty when the start is one.
    pub fn story(&self, is_wanted: impl Fn(&S::State) -> bool) -> Option<Vec<Step<S>>> {
        let id = self.order.iter().find(|id| is_wanted(self.shards.state(**id)))?;
        Some(self.story_to(*id))
    }

    /// The states from which no such state can be reached any more, the nearest first.
    ///
    /// Walks all actions again to turn them round, which costs four bytes for each.
    pub fn dead_ends(&self, space: &S, is_goal: impl Fn(&S::State) -> bool) -> DeadEnds<'_, S> {
        let position = self.positions();
        let reverse = self.reversed(space, &position);
        let mut reaches = vec![false; self.order.len()];
        let mut waiting: Vec<u32> = Vec::new();
        for (at, id) in self.order.iter().enumerate() {
            if is_goal(self.shards.state(*id)) {
                reaches[at] = true;
                waiting.push(at as u32);
            }
        }
        while let Some(at) = waiting.pop() {
            for &before in reverse.leading_to(at) {
                if !std::mem::replace(&mut reaches[before as usize], true) {
                    waiting.push(before);
                }
            }
        }
        let dead = (0..self.order.len()).filter(|at| !reaches[*at]).collect();
        DeadEnds { explored: self, dead }
    }

    fn story_to(&self, id: Id) -> Vec<Step<S>> {
        let mut steps = Vec::new();
        let mut at = id;
        while let Some((before, action)) = self.shards.origin(at) {
            steps.push(Step { action, state: *self.shards.state(at) });
            at = before;
        }
        steps.reverse();
        steps
    }

    fn positions(&self) -> shards::Positions {
        self.shards.positions(&self.order)
    }

    fn reversed(&self, space: &S, position: &shards::Positions) -> Reversed {
        let mut edges: Vec<(u32, u32)> = Vec::with_capacity(self.transitions as usize);
        for (at, id) in self.order.iter().enumerate() {
            space.successors(self.shards.state(*id), &mut |_, state| {
                if let Some(next) = self.shards.find(&state) {
                    edges.push((position.of(next), at as u32));
                }
            });
        }
        Reversed::of(self.order.len(), &edges)
    }
}

/// States from which a goal cannot be reached.
#[derive(Debug)]
pub struct DeadEnds<'a, S: Space> {
    explored: &'a Explored<S>,
    dead: Vec<usize>,
}

impl<S: Space> DeadEnds<'_, S> {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.dead.len()
    }

    /// The states, the nearest first.
    pub fn states(&self) -> impl Iterator<Item = &S::State> {
        self.dead.iter().map(|at| self.explored.shards.state(self.explored.order[*at]))
    }

    /// The shortest story that leads to one.
    pub fn story(&self) -> Option<Vec<Step<S>>> {
        self.dead.first().map(|at| self.explored.story_to(self.explored.order[*at]))
    }
}

/// All actions turned round: for each state those that lead to it.
struct Reversed {
    starts: Vec<u32>,
    before: Vec<u32>,
}

impl Reversed {
    fn of(states: usize, edges: &[(u32, u32)]) -> Self {
        let mut starts = vec![0_u32; states + 1];
        for (to, _) in edges {
            starts[*to as usize + 1] += 1;
        }
        for at in 0..states {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut before = vec![0; edges.len()];
        for (to, from) in edges {
            let slot = &mut next[*to as usize];
            before[*slot as usize] = *from;
            *slot += 1;
        }
        Self { starts, before }
    }

    fn leading_to(&self, state: u32) -> &[u32] {
        let at = state as usize;
        &self.before[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

/// States expanded before their successors are sorted in: enough to keep threads busy, few enough to fit a cache.
const BLOCK: usize = 1 << 15;

/// With fewer states than this to expand, starting threads takes longer than the work.
const WORTH_THREADS: usize = 1 << 12;

#[cfg(test)]
mod tests;
