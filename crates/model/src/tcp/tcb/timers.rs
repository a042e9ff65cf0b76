//! What happens when a timer runs out (RFC 9293 §3.10.8), and which timers a block wants to run.

use super::{Effects, Program, Report, Tcb};
use crate::state::State;
use crate::tcp::profile::Profile;
use crate::tcp::segment::{Control, Segment};
use crate::tcp::transition::Event;

/// A timer of a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Timer {
    /// Something sent is not acknowledged: it is sent again.
    Retransmit,
    /// It was sent again often enough, or the peer gave no sign of life for long enough.
    GiveUp,
    /// No program will read, and the peer has not closed.
    FinWait2,
    /// Twice the segment lifetime after the last acknowledgement.
    TimeWait,
}

impl Tcb {
    /// True when this timer should run.
    pub fn wants(&self, timer: Timer, profile: &Profile) -> bool {
        match timer {
            Timer::Retransmit | Timer::GiveUp => self.outstanding() > 0,
            Timer::FinWait2 => {
                profile.fin_wait_2_ends
                    && self.state == State::FinWait2
                    && self.program == Program::Gone
            }
            Timer::TimeWait => self.state == State::TimeWait,
        }
    }

    /// A timer ran out.
    pub fn timeout(&mut self, timer: Timer) -> Effects {
        let mut effects = Effects::default();
        match (timer, self.state) {
            (Timer::Retransmit, _) => self.retransmit(&mut effects),
            (Timer::GiveUp, State::Closed | State::Listen | State::TimeWait) => {}
            (Timer::GiveUp, _) => {
                self.go(Event::GiveUp);
                effects.report = Some(Report::TimedOut);
                self.vanish();
            }
            (Timer::FinWait2, State::FinWait2) => {
                self.go(Event::FinWait2Over);
                self.vanish();
            }
            (Timer::TimeWait, State::TimeWait) => {
                self.go(Event::TimeWaitOver);
                self.vanish();
            }
            (Timer::FinWait2 | Timer::TimeWait, _) => {}
        }
        effects
    }

    /// How many sequence numbers wait for their acknowledgement.
    pub fn outstanding(&self) -> u32 {
        match self.state {
            State::Closed | State::Listen | State::TimeWait | State::FinWait2 => 0,
            State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::CloseWait
            | State::Closing
            | State::LastAck => self.snd_nxt.distance_from(self.snd_una),
        }
    }

    /// Everything that is not acknowledged, in one segment.
    fn retransmit(&self, effects: &mut Effects) {
        if self.outstanding() == 0 {
            return;
        }
        effects.send(match self.state {
            State::SynSent => self.syn(),
            State::SynReceived => self.syn_ack(),
            // Established without the acknowledgement of our SYN, see `any_ack_completes_crossing`.
            State::Established | State::CloseWait if self.snd_una == self.iss => self.syn_ack(),
            _ => {
                let control = if self.fin_sent() { Control::FIN } else { Control::NONE };
                let length = self.snd_end.distance_from(self.snd_una);
                Segment { seq: self.snd_una, control, length, ..self.ack() }
            }
        });
    }
}
