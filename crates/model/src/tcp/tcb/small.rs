//! Sockets that are none yet or no more. Some systems keep only what they must of a connection that is being opened, or
//! that waits for nothing but the peer's FIN; such a small socket judges segments by rules of its own.

use super::arrival::{Check, send_reply};
use super::{Effects, Origin, Program, Tcb};
use crate::state::State;
use crate::tcp::profile::Profile;
use crate::tcp::segment::{Control, Segment};
use crate::tcp::transition::Event;

impl Tcb {
    /// What is decided before the checks of a whole socket.
    pub(super) fn at_small_socket(
        &mut self,
        segment: &Segment,
        profile: &Profile,
        effects: &mut Effects,
    ) -> Check {
        let is_request = self.state == State::SynReceived && self.origin == Origin::Passive;
        if is_request && profile.small_request {
            return self.at_request(segment, profile, effects);
        }
        let is_orphan = self.state == State::FinWait2 && self.program == Program::Gone;
        if is_orphan && profile.small_fin_wait_2 {
            self.in_small_fin_wait_2(segment, effects);
            return Check::Done;
        }
        let [syn, rst] = [Control::SYN, Control::RST].map(|bit| segment.has(bit));
        let says_nothing = segment.ack.is_none() && !syn && !rst;
        let in_time_wait = self.state == State::TimeWait;
        if says_nothing && profile.drops_without_ack && !in_time_wait {
            return Check::Done;
        }
        Check::Passed
    }

    /// `tcp_check_req`, in its order.
    fn at_request(&mut self, segment: &Segment, profile: &Profile, effects: &mut Effects) -> Check {
        let [syn, rst] = [Control::SYN, Control::RST].map(|bit| segment.has(bit));
        let first = segment.seq + 1 == self.rcv_nxt;
        if first && syn && !rst && segment.ack.is_none() && profile.repeated_syn_draws_syn_ack {
            effects.send(self.syn_ack());
            return Check::Done;
        }
        if segment.ack.is_some_and(|ack| ack != self.snd_nxt) && !rst {
            send_reply(effects, segment.reset_in_reply());
            return Check::Done;
        }
        if !self.is_in_small_window(segment) {
            if !rst {
                effects.send(self.ack());
            }
            return Check::Done;
        }
        if syn && !rst && !first {
            send_reply(effects, segment.reset_in_reply());
            self.go(Event::RstToListener);
            self.back_to_listener(profile);
            return Check::Done;
        }
        if segment.ack.is_none() && !rst { Check::Done } else { Check::Passed }
    }

    /// `tcp_timewait_state_process` with the substate `TCP_FIN_WAIT2`. What a segment acknowledges is not looked at.
    fn in_small_fin_wait_2(&mut self, segment: &Segment, effects: &mut Effects) {
        let end = segment.seq + segment.sequence_length();
        let [syn, rst] = [Control::SYN, Control::RST].map(|bit| segment.has(bit));
        if !self.is_in_small_window(segment) {
            effects.send(self.ack());
        } else if rst {
            self.end(Event::Rst, None, effects);
        } else if syn && !segment.seq.is_before(self.rcv_nxt) {
            self.reset_small(segment, effects);
        } else if segment.ack.is_none() || !self.rcv_nxt.is_before(end) || segment.seq == end {
            // It says nothing new.
        } else if segment.has(Control::FIN) && end == self.rcv_nxt + 1 {
            self.take_fin(effects);
            effects.send(self.ack());
        } else {
            self.reset_small(segment, effects);
        }
    }

    fn reset_small(&mut self, segment: &Segment, effects: &mut Effects) {
        send_reply(effects, segment.reset_in_reply());
        self.end(Event::Abort, None, effects);
    }

    /// `tcp_in_window`: what is empty may lie at the right edge, what is not must begin before it.
    fn is_in_small_window(&self, segment: &Segment) -> bool {
        let end = segment.seq + segment.sequence_length();
        let edge = self.rcv_nxt + self.rcv_wnd;
        segment.seq == self.rcv_nxt
            || self.rcv_nxt.is_before(end) && segment.seq.is_before(edge)
            || segment.seq == edge && segment.seq == end
    }
}
