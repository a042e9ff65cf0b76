//! Trying again until a deadline: whether it can help, and how long to pause.
//!
//! The next attempt is the only test that counts, so nothing is asked of the kernel but the bind itself. With the feature
//! `explain` the pause follows from what stands in the way, and the reason given at the end is one of that moment.

use super::bound::Failed;
use super::error::{BindError, Reason};
#[cfg(feature = "explain")]
use super::explain::Picture;
use std::time::{Duration, Instant};

/// The attempts of one call.
#[derive(Debug)]
pub(super) struct Retry {
    deadline: Option<Instant>,
    began: Instant,
    attempts: u32,
    #[cfg(feature = "explain")]
    picture: Picture,
}

impl Retry {
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        Self {
            deadline,
            began: Instant::now(),
            attempts: 0,
            #[cfg(feature = "explain")]
            picture: Picture::default(),
        }
    }

    /// Sleeps until the next attempt is due, or says why there is none.
    pub(super) fn wait(&mut self, failed: Failed) -> Result<(), BindError> {
        let pause = self.pause(failed)?;
        #[cfg(feature = "explain")]
        self.picture.sleep(pause);
        #[cfg(not(feature = "explain"))]
        std::thread::sleep(pause);
        Ok(())
    }

    /// The same without blocking the thread.
    #[cfg(feature = "tokio")]
    pub(super) async fn wait_under_tokio(&mut self, failed: Failed) -> Result<(), BindError> {
        let pause = self.pause(failed)?;
        #[cfg(feature = "explain")]
        self.picture.sleep_under_tokio(pause).await;
        #[cfg(not(feature = "explain"))]
        ::tokio::time::sleep(pause).await;
        Ok(())
    }

    /// How long until the next attempt is due, or why there is none.
    fn pause(&mut self, failed: Failed) -> Result<Duration, BindError> {
        self.attempts += 1;
        let may_pass =
            matches!(failed.error.reason(), Reason::AddressInUse | Reason::AddressNotAvailable);
        let now = Instant::now();
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        match left {
            Some(left) if may_pass && !left.is_zero() => Ok(self.affordable(&failed).min(left)),
            _ => {
                let waited = (self.attempts > 1).then(|| self.began.elapsed());
                Err(BindError { waited, ..told(failed) })
            }
        }
    }

    #[cfg(feature = "explain")]
    fn affordable(&mut self, failed: &Failed) -> Duration {
        self.picture.look(failed, self.began).unwrap_or(PAUSE)
    }

    #[cfg(not(feature = "explain"))]
    #[expect(
        clippy::unused_self,
        reason = "with the feature `explain` it depends on what was seen"
    )]
    const fn affordable(&mut self, _: &Failed) -> Duration {
        PAUSE
    }
}

/// The error with as much as can be said of it.
pub(super) fn told(failed: Failed) -> BindError {
    #[cfg(feature = "explain")]
    let explanation = super::explain::explanation(&failed).map(Box::new);
    #[cfg(feature = "explain")]
    return BindError { explanation, ..*failed.error };
    #[cfg(not(feature = "explain"))]
    *failed.error
}

/// Where nothing is known of what stands in the way. A refused bind costs some microseconds.
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::super::socket::Operation;
    use super::*;
    use rustix::io::Errno;

    /// A refusal that no socket is looked for.
    fn refused(errno: Errno) -> Failed {
        Failed::new(BindError::new(Operation::Bind, None, errno), None)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn what_time_may_change_is_tried_again_until_the_deadline() {
        for errno in [Errno::ADDRINUSE, Errno::ADDRNOTAVAIL] {
            let mut retry = Retry::new(Some(soon()));
            let pause = retry.pause(refused(errno)).expect("time is left");
            assert!(pause > Duration::ZERO && pause <= Duration::from_millis(20), "{pause:?}");
            while retry.wait(refused(errno)).is_ok() {}
            let error = retry.pause(refused(errno)).expect_err("it is over");
            assert!(error.waited() >= Some(Duration::from_millis(20)), "{error:?}");
        }
    }

    #[test]
    fn what_time_does_not_change_is_told_at_once_as_is_anything_without_a_deadline() {
        let error = Retry::new(Some(soon())).pause(refused(Errno::ACCESS)).expect_err("for good");
        assert_eq!((error.reason(), error.waited()), (Reason::NotPermitted, None));
        let error = Retry::new(None).pause(refused(Errno::ADDRINUSE)).expect_err("no deadline");
        assert_eq!((error.reason(), error.waited()), (Reason::AddressInUse, None));
    }
}
