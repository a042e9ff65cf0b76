//! Many scripts at once, each in a namespace of its own. Only for those whose moments do not count.

use super::observe;
use crate::Result;
use lastack_model::script::Script;
use lastack_model::script::replay::{Observed, Verdict};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// What is there at the end of each script, in their order. Stops at the first that cannot be played at all.
pub fn observe_all(scripts: &[&Script]) -> Result<Vec<std::result::Result<Observed, Verdict>>> {
    let next = AtomicUsize::new(0);
    let broken = AtomicBool::new(false);
    let places: Vec<_> = scripts.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while !broken.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (Some(script), Some(place)) = (scripts.get(at), places.get(at)) else { return };
            let observed = observe(script);
            broken.fetch_or(observed.is_err(), Ordering::Relaxed);
            if let Ok(mut place) = place.lock() {
                *place = Some(observed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers().min(scripts.len()) {
            scope.spawn(work);
        }
    });
    // Places are taken in order, so what was not played comes behind what could not be.
    let played = places.into_iter().filter_map(|place| place.into_inner().ok().flatten());
    played.collect()
}

/// Most of the time of a script goes by while the kernel makes and ends its namespace.
fn workers() -> usize {
    4 * thread::available_parallelism().map_or(1, usize::from)
}
