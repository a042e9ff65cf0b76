//! Connections whose program has no time to end them: a thread that does, for a bounded number of them.
//!
//! Those that wait for an end without bounds pile up, each with a descriptor. Here the oldest is reset when there would
//! be too many, and counted. What is left when the process ends, the kernel closes plainly: see [`Reaper::wait`].

use super::half_close::HalfClose;
use super::plan::after;
use super::policy::ClosePolicy;
use super::report::Outcome;
use super::step::{Course, Step, advance};
use lastack_os::connection;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A thread that closes connections by their policies. Handles to one are cheap to clone; when the last is dropped, what
/// it still holds is reset.
///
/// ```
/// use lastack_graceful::close::{ClosePolicy, Reaper};
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
///
/// let reaper = Reaper::new(100)?;
/// reaper.close(server, &ClosePolicy::server());
/// drop(client);
/// assert_eq!(reaper.wait(Duration::from_secs(10)), 0);
/// assert_eq!(reaper.counts().orderly, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Reaper(Arc<Handle>);

/// What a [`Reaper`] has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ReaperCounts {
    /// Connections it holds now.
    pub held: usize,
    /// Connections it was given.
    pub taken: u64,
    /// Those that ended as [`Outcome::Orderly`].
    pub orderly: u64,
    /// Those that ended as [`Outcome::Acknowledged`].
    pub acknowledged: u64,
    /// Those that ended as [`Outcome::PeerReset`].
    pub peer_reset: u64,
    /// Those that ended as [`Outcome::Lost`].
    pub lost: u64,
    /// Those that ended as [`Outcome::Gone`].
    pub gone: u64,
    /// Those that ended as [`Outcome::TimedOut`].
    pub timed_out: u64,
    /// Those that ended as [`Outcome::DiscardLimit`].
    pub discard_limit: u64,
    /// Those that were reset because there were too many.
    pub evicted: u64,
    /// Those that were reset because a system call failed.
    pub failed: u64,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: usize,
    state: Mutex<State>,
    emptied: Condvar,
    epoll: OwnedFd,
    wake: OwnedFd,
}

#[derive(Debug, Default)]
struct State {
    /// By age.
    held: BTreeMap<u64, Held>,
    due: BTreeSet<(Instant, u64)>,
    counts: ReaperCounts,
    is_over: bool,
}

#[derive(Debug)]
struct Held {
    socket: OwnedFd,
    course: Course,
    due: Instant,
    /// What it is watched for; nothing if empty.
    watched: EventFlags,
}

impl Reaper {
    /// How many connections the reaper of the process holds at most.
    pub const GLOBAL_LIMIT: usize = 1024;

