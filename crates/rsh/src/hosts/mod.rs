//! Lists of hosts as people type them: `node[1-9,12],admin@gate`, `@file`, `-`, and what is taken out of them.
//!
//! The order is that of the list, and a host that is named twice is meant once. Numbers are padded as wide as the first
//! of their range, as pdsh does it. A list is counted before it is written out, so that `n[1-999999999]` is an error
//! and not a full memory.

mod error;
mod fold;
mod list;
mod pattern;

pub use error::{Error, Fault};
pub use fold::fold;
pub use list::{HostList, Place, read_place};

use std::fmt;
use std::sync::Arc;

/// A host, and the user there if one was named.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Host {
    /// The user, as in `user@host`.
    pub user: Option<Arc<str>>,
    /// Its name or address; an IPv6 address without its brackets.
    pub name: Arc<str>,
}

/// The most hosts that a list may name.
pub const MOST_HOSTS: usize = 100_000;

/// The hosts of one list without files: `r[1-2]n[1-4],gate`, in order, each once.
///
/// # Errors
///
/// Where it is no list, names a file, or names more than [`MOST_HOSTS`].
pub fn expand(text: &str) -> Result<Vec<Host>, Error> {
    let mut list = HostList::default();
    list.add(text, &mut |place| Err(Error::new(place.to_string(), Fault::NoFileHere)))?;
    Ok(list.into_hosts())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{user}@{}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests;
