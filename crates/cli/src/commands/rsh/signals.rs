//! Signals: an interrupt says what still runs, a second one soon after stops it, a third ends at once.
//!
//! This runs beside what writes, which may be stuck because nobody reads. Where a signal was ignored when the program
//! began, it stays ignored.

use crate::error::Error;
use crate::exit::Exit;
use crate::report::rsh::{Standing, say};
use lastack_os::interrupt::is_ignored;
use lastack_rsh::{Signal, fan};
use rustix::process::Signal as SystemSignal;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{self, SignalKind};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

/// Signals that are heard from now on.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Option<unix::Signal>,
    terminate: Option<unix::Signal>,
    hang_up: Option<unix::Signal>,
}

/// When everything ought to be over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) grace: Duration,
    pub(super) total: Option<Duration>,
}

/// What an interrupt means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Meaning {
    Status,
    Stop,
    AtOnce,
}

/// Takes them over.
pub(super) fn catch() -> Result<Signals, Error> {
    let listen = |signal: SystemSignal, kind| {
        let wanted = !is_ignored(signal);
        wanted
            .then(|| unix::signal(kind))
            .transpose()
            .map_err(|cause| Error::new(format!("failed to wait for signals: {cause}")))
    };
    Ok(Signals {
        interrupt: listen(SystemSignal::INT, SignalKind::interrupt())?,
        terminate: listen(SystemSignal::TERM, SignalKind::terminate())?,
        hang_up: listen(SystemSignal::HUP, SignalKind::hangup())?,
    })
}

/// Does what they mean; ends the program where it does not end by itself.
pub(super) async fn heed(
    mut signals: Signals,
    control: fan::Control,
    standing: Arc<Mutex<Standing>>,
    bounds: Bounds,
) {
    // What runs is given its grace twice over, and then somebody who reads nothing is not waited for.
    let patience = bounds.grace * 3 + Duration::from_secs(5);
    let mut at_last = bounds.total.map(|total| (Instant::now() + total + patience, Exit::TimedOut));
    let (mut last, mut is_stopping) = (None, false);
    loop {
        let (due, exit) = at_last.unzip();
        tokio::select! {
            () = next(&mut signals.interrupt) => match meaning(last.replace(Instant::now()), is_stopping) {
                Meaning::Status => tell(lock(&standing).words()),
                Meaning::Stop => {
                    is_stopping = true;
                    interrupt(&control, &standing, Signal::Interrupt);
                    tell("stopping; Ctrl-C once more ends at once".into());
                }
                Meaning::AtOnce => end(Exit::Interrupted),
            },
            () = either(&mut signals.terminate, &mut signals.hang_up) => {
                is_stopping = true;
                interrupt(&control, &standing, Signal::Terminate);
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => match exit {
                // Only its last words are left, and whoever reads them may take his time.
                Some(Exit::TimedOut) if lock(&standing).is_complete() => at_last = None,
                exit => end(exit.unwrap_or(Exit::Interrupted)),
            },
        }
        if is_stopping && at_last.is_none_or(|(_, exit)| exit != Exit::Interrupted) {
            at_last = Some((Instant::now() + patience, Exit::Interrupted));
        }
    }
}

/// In a thread of its own: it may be stuck for ever because nobody reads.
fn tell(words: String) {
    drop(spawn_blocking(move || say(&words)));
}

fn interrupt(control: &fan::Control, standing: &Mutex<Standing>, signal: Signal) {
    lock(standing).interrupted();
    control.stop(signal);
}

fn lock(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

fn meaning(last: Option<Instant>, is_stopping: bool) -> Meaning {
    match last {
        _ if is_stopping => Meaning::AtOnce,
        Some(last) if last.elapsed() < AGAIN => Meaning::Stop,
        Some(_) | None => Meaning::Status,
    }
}

async fn either(one: &mut Option<unix::Signal>, other: &mut Option<unix::Signal>) {
    tokio::select! {
        () = next(one) => {}
        () = next(other) => {}
    }
}

async fn next(signal: &mut Option<unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => pending().await,
    }
}

/// The children are sent SIGTERM by the system as soon as this process is gone.
fn end(exit: Exit) -> ! {
    std::process::exit(i32::from(exit.code()))
}

/// Two interrupts so soon after each other mean a stop.
const AGAIN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_interrupt_asks_two_stop_and_three_end() {
        assert_eq!(meaning(None, false), Meaning::Status);
        let first = Instant::now();
        tokio::time::advance(Duration::from_millis(1900)).await;
        assert_eq!(meaning(Some(first), false), Meaning::Stop);
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(meaning(Some(first), false), Meaning::Status, "they are far apart");
        assert_eq!(meaning(Some(first), true), Meaning::AtOnce);
    }
}
