//! Ports shared with the pools of other processes in the same network namespace, in blocks of eight.
//!
//! Who has a block has a name for it, and every instance has one for itself; names end with their process, so that
//! nothing is ever left over. `model::ports::Situation` says how many blocks are whose; here they are taken and given
//! back. Names that somebody has who is not shown to have a right to the ports are passed over, and told.

use super::pool::Ports;
use lastack_model::ids::{Inode, Port};
use lastack_model::ports::{Move, Situation};
use lastack_os::claim::{self, Claim, Holder, Right, Seen};
use lastack_os::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

/// One instance's part in the sharing.
#[derive(Debug)]
pub(super) struct Sharing {
    /// The ports of each block.
    blocks: BTreeMap<Block, Vec<Port>>,
    held: BTreeMap<Block, Claim>,
    /// To be given back when their ports come home.
    giving: BTreeMap<Block, Claim>,
    member: Claim,
    wanted: usize,
    /// What was found out of each name.
    rights: HashMap<String, Known>,
}

/// What was found out of a name.
#[derive(Debug)]
struct Known {
    right: Right,
    /// The socket that was listed with it; `None` where several were, of which all but one are somebody's invention.
    inode: Option<Inode>,
    asked: Instant,
}

/// Eight ports, by the eighth part of the first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Block(u16);

/// How a pool shares its ports with other processes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Shares {
    /// How many processes share the ports, this one included.
    pub members: usize,
    /// How many ports there are to share.
    pub ports: usize,
    /// How many of them this one has.
    pub own: usize,
    /// Who has names of this sharing and is not shown to have a right to the ports: they are passed over.
    pub strangers: Vec<Stranger>,
}

/// A process that has a name of the sharing and is not shown to have a right to the ports.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stranger {
    /// The name.
    pub name: String,
    /// The process, when it is seen from here.
    pub pid: Option<u32>,
    /// Its user.
    pub uid: u32,
}

/// Whether an instance has all that it wants and may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Content {
    Yes,
    /// Others still have, or this one still gives, what is somebody's share.
    NotYet,
}

impl Sharing {
    /// Joins those who share these ports.
    pub(super) fn join(ports: &[Port]) -> Result<Self> {
        let mut blocks: BTreeMap<Block, Vec<Port>> = BTreeMap::new();
        for port in ports {
            blocks.entry(Block(port.0 / PORTS)).or_default().push(*port);
        }
        let family = family(&blocks);
        for number in 0..MOST_MEMBERS {
            if let Some(member) = Claim::take(&format!("{family}{number:04}"))? {
                return Ok(Self {
                    blocks,
                    held: BTreeMap::new(),
                    giving: BTreeMap::new(),
                    member,
                    wanted: FIRST_WANTED,
                    rights: HashMap::new(),
                });
            }
        }
        let cause = std::io::Error::other(format!("all {MOST_MEMBERS} names are taken"));
        Err(Error::new("join", "those who share the ports", cause)
            .with_remedy("`ss -xlp` shows who has the names @lastack/ports/member"))
    }

    /// Where others knock.
    pub(super) const fn member(&self) -> &Claim {
        &self.member
    }

    /// Takes and gives what is to be taken and given now.
    pub(super) fn step(&mut self, ports: &Ports) -> Result<Content> {
        for claim in self.held.values().chain(self.giving.values()).chain([&self.member]) {
            claim.answer();
        }
        let seen = claim::seen(BEGINNING)?;
        self.judge(&seen);
        if ports.wants_more() {
            self.wanted = (self.wanted * 2).min(self.blocks.len());
        }
        self.let_go(ports);
        let others = self.other_members(&seen);
        let situation = Situation {
            members: others.len() + 1,
            rank: others.iter().filter(|name| **name < self.member.name()).count(),
            blocks: self.blocks.len(),
            held: self.held.len(),
            wanted: self.wanted,
        };
        let missing = match situation.next() {
            Move::Stay => 0,
            Move::Give(count) => {
                self.give(ports, count);
                0
            }
            Move::Take(count) => {
                let missing = count - self.take(ports, count, &seen)?;
                if missing > 0 {
                    for name in &others {
                        claim::knock(name);
                    }
                }
                missing
            }
        };
        ports.tell(self.shares(situation.members));
        let is_content = missing == 0 && self.giving.is_empty();
        Ok(if is_content { Content::Yes } else { Content::NotYet })
    }

