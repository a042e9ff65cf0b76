//! Chance that can be had again: a small generator seeded with one number (splitmix64).

/// A stream of numbers that the seed alone decides.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream of one numbered case, which does not depend on the cases before it.
    pub fn for_case(seed: u64, case: u64) -> Self {
        let mut mixer = Self(seed ^ case.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self(mixer.number())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of the items, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_replays_from_its_number_alone() {
        let first: Vec<u64> = (0..4).map(|_| Random::for_case(7, 42).number()).collect();
        assert!(first.iter().all(|n| *n == first[0]));
        assert_ne!(Random::for_case(7, 43).number(), first[0]);
        assert_ne!(Random::for_case(8, 42).number(), first[0]);
    }

    #[test]
    fn every_item_is_picked_sooner_or_later() {
        let mut random = Random::seeded(1);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[random.below(5)] = true;
        }
        assert_eq!(seen, [true; 5]);
    }
}
