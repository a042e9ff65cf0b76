//! What a segment carries (RFC 9293 §3.10.7.4, seventh and eighth): octets and the FIN behind them, and what becomes of
//! them where nobody will read them.

use super::arrival::{Check, send_reply};
use super::{Effects, Program, Report, Tcb, Wait};
use crate::state::State;
use crate::tcp::profile::Profile;
use crate::tcp::segment::{Control, Segment};
use crate::tcp::transition::Event;

impl Tcb {
    /// Seventh and eighth: the octets, and the FIN behind them. Only what continues what was received is taken; the rest
    /// is acknowledged as missing and comes again.
    pub(super) fn take_text_and_fin(
        &mut self,
        segment: &Segment,
        profile: &Profile,
        effects: &mut Effects,
    ) {
        if segment.sequence_length() == 0 {
            return;
        }
        if self.has_no_taker(segment, profile, effects) == Check::Done {
            return;
        }
        let fresh = self.fresh_octets(segment);
        if fresh > 0 && self.receives() {
            self.rcv_nxt = self.rcv_nxt + fresh;
            self.unread = self.unread.saturating_add(fresh);
        }
        if self.brings_fin(segment) {
            self.take_fin(effects);
        }
        let repeats = profile.repeats_fin_with_ack && self.fin_sent() && !self.fin_acknowledged();
        effects.send(if repeats { self.fin() } else { self.ack() });
    }

    /// What nobody will read: it comes after the peer's own FIN, or after the program has closed.
    fn has_no_taker(
        &mut self,
        segment: &Segment,
        profile: &Profile,
        effects: &mut Effects,
    ) -> Check {
        let octets_end = segment.seq + segment.length;
        let begins_late = !segment.seq.is_before(self.rcv_nxt);
        let lies_beyond = self.rcv_nxt.is_before(octets_end);
        let report = match self.state {
            State::CloseWait | State::Closing | State::LastAck if begins_late => {
                return if profile.silent_after_fin { Check::Done } else { Check::Passed };
            }
            State::CloseWait if profile.reset_after_fin_breaks_pipe => Some(Report::BrokenPipe),
            State::CloseWait | State::Closing | State::LastAck => Some(Report::Reset),
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::TimeWait => None,
        };
        let closed = self.program == Program::Gone && self.receives();
        let resets = match report {
            Some(_) => lies_beyond && profile.data_across_fin_resets,
            None if profile.early_after_close_resets => closed && lies_beyond,
            None => closed && self.fresh_octets(segment) > 0 && profile.data_after_close_resets,
        };
        if !resets {
            return Check::Passed;
        }
        send_reply(effects, segment.reset_in_reply());
        self.end(Event::Abort, report, effects);
        Check::Done
    }

    pub(super) fn take_fin(&mut self, effects: &mut Effects) {
        self.rcv_nxt = self.rcv_nxt + 1;
        effects.report = Some(Report::EndOfFile);
        match self.state {
            State::FinWait1 if self.fin_acknowledged() => {
                self.go(Event::FinAckOfFin);
                effects.wait = Wait::Starts;
            }
            State::FinWait2 => {
                self.go(Event::Fin);
                effects.wait = Wait::Starts;
            }
            _ => self.go(Event::Fin),
        }
    }

    /// True while the peer's direction is open.
    pub(in crate::tcp) const fn receives(&self) -> bool {
        matches!(
            self.state,
            State::SynReceived | State::Established | State::FinWait1 | State::FinWait2
        )
    }

    /// How many octets of the segment continue what was received.
    fn fresh_octets(&self, segment: &Segment) -> u32 {
        let end = segment.seq + segment.length;
        let continues = segment.seq == self.rcv_nxt || segment.seq.is_before(self.rcv_nxt);
        if continues && self.rcv_nxt.is_before(end) { end.distance_from(self.rcv_nxt) } else { 0 }
    }

    /// True when its FIN is the next number expected, its octets taken.
    pub(super) fn brings_fin(&self, segment: &Segment) -> bool {
        let fin_at = segment.seq + segment.length;
        let next = self.rcv_nxt + self.fresh_octets(segment);
        segment.has(Control::FIN) && fin_at == next && self.receives()
    }
}