    /// Finds out who has the names that were not seen before, or of which that could not be told, and forgets those that
    /// are gone.
    fn judge(&mut self, seen: &[Seen]) {
        let mut listed: HashMap<&str, Vec<Inode>> = HashMap::new();
        for it in seen {
            listed.entry(&it.name).or_default().push(it.inode);
        }
        self.rights.retain(|name, _| listed.contains_key(&**name));
        for (name, inodes) in listed {
            let is_known = self.rights.get(name).is_some_and(|known| known.holds_of(&inodes));
            if !is_known && !self.is_own(name) {
                self.rights.insert(name.to_owned(), Known::of(name, &inodes));
            }
        }
    }

    fn is_own(&self, name: &str) -> bool {
        let mut claims = self.held.values().chain(self.giving.values()).chain([&self.member]);
        claims.any(|claim| claim.name() == name)
    }

    /// Names that others have who are shown to have a right to the ports too. Anybody can hide behind a name; two who have
    /// the same port meanwhile find it in use, which costs them a try.
    fn believed<'a>(&self, seen: &'a [Seen]) -> impl Iterator<Item = &'a str> {
        let is_believed = |it: &&Seen| {
            self.rights.get(&it.name).is_some_and(|known| matches!(known.right, Right::Shown(_)))
        };
        seen.iter().filter(is_believed).map(|it| it.name.as_str())
    }

    fn other_members<'a>(&self, seen: &'a [Seen]) -> BTreeSet<&'a str> {
        let family = family(&self.blocks);
        self.believed(seen).filter(|name| name.starts_with(&family)).collect()
    }

    /// Gives back what was to be given and has come home.
    fn let_go(&mut self, ports: &Ports) {
        let (state, blocks) = (ports.state(), &self.blocks);
        let is_idle = |block: &Block| blocks[block].iter().all(|port| state.pool.is_idle(*port));
        self.giving.retain(|block, _| !is_idle(block));
    }

    /// Gives so many blocks: those first of which least is in use.
    fn give(&mut self, ports: &Ports, count: usize) {
        let mut state = ports.state();
        state.close_shelf(ports.now());
        let in_use = |block: &Block| {
            self.blocks[block].iter().filter(|port| !state.pool.is_idle(**port)).count()
        };
        let mut order: Vec<_> = self.held.keys().map(|block| (in_use(block), *block)).collect();
        order.sort_unstable();
        for (_, block) in order.into_iter().take(count) {
            for port in &self.blocks[&block] {
                state.pool.withdraw(*port);
            }
            if let Some(claim) = self.held.remove(&block) {
                self.giving.insert(block, claim);
            }
        }
        drop(state);
        self.let_go(ports);
    }

    /// Takes so many blocks, if there are as many that nobody has; how many it took.
    fn take(&mut self, ports: &Ports, count: usize, seen: &[Seen]) -> Result<usize> {
        let mut taken = BTreeMap::new();
        while taken.len() < count
            && let Some((block, claim)) = self.giving.pop_first()
        {
            taken.insert(block, claim);
        }
        let mut claimed = BTreeMap::new();
        for block in self.nobodys(seen) {
            if taken.len() + claimed.len() == count {
                break;
            }
            if let Some(claim) = block.claim(seen)? {
                claimed.insert(block, claim);
            }
        }
        taken.extend(self.without_doubles(claimed)?);
        let number = taken.len();
        let mut state = ports.state();
        for port in taken.keys().flat_map(|block| &self.blocks[block]) {
            state.pool.allow(*port);
        }
        // Whoever had them before may have left something on them.
        state.look_wanted |= number > 0;
        drop(state);
        self.held.append(&mut taken);
        Ok(number)
    }

    /// The blocks that nobody with a right has, beginning at random so that two who look at once seldom meet.
    fn nobodys(&self, seen: &[Seen]) -> Vec<Block> {
        let others: BTreeSet<Block> = self.believed(seen).filter_map(Block::of_name).collect();
        let is_free = |block: &&Block| {
            !others.contains(block)
                && !self.held.contains_key(block)
                && !self.giving.contains_key(block)
        };
        let mut free: Vec<Block> = self.blocks.keys().filter(is_free).copied().collect();
        let start = RandomState::new().hash_one(0) as usize;
        let start = start.checked_rem(free.len()).unwrap_or_default();
        free.rotate_left(start);
        free
    }

    /// A block has several names where strangers had some of them, so two may have taken it at once: both let go.
    fn without_doubles(
        &mut self,
        claimed: BTreeMap<Block, Claim>,
    ) -> Result<BTreeMap<Block, Claim>> {
        if claimed.is_empty() {
            return Ok(claimed);
        }
        let own: Vec<&str> = claimed.values().map(Claim::name).collect();
        let mut now = claim::seen(BEGINNING)?;
        now.retain(|it| !own.contains(&it.name.as_str()));
        self.judge(&now);
        let others: BTreeSet<Block> = self.believed(&now).filter_map(Block::of_name).collect();
        Ok(claimed.into_iter().filter(|(block, _)| !others.contains(block)).collect())
    }

    fn shares(&self, members: usize) -> Shares {
        let strangers = self.rights.iter().filter_map(|(name, known)| match &known.right {
            Right::NotShown(Holder { pid, uid }) => {
                Some(Stranger { name: name.clone(), pid: pid.map(|pid| pid.0), uid: uid.0 })
            }
            Right::Shown(_) | Right::Unknown => None,
        });
        Shares {
            members,
            ports: self.blocks.values().map(Vec::len).sum(),
            own: self.held.keys().map(|block| self.blocks[block].len()).sum(),
            strangers: strangers.collect(),
        }
    }
}

