//! Who waits for a local port now, and toward where: so that it can be told while it lasts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The waits there are, by destination.
#[derive(Debug, Default)]
pub(super) struct Waits(Mutex<BTreeMap<SocketAddr, Crowd>>);

/// Those who wait toward one destination.
#[derive(Debug)]
struct Crowd {
    since: Instant,
    size: usize,
}

/// One who waits; dropped, it does not any more.
#[derive(Debug)]
pub(super) struct Wait<'a> {
    waits: &'a Waits,
    to: SocketAddr,
}

impl Waits {
    pub(super) fn begin(&self, to: SocketAddr) -> Wait<'_> {
        let new = Crowd { since: Instant::now(), size: 0 };
        self.all().entry(to).or_insert(new).size += 1;
        Wait { waits: self, to }
    }

    /// Toward where somebody has waited for the longest, if it is at least so long.
    pub(super) fn longest(&self, at_least: Duration) -> Option<SocketAddr> {
        let all = self.all();
        let (to, crowd) = all.iter().min_by_key(|(_, crowd)| crowd.since)?;
        (crowd.since.elapsed() >= at_least).then_some(*to)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Crowd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut all = self.waits.all();
        if let Some(crowd) = all.get_mut(&self.to) {
            crowd.size -= 1;
            if crowd.size == 0 {
                all.remove(&self.to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seen_from_its_beginning_to_the_end_of_the_last_toward_there() {
        let (one, other) =
            (SocketAddr::from(([10, 0, 0, 1], 514)), SocketAddr::from(([10, 0, 0, 2], 514)));
        let waits = Waits::default();
        assert_eq!(waits.longest(Duration::ZERO), None);
        let first = waits.begin(one);
        let second = waits.begin(one);
        let third = waits.begin(other);
        assert_eq!(waits.longest(Duration::ZERO), Some(one));
        assert_eq!(waits.longest(Duration::from_secs(60)), None, "not for so long");
        drop(first);
        assert_eq!(waits.longest(Duration::ZERO), Some(one));
        drop(second);
        assert_eq!(waits.longest(Duration::ZERO), Some(other));
        drop(third);
        assert_eq!(waits.longest(Duration::ZERO), None);
    }
}
