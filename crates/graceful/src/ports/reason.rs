//! Why somebody waits for a port, in words for whoever watches.

use super::pool::Ports;
use super::sharing::Shares;
use lastack_model::ids::Inode;
use lastack_model::ports::Standing;
use std::fmt;
use std::net::SocketAddr;

/// Why there is no port toward a destination at present, or none to wait for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reason {
    /// Where to.
    pub destination: SocketAddr,
    /// How the pool stands toward it.
    pub standing: Standing,
    /// How the ports are shared, where they are.
    pub shares: Option<Shares>,
    /// Programs that have some of the ports, each with its pid and how many, as far as they are seen.
    pub holders: Vec<(String, u32, usize)>,
}

impl Ports {
    /// Why somebody waits for a port toward this destination. Finding out who holds ports walks all processes, which takes
    /// some milliseconds: ask for what you show.
    pub fn reason(&self, destination: SocketAddr) -> Reason {
        let standing = self.standing(destination);
        let state = self.state();
        let (shares, held_by) = (state.shares.clone(), state.held_by.clone());
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
        Reason { destination, standing, shares, holders }
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
        write!(f, "waiting for a port toward {}: {}", self.destination, self.standing)?;
        for (name, pid, count) in &self.holders {
            write!(f, "; {name} (pid {pid}) holds {count}")?;
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
