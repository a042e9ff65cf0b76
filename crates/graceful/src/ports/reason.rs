//! Why somebody waits for a port, in words for whoever watches.

use super::pool::Ports;
use super::queue::Purpose;
use super::sharing::Shares;
use lastack_model::ids::Inode;
use lastack_model::ports::Standing;
use std::fmt;
use std::time::Duration;

/// Why there is no port for something at present, or none to wait for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reason {
    /// What it is wanted for.
    pub purpose: Purpose,
    /// How the pool stands for that.
    pub standing: Standing,
    /// How the ports are shared, where they are.
    pub shares: Option<Shares>,
    /// Programs that have some of the ports, each with its pid and how many, as far as they are seen.
    pub holders: Vec<(String, u32, usize)>,
    /// What failed when the pool last looked at what others have, and shared with them.
    pub troubles: Vec<String>,
}

impl Ports {
    /// Why somebody waits for a port for this. Finding out who holds ports walks all processes, which takes some
    /// milliseconds: ask for what you show.
    pub fn reason(&self, purpose: Purpose) -> Reason {
        let now = self.now();
        let state = self.state();
        let standing = match purpose {
            Purpose::Connect(destination) => state.pool.standing(destination, now),
            Purpose::Listen { .. } => state.pool.standing_to_listen(now),
        };
        let (shares, held_by) = (state.shares.clone(), state.held_by.clone());
        let troubles = state.troubles.clone();
        drop(state);
        let inodes: Vec<Inode> = held_by.iter().map(|(_, inode)| *inode).collect();
        let found = if standing.held > 0 { lastack_os::holders::find(&inodes).ok() } else { None };
        let mut holders: Vec<(String, u32, usize)> = Vec::new();
        for holder in found.into_iter().flat_map(|search| search.holders) {
            let (name, pid) = (holder.process.name, holder.process.pid.0);
            match holders.iter_mut().find(|(_, known, _)| *known == pid) {
                Some((_, _, count)) => *count += 1,
                None => holders.push((name, pid, 1)),
            }
        }
        Reason { purpose, standing, shares, holders, troubles }
    }

    /// Why whoever has waited longest for a port waits, if it is for at least so long.
    ///
    /// ```
    /// use lastack_graceful::ports::Ports;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Ports::of(20_500..=20_599).longest_wait(Duration::ZERO), None);
    /// ```
    pub fn longest_wait(&self, at_least: Duration) -> Option<Reason> {
        let (purpose, since) = self.state().queues.longest()?;
        (since.elapsed() >= at_least).then(|| self.reason(purpose))
    }

    /// How the ports are shared with other processes, where they are.
    pub fn shares(&self) -> Option<Shares> {
        self.state().shares.clone()
    }
}

/// As in `waiting for a port toward 10.99.0.2:514: 512 ports: 512 in TIME_WAIT of another program (no SO_REUSEADDR); next
/// in 23 s`.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.purpose {
            Purpose::Connect(destination) => write!(f, "waiting for a port toward {destination}")?,
            Purpose::Listen { at_most } => {
                write!(f, "waiting for a port to listen on, one of at most {at_most} at once")?;
            }
        }
        write!(f, ": {}", self.standing)?;
        for (name, pid, count) in &self.holders {
            write!(f, "; {name} (pid {pid}) holds {count}")?;
        }
        for trouble in &self.troubles {
            write!(f, "; the pool failed to {trouble}, and tries again")?;
        }
        let Some(shares) = &self.shares else { return Ok(()) };
        if shares.members > 1 {
            write!(f, "; {} of {} are ours", shares.own, shares.ports)?;
            write!(f, ", {} programs share them", shares.members)?;
        }
        for stranger in &shares.strangers {
            let pid = stranger.pid.map_or_else(String::new, |pid| format!("pid {pid}, "));
            write!(f, "; @{} is taken by a stranger ({pid}uid {})", stranger.name, stranger.uid)?;
        }
        Ok(())
    }
}
