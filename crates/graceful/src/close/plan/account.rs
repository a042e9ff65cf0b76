//! What a plan makes of an end: who was first, what was not delivered, who keeps `TIME_WAIT`, and how the descriptor goes.

use super::{Finish, Phase, Plan, Seen};
use crate::close::policy::AtDeadline;
use crate::close::report::{CloseReport, FirstFin, Outcome, TimeWait};
use lastack_model::state::State;
use std::time::Instant;

impl Plan {
    /// How it went; `None` before it is over.
    pub fn report(&self, now: Instant) -> Option<CloseReport> {
        let Phase::Over(outcome) = self.phase else { return None };
        Some(CloseReport {
            outcome,
            unacked: self.unacked.map(|numbers| self.octets(numbers)),
            discarded: self.discarded,
            first_fin: self.first_fin_known(),
            time_wait: self.time_wait(outcome),
            elapsed: now.saturating_duration_since(self.began),
        })
    }

    /// The program may have sent our FIN before it asked for this close, and then the connection broke.
    fn first_fin_known(&self) -> FirstFin {
        match self.first_fin {
            FirstFin::Neither if self.was_half_closed => FirstFin::Local,
            FirstFin::Neither if self.fin_sent => FirstFin::Unknown,
            known => known,
        }
    }

    /// Whether our FIN was acknowledged before the peer's came decides between `FIN_WAIT_2` and `CLOSING`.
    pub(super) fn who_was_first(&self, seen: Seen) -> FirstFin {
        match (self.was_half_closed, seen.unacked, seen.state) {
            (true, ..) => FirstFin::Local,
            (_, Some(1..), _) | (.., Some(State::Closing)) => FirstFin::Both,
            _ => FirstFin::LocalOrBoth,
        }
    }

    pub(super) fn finish(&self, outcome: Outcome) -> Finish {
        match (outcome, self.policy.at_deadline) {
            (Outcome::Orderly | Outcome::PeerReset | Outcome::Lost | Outcome::Gone, _) => {
                Finish::Close
            }
            // What still comes would be answered by a reset anyway.
            (Outcome::DiscardLimit, _) | (_, AtDeadline::Reset) => Finish::Reset,
            // A FIN in the midst of a message would call it whole.
            (_, AtDeadline::Orphan) if self.layer.kept > 0 => Finish::Reset,
            (_, AtDeadline::Orphan) => Finish::Close,
        }
    }

    fn time_wait(&self, outcome: Outcome) -> TimeWait {
        match (outcome, self.first_fin) {
            (Outcome::PeerReset | Outcome::DiscardLimit | Outcome::Lost, _)
            | (Outcome::Orderly, FirstFin::Neither) => TimeWait::Nobody,
            (Outcome::Gone, _) | (Outcome::Orderly, FirstFin::Unknown) => TimeWait::Unknown,
            (Outcome::Orderly, FirstFin::Local | FirstFin::LocalOrBoth) => TimeWait::Here,
            (Outcome::Orderly, FirstFin::Both) => TimeWait::Both,
            (Outcome::Orderly, FirstFin::Remote) => TimeWait::Peer,
            (Outcome::Acknowledged | Outcome::TimedOut, _) => match self.finish(outcome) {
                Finish::Reset => TimeWait::Nobody,
                Finish::Close => TimeWait::Open,
            },
        }
    }

    /// Of the message: a FIN is no octet and has the last number, before it comes the layer's end, and what the layer
    /// could not hand over has none yet.
    fn octets(&self, numbers: u32) -> u64 {
        let fin = u32::from(self.fin_sent && numbers > 0);
        u64::from(numbers - fin).saturating_sub(self.layer.said).saturating_add(self.layer.kept)
    }
}

/// Who was first, from the states before and after our FIN (RFC 9293 §3.3.2).
pub(super) fn first_fin(before: Option<State>, after: Option<State>) -> FirstFin {
    match (before, after) {
        (Some(State::CloseWait | State::LastAck), _) | (_, Some(State::LastAck)) => {
            FirstFin::Remote
        }
        (Some(State::Closing), _) | (_, Some(State::Closing)) => FirstFin::Both,
        // It ended meanwhile, by `TIME_WAIT` or by `LAST_ACK`.
        (_, Some(State::Closed | State::TimeWait)) => FirstFin::Unknown,
        _ => FirstFin::Local,
    }
}
