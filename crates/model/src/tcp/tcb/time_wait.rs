//! What differs in `TIME_WAIT`: a SYN may open a new incarnation, and systems judge strays in ways of their own.

use super::arrival::Check;
use super::{Effects, Tcb, Wait};
use crate::tcp::profile::{Profile, TimeWaitJudgement, TimeWaitRestart};
use crate::tcp::segment::{Control, Segment};
use crate::tcp::seq::SeqNumber;
use crate::tcp::transition::Event;

impl Tcb {
    /// What differs in `TIME_WAIT`: a new incarnation, and what systems do with segments that cannot be part of the old.
    pub(super) fn in_time_wait(
        &mut self,
        segment: &Segment,
        iss: SeqNumber,
        profile: &Profile,
        effects: &mut Effects,
    ) -> Check {
        let is_new = segment.has(Control::SYN)
            && segment.ack.is_none()
            && !segment.has(Control::RST)
            && self.rcv_nxt.is_before(segment.seq);
        if is_new && segment.has(Control::FIN) && profile.time_wait_dies_of_syn_fin {
            self.vanish();
            return Check::Done;
        }
        if is_new && profile.time_wait_reopens {
            self.go(Event::SynOfNewIncarnation);
            self.accept_syn(segment, iss, effects);
            return Check::Done;
        }
        // The FIN that comes again lies before the window, where the RFC's first check would drop it before its eighth
        // could start the wait anew; so it is recognised here.
        let repeated_fin =
            segment.has(Control::FIN) && segment.seq + segment.sequence_length() == self.rcv_nxt;
        let any_ack = segment.ack.is_some() && profile.time_wait_restart == TimeWaitRestart::AnyAck;
        if (repeated_fin || any_ack) && !segment.has(Control::RST) {
            effects.wait = Wait::Starts;
        }
        let odd_fin = segment.has(Control::FIN) && segment.ack.is_none();
        if odd_fin && profile.time_wait_answers_fin_without_ack {
            effects.send(self.ack());
            return Check::Done;
        }
        if segment.has(Control::RST) || profile.time_wait_judgement == TimeWaitJudgement::Window {
            return Check::Passed;
        }
        self.judge_by_number(segment, profile, effects);
        Check::Done
    }

    /// Without a window: only what is exactly expected is left without an answer.
    fn judge_by_number(&self, segment: &Segment, profile: &Profile, effects: &mut Effects) {
        let silent_without_ack = !profile.time_wait_answers_fin_without_ack;
        if segment.ack.is_none() && silent_without_ack {
            return;
        }
        if segment.ack.is_some() && segment.has(Control::FIN) {
            effects.wait = Wait::Starts;
        }
        let all = profile.time_wait_judgement == TimeWaitJudgement::NextAndAll;
        let expected = segment.sequence_length() == 0
            && segment.seq == self.rcv_nxt
            && (!all || segment.ack == Some(self.snd_nxt));
        if !expected {
            effects.send(self.ack());
        }
    }
}