impl Known {
    fn of(name: &str, inodes: &[Inode]) -> Self {
        let inode = if let [only] = inodes { Some(*only) } else { None };
        Self { right: claim::right(name), inode, asked: Instant::now() }
    }

    /// Whether it holds of a name that is listed with these sockets. Where somebody plays tricks it is asked again, though
    /// not all the time: who is asked is woken.
    fn holds_of(&self, inodes: &[Inode]) -> bool {
        match (self.inode, inodes, self.right) {
            (Some(_), [_], Right::Unknown) | (None, [_, _, ..], _) => self.asked.elapsed() < AGAIN,
            (Some(known), [only], _) => known == *only,
            _ => false,
        }
    }
}

impl Block {
    fn name(self) -> String {
        let first = self.0 * PORTS;
        format!("{BEGINNING}{first}-{}", first + (PORTS - 1))
    }

    /// The block of a name, whichever of its names it is.
    fn of_name(name: &str) -> Option<Self> {
        let first: u16 = name.strip_prefix(BEGINNING)?.split('-').next()?.parse().ok()?;
        Some(Self(first / PORTS))
    }

    /// Takes the first of its names that no stranger has.
    fn claim(self, seen: &[Seen]) -> Result<Option<Claim>> {
        for level in 0..MOST_NAMES {
            let name = match level {
                0 => self.name(),
                _ => format!("{}/{level}", self.name()),
            };
            if !seen.iter().any(|it| it.name == name) {
                return Claim::take(&name);
            }
        }
        Ok(None)
    }
}

/// The beginning of the names of those who share the same ports.
fn family(blocks: &BTreeMap<Block, Vec<Port>>) -> String {
    let ends = [blocks.first_key_value(), blocks.last_key_value()];
    let [first, last] = ends.map(|end| end.map_or(0, |(block, _)| block.0 * PORTS));
    format!("{BEGINNING}member/{first}-{}/", last + (PORTS - 1))
}

/// How soon somebody is asked again of whom it could not be told, or who is imitated.
const AGAIN: Duration = Duration::from_secs(1);
/// How many ports a block has. Sixty-four instances can share the reserved ones.
const PORTS: u16 = 8;
/// 128 ports, more than most will ever use at once; more when they do.
const FIRST_WANTED: usize = 16;
const BEGINNING: &str = "lastack/ports/";
const MOST_MEMBERS: u16 = 1024;
/// Strangers who have as many names of a block as this keep it from everybody.
const MOST_NAMES: u32 = 64;