    /// Starts a thread that holds so many connections at most; at least one.
    ///
    /// # Errors
    ///
    /// When there are no descriptors left for its two, or no thread can be started.
    pub fn new(limit: usize) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        let state = Mutex::default();
        let emptied = Condvar::new();
        let shared = Arc::new(Shared { limit: limit.max(1), state, emptied, epoll, wake });
        let thread = Arc::clone(&shared);
        std::thread::Builder::new().name("reaper".into()).spawn(move || thread.run())?;
        Ok(Self(Arc::new(Handle { shared })))
    }

    /// The reaper of the process, started when it is first asked for.
    ///
    /// ```
    /// use lastack_graceful::close::{ClosePolicy, Reaper};
    /// use std::net::{TcpListener, TcpStream};
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// drop(TcpStream::connect(listener.local_addr()?)?);
    /// Reaper::global()?.close(listener.accept()?.0, &ClosePolicy::server());
    /// // Before the program ends.
    /// assert_eq!(Reaper::global()?.wait(Duration::from_secs(10)), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Reaper::new`]; the next call tries again.
    pub fn global() -> io::Result<&'static Self> {
        static GLOBAL: OnceLock<Reaper> = OnceLock::new();
        if let Some(reaper) = GLOBAL.get() {
            return Ok(reaper);
        }
        let reaper = Self::new(Self::GLOBAL_LIMIT)?;
        Ok(GLOBAL.get_or_init(|| reaper))
    }

    /// Closes this connection by the policy, in the reaper's thread. Returns at once. If it holds as many as it may,
    /// the oldest is reset.
    pub fn close<T: HalfClose<Below = TcpStream>>(&self, stream: T, policy: &ClosePolicy) {
        let (stream, words) = stream.half_close();
        self.take(stream.into(), Course::new(*policy, words));
    }

    pub(super) fn take(&self, socket: OwnedFd, course: Course) {
        let shared = &self.0.shared;
        let mut state = shared.state();
        while state.held.len() >= shared.limit {
            state.evict_oldest(&shared.epoll);
        }
        // Age and name in one; 0 is the wake's.
        state.counts.taken += 1;
        let (name, due) = (state.counts.taken, Instant::now());
        state.held.insert(name, Held { socket, course, due, watched: EventFlags::empty() });
        state.due.insert((due, name));
        drop(state);
        shared.wake();
    }

    /// Waits until nothing is held any more, but not longer than this, and says how many are left: for programs that are
    /// about to end.
    pub fn wait(&self, limit: Duration) -> usize {
        let shared = &self.0.shared;
        let until = after(Instant::now(), limit);
        let mut state = shared.state();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.held.is_empty() || left.is_zero() {
                return state.held.len();
            }
            let waited = shared.emptied.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What it has done so far.
    pub fn counts(&self) -> ReaperCounts {
        let state = self.0.shared.state();
        ReaperCounts { held: state.held.len(), ..state.counts }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.wake();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cannot fail but by a counter that is full, which wakes all the same.
    fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn run(&self) {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let ready = self.next(&mut events);
            let mut state = self.state();
            if state.is_over {
                while !state.held.is_empty() {
                    state.evict_oldest(&self.epoll);
                }
                return;
            }
            for (name, found) in ready {
                state.turn(name, &self.epoll);
                // After that: an error of the connection's would go with them (`sock_dequeue_err_skb`).
                if found.contains(EventFlags::ERR) {
                    state.clear_errors(name);
                }
            }
            for name in state.all_due() {
                state.turn(name, &self.epoll);
            }
            if state.held.is_empty() {
                self.emptied.notify_all();
            }
        }
    }

    /// Waits for the next that can be read, or is due.
    fn next(&self, events: &mut Vec<epoll::Event>) -> Vec<(u64, EventFlags)> {
        let due = self.state().due.first().map(|&(due, _)| due);
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        events.clear();
        if epoll::wait(&self.epoll, spare_capacity(events), left.as_ref()) != Err(Errno::INTR) {
            let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        }
        let found = events.iter().map(|event| (event.data.u64(), event.flags));
        found.filter(|&(name, _)| name != WAKE).collect()
    }
}

impl State {
    fn all_due(&mut self) -> Vec<u64> {
        let later = self.due.split_off(&(Instant::now(), u64::MAX));
        std::mem::replace(&mut self.due, later).into_iter().map(|(_, name)| name).collect()
    }

    /// One connection's turn.
    fn turn(&mut self, name: u64, epoll: &OwnedFd) {
        // It may have been evicted since.
        let Some(held) = self.held.get_mut(&name) else { return };
        self.due.remove(&(held.due, name));
        match held.advance(name, epoll) {
            Ok(None) => {
                self.due.insert((held.due, name));
            }
            Ok(Some(outcome)) => {
                self.counts.count(outcome);
                drop(self.remove(name, epoll));
            }
            Err(_) => {
                self.counts.failed += 1;
                self.reset(name, epoll);
            }
        }
    }

    fn clear_errors(&self, name: u64) {
        if let Some(held) = self.held.get(&name) {
            // What fails here is said again to whoever reads.
            let _ = connection::clear_error_queue(&held.socket);
        }
    }

    fn evict_oldest(&mut self, epoll: &OwnedFd) {
        if let Some((&oldest, _)) = self.held.first_key_value() {
            self.counts.evicted += 1;
            self.reset(oldest, epoll);
        }
    }

    fn reset(&mut self, name: u64, epoll: &OwnedFd) {
        if let Some(held) = self.remove(name, epoll) {
            // Every TCP socket takes it (`sock_set_linger`).
            let _ = connection::reset_on_close(&held.socket);
        }
    }

