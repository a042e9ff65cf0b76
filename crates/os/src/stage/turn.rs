//! Whose turn it is: only a few stories begin at once, so that none is late because of the others. One that waits for a
//! timer leaves its place to others for good.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A place among those that act, given back when dropped.
#[derive(Debug)]
pub(super) struct Turn(());

impl Turn {
    /// Waits for a place.
    pub(super) fn wait() -> Self {
        let mut acting = acting();
        while *acting >= MOST {
            acting = FREE.wait(acting).unwrap_or_else(PoisonError::into_inner);
        }
        *acting += 1;
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *acting() -= 1;
        FREE.notify_one();
    }
}

fn acting() -> MutexGuard<'static, usize> {
    ACTING.lock().unwrap_or_else(PoisonError::into_inner)
}

static ACTING: Mutex<usize> = Mutex::new(0);
static FREE: Condvar = Condvar::new();
const MOST: usize = 4;
