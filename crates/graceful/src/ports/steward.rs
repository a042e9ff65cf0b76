//! The thread behind a shared pool: it takes and gives ports, and looks at what others left, so that no caller waits for
//! either. It sleeps until a caller runs dry, the kernel refuses a port, or another process knocks.

use super::others::View;
use super::pool::{Ports, Shared};
use super::sharing::{Content, Sharing};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::OwnedFd;
use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Wakes the steward.
#[derive(Debug)]
pub(super) struct Bell(OwnedFd);

/// What the steward sees to.
#[derive(Debug)]
pub(super) struct Duties {
    pub(super) sharing: Sharing,
    pub(super) view: View,
}

impl Bell {
    fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    pub(super) fn ring(&self) {
        // It can only fail when it rings already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    fn fall_silent(&self) {
        // It can only fail when it does not ring.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

/// Starts the thread; it ends, and all names with it, when the last handle to the pool is gone.
pub(super) fn start(ports: &Ports, duties: Duties) -> io::Result<()> {
    let bell = Arc::new(Bell::new()?);
    ports.state().bell = Some(Arc::clone(&bell));
    let pool = ports.downgrade();
    let thread = std::thread::Builder::new().name("lastack-ports".into());
    thread.spawn(move || run(&pool, &bell, duties)).map(drop)
}

fn run(pool: &Weak<Shared>, bell: &Bell, mut duties: Duties) {
    let mut pause = None;
    loop {
        let began = Instant::now();
        wait(&[bell_of(bell), PollFd::new(duties.sharing.member(), PollFlags::IN)], pause);
        // However often they ring or knock.
        wait(&[], Some(LEAST.saturating_sub(began.elapsed())));
        bell.fall_silent();
        let Some(ports) = Ports::upgrade(pool) else { return };
        let shared = duties.sharing.step(&ports);
        let looked = duties.view.look_if_due(&ports);
        // What failed is tried again: the pool goes on with what it has, and tells whoever asks why he waits.
        let failed = [shared.as_ref().err(), looked.as_ref().err()];
        ports.state().troubles = failed.into_iter().flatten().map(ToString::to_string).collect();
        let is_busy = !matches!(shared, Ok(Content::Yes)) || ports.is_waited_for();
        pause = is_busy.then_some(BUSY).into_iter().chain(looked.ok().flatten()).min();
    }
}

fn bell_of(bell: &Bell) -> PollFd<'_> {
    PollFd::new(&bell.0, PollFlags::IN)
}

fn wait(what: &[PollFd<'_>], at_most: Option<Duration>) {
    let at_most = at_most.and_then(|pause| Timespec::try_from(pause).ok());
    // Woken early it looks once more than it had to.
    let _ = poll(&mut what.to_vec(), at_most.as_ref());
}

/// So long it rests between two looks.
const LEAST: Duration = Duration::from_millis(50);
/// So often it looks while somebody waits for something.
const BUSY: Duration = Duration::from_millis(250);