    /// Somebody may have a copy of the descriptor, with which the kernel would go on watching (epoll(7)).
    fn remove(&mut self, name: u64, epoll: &OwnedFd) -> Option<Held> {
        let held = self.held.remove(&name)?;
        self.due.remove(&(held.due, name));
        if !held.watched.is_empty() {
            let _ = epoll::delete(epoll, &held.socket);
        }
        Some(held)
    }
}

impl Held {
    /// As far as it goes; how it ended, if it has.
    fn advance(&mut self, name: u64, epoll: &OwnedFd) -> io::Result<Option<Outcome>> {
        let (due, watched) = match advance(&self.socket, &mut self.course)? {
            Step::Over(report) => return Ok(Some(report.outcome)),
            Step::Again => (Instant::now(), self.watched),
            Step::Readable(until) => (until, EventFlags::IN),
            Step::ReadableOrWritable(until) => (until, EventFlags::IN | EventFlags::OUT),
            Step::Writable(until) => (until, EventFlags::OUT),
            // At its end a stream is readable for ever.
            Step::Pause(until) => (until, EventFlags::empty()),
        };
        if watched != self.watched {
            if self.watched.is_empty() {
                epoll::add(epoll, &self.socket, EventData::new_u64(name), watched)?;
            } else if watched.is_empty() {
                epoll::delete(epoll, &self.socket)?;
            } else {
                epoll::modify(epoll, &self.socket, EventData::new_u64(name), watched)?;
            }
        }
        (self.due, self.watched) = (due, watched);
        Ok(None)
    }
}

impl ReaperCounts {
    const fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Orderly => &mut self.orderly,
            Outcome::Acknowledged => &mut self.acknowledged,
            Outcome::PeerReset => &mut self.peer_reset,
            Outcome::Lost => &mut self.lost,
            Outcome::Gone => &mut self.gone,
            Outcome::TimedOut => &mut self.timed_out,
            Outcome::DiscardLimit => &mut self.discard_limit,
        };
        *counter += 1;
    }
}

/// The name of what wakes the thread.
const WAKE: u64 = 0;
/// How many can be ready at one look.
const EVENTS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::AtDeadline;
    use std::net::{Shutdown, TcpListener};

    const SHORT: Duration = Duration::from_millis(200);

    /// What is ready of what is watched, the wake aside.
    fn is_anything_ready(reaper: &Reaper) -> bool {
        let mut events = Vec::with_capacity(EVENTS);
        epoll::wait(
            &reaper.0.shared.epoll,
            spare_capacity(&mut events),
            Some(&Timespec::default()),
        )
        .expect("a look");
        events.iter().any(|event| event.data.u64() != WAKE)
    }

    fn is_watched(reaper: &Reaper) -> bool {
        let state = reaper.0.shared.state();
        !state.held.is_empty() && state.held.values().all(|held| !held.watched.is_empty())
    }

    /// However it ends, whoever has a copy of the descriptor keeps the connection, and makes it ready.
    #[test]
    fn one_of_which_there_is_a_copy_is_not_watched_when_it_is_over() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let pair = || {
            let peer = TcpStream::connect(listener.local_addr().expect("bound"));
            (listener.accept().expect("accepted").0, peer.expect("connected"))
        };
        let timed_out = ClosePolicy::server().idle(SHORT);
        let left = timed_out.at_deadline(AtDeadline::Orphan);
        for policy in [ClosePolicy::server(), timed_out, left] {
            let reaper = Reaper::new(1).expect("a reaper");
            let (ours, peer) = pair();
            let copy = ours.try_clone().expect("a copy");
            reaper.close(ours, &policy);
            // One that is over already was watched meanwhile.
            while reaper.counts().held > 0 && !is_watched(&reaper) {
                std::thread::yield_now();
            }
            let (another, its_peer) = pair();
            if policy == ClosePolicy::server() {
                reaper.close(another, &timed_out);
                drop((peer, its_peer));
            }
            assert_eq!(reaper.wait(Duration::from_secs(10)), 0);
            copy.shutdown(Shutdown::Both)
                .or_else(|error| match error.kind() {
                    io::ErrorKind::NotConnected => Ok(()),
                    _ => Err(error),
                })
                .expect("ready");
            assert!(!is_anything_ready(&reaper), "{policy:?}");
        }
    }
}
