//! How instances of a program share ports fairly: in blocks, each of which one of them has at a time.
//!
//! There is no arbiter. Each instance sees how many there are and which it is among them, and follows the same rule; the
//! shares add up to all blocks, so that nobody who keeps to it has to wait for somebody who keeps to it as well.

/// What one instance sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Situation {
    /// How many instances there are, this one included.
    pub members: usize,
    /// How many of them come before this one in an order that all agree on.
    pub rank: usize,
    /// How many blocks there are.
    pub blocks: usize,
    /// How many this one has.
    pub held: usize,
    /// How many it could use.
    pub wanted: usize,
}

/// What it is to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Move {
    /// Take so many more, as far as there are any that nobody has.
    Take(usize),
    /// Give so many back.
    Give(usize),
    /// Nothing.
    Stay,
}

impl Situation {
    /// How many blocks it may have: all when it is alone, otherwise an equal part. What is left over after dividing goes,
    /// one each, to those that come first.
    pub const fn share(&self) -> usize {
        if self.members <= 1 {
            return self.blocks;
        }
        let over = if self.rank < self.blocks % self.members { 1 } else { 0 };
        self.blocks / self.members + over
    }

    /// What it is to do. It keeps what it does not need as long as that is its share: what rests is fresh when needed.
    pub const fn next(&self) -> Move {
        let share = self.share();
        let aim = if self.wanted < share { self.wanted } else { share };
        if self.held > share {
            Move::Give(self.held - share)
        } else if self.held < aim {
            Move::Take(aim - self.held)
        } else {
            Move::Stay
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn situation(members: usize, rank: usize, blocks: usize) -> Situation {
        Situation { members, rank, blocks, held: 0, wanted: blocks }
    }

    #[test]
    fn three_share_sixty_four_blocks_as_22_21_21() {
        let shares = [0, 1, 2].map(|rank| situation(3, rank, 64).share());
        assert_eq!(shares, [22, 21, 21]);
        assert_eq!(situation(1, 0, 64).share(), 64);
    }

    proptest! {
        #[test]
        fn the_shares_add_up_to_all_blocks_and_differ_by_one_at_most(
            members in 1..200_usize, blocks in 0..130_usize,
        ) {
            let shares: Vec<_> = (0..members).map(|rank| situation(members, rank, blocks).share()).collect();
            prop_assert_eq!(shares.iter().sum::<usize>(), blocks);
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            prop_assert!(most - least <= 1);
        }

        /// Instances come and go, each looks in its own time, and what was given comes home at once.
        #[test]
        fn whoever_looks_often_enough_gets_what_it_wants_up_to_its_share(
            wants in proptest::collection::vec(0..70_usize, 1..9),
            first_held in proptest::collection::vec(0..64_usize, 9),
            looks in proptest::collection::vec(0..9_usize, 0..60),
        ) {
            let (members, blocks) = (wants.len(), 64);
            let mut free = blocks;
            let mut held = vec![0; members];
            // Whatever they had before, no block is had twice.
            for (held, first) in held.iter_mut().zip(first_held) {
                *held = first.min(free);
                free -= *held;
            }
            let everybody = || (0..members).cycle().take(2 * members);
            for rank in looks.into_iter().map(|at| at % members).chain(everybody()) {
                let it = Situation { members, rank, blocks, held: held[rank], wanted: wants[rank] };
                match it.next() {
                    Move::Take(more) => {
                        let more = more.min(free);
                        (held[rank], free) = (held[rank] + more, free - more);
                    }
                    Move::Give(less) => (held[rank], free) = (held[rank] - less, free + less),
                    Move::Stay => {}
                }
                prop_assert_eq!(held.iter().sum::<usize>() + free, blocks);
            }
            for rank in 0..members {
                let it = Situation { members, rank, blocks, held: held[rank], wanted: wants[rank] };
                prop_assert_eq!(it.next(), Move::Stay);
                prop_assert!(held[rank] >= wants[rank].min(it.share()) && held[rank] <= it.share());
            }
        }
    }
}
