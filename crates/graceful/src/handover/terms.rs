//! On what terms two processes deal: whom one trusts, and how long it waits.

use lastack_model::ids::Uid;
use lastack_os::passing::{Channel, Peer};
use lastack_os::{Error, Result};
use rustix::process::geteuid;
use std::io::{Error as IoError, ErrorKind};
use std::time::{Duration, Instant};

/// Whom a process trusts that hands its listeners over or receives some, and how long it waits.
///
/// ```
/// use lastack_graceful::handover::Terms;
/// use std::time::Duration;
///
/// let terms = Terms::default().ready_within(Duration::from_secs(120)).trusting(33);
/// assert_eq!((terms.patience, terms.users), (Duration::from_secs(10), vec![33]));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Terms {
    /// How long one message is waited for.
    pub patience: Duration,
    /// How long a successor that has everything may take until it says that it is ready.
    pub readiness: Duration,
    /// Users that are trusted beside root and one's own (`SO_PEERCRED`). The path's mode admits only its owner and root,
    /// whatever stands here.
    pub users: Vec<u32>,
}

impl Terms {
    /// A successor may take so long until it is ready.
    #[must_use]
    pub fn ready_within(self, readiness: Duration) -> Self {
        Self { readiness, ..self }
    }

    /// Messages are waited for no longer than this.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// This user is trusted as well.
    #[must_use]
    pub fn trusting(mut self, uid: u32) -> Self {
        self.users.push(uid);
        self
    }

    /// When a message that is waited for from now on is late.
    pub(super) fn soon(&self) -> Instant {
        crate::close::plan::after(Instant::now(), self.patience)
    }

    /// Fails unless the other end is trusted.
    pub(super) fn require_trust(&self, channel: &Channel) -> Result<Peer> {
        let peer = channel.peer();
        let own = Uid(geteuid().as_raw());
        if peer.uid == own || peer.uid == Uid(0) || self.users.contains(&peer.uid.0) {
            return Ok(peer);
        }
        let cause = format!("it is neither of uid {own} nor root");
        let cause = IoError::new(ErrorKind::PermissionDenied, cause);
        Err(Error::new("deal with", peer.to_string(), cause).with_remedy("trust it in the terms"))
    }
}

impl Default for Terms {
    /// 10 s for a message and 60 s to get ready; nobody else trusted.
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(10),
            readiness: Duration::from_secs(60),
            users: Vec::new(),
        }
    }
}
