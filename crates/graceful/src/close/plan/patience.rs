//! How long a plan waits for what: every wait has an end, and a look in between where nothing would wake the driver.

use super::{Phase, Plan, Want};
use crate::close::report::Outcome;
use std::time::{Duration, Instant};

impl Plan {
    pub(super) fn want_sent(&self, octets: u64) -> Want {
        if self.peer_ended || self.is_shut_down() {
            Want::Send(octets, self.next_look())
        } else {
            Want::SendAndRead(octets, self.next_look())
        }
    }

    /// The peer's FIN, until then.
    pub(super) fn want_end(&self, until: Instant) -> Want {
        if self.is_shut_down() {
            Want::Pause(until.min(self.next_pause()))
        } else {
            Want::Read(until)
        }
    }

    /// The peer had its time to close first.
    pub(super) fn go_first_if_due(&mut self, now: Instant) {
        if let Phase::RemoteFirst(until) = self.phase
            && until.min(self.end()) <= now
        {
            self.last_sign = now;
            self.phase = self.before_fin();
        }
    }

    pub(super) fn give_up_if_due(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Over(_)) || now < self.limit() {
            return;
        }
        let has_to_send = matches!(self.phase, Phase::Kept | Phase::Farewell);
        let is_acknowledged = self.unacked == Some(0) && !has_to_send;
        let outcome = if is_acknowledged { Outcome::Acknowledged } else { Outcome::TimedOut };
        self.phase = Phase::Over(outcome);
    }

    /// Until when the peer's FIN is awaited after ours, or a look is due.
    pub(super) fn drain_until(&self) -> Instant {
        match self.unacked {
            Some(0) => self.limit(),
            Some(_) => self.next_look(),
            None => self.next_look().min(after(self.looked, FIRST_LOOK)),
        }
    }

    /// When patience ends: with the whole, and with silence unless the peer was given time to close first.
    pub(super) fn limit(&self) -> Instant {
        match self.phase {
            Phase::RemoteFirst(_) => self.end(),
            _ => self.end().min(after(self.last_sign, self.policy.idle)),
        }
    }

    pub(super) fn end(&self) -> Instant {
        after(self.began, self.policy.total)
    }

    pub(super) fn next_pause(&self) -> Instant {
        after(self.looked, self.pause)
    }

    /// Nothing wakes a reader when octets are acknowledged; seen too late they would make silence too long.
    pub(super) fn next_look(&self) -> Instant {
        self.limit().min(after(self.looked, self.policy.idle / 4))
    }
}

/// So much later; a time beyond what the clock can tell is as good as never.
pub(crate) fn after(moment: Instant, time: Duration) -> Instant {
    moment.checked_add(time).unwrap_or_else(|| moment + NEVER)
}

/// A century.
const NEVER: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);
/// An answer over a fast network comes within this time.
pub(super) const FIRST_PAUSE: Duration = Duration::from_micros(200);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// How much is acknowledged is looked at so soon where it was not when our FIN was sent. A peer nearby has closed by then.
const FIRST_LOOK: Duration = Duration::from_millis(50);
