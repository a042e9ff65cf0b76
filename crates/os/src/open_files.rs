//! How many files this process may have open, and more of them: programs begin with a low limit that they may raise
//! themselves (`RLIMIT_NOFILE`, getrlimit(2)).

use crate::{Error, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets the process have so many files open, as far as its hard limit goes, and says how many it may have now. Never
/// lowers the limit.
pub fn raise(wanted: u64) -> Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` is no limit.
    let Some(current) = current else { return Ok(u64::MAX) };
    let reachable = maximum.map_or(wanted, |maximum| wanted.min(maximum));
    if reachable <= current {
        return Ok(current);
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), maximum }).map_err(|cause| {
        Error::new("raise", format!("the limit of open files to {reachable}"), cause)
    })?;
    Ok(reachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_goes_up_as_far_as_it_may_and_never_down() {
        let before = raise(0).expect("the limit");
        let maximum = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let wanted = (before + 1).min(maximum);
        assert_eq!(raise(wanted).expect("more"), wanted.max(before));
        assert_eq!(raise(3).expect("no less"), wanted.max(before));
        let most = raise(u64::MAX);
        assert!(most.is_err() || most.is_ok_and(|most| most >= wanted && most <= maximum));
    }
}
