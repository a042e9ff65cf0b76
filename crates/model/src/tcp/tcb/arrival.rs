//! What an arriving segment does (RFC 9293 §3.10.7), check by check in the RFC's order.

use super::{Effects, Origin, Program, Progress, Report, Tcb, Wait};
use crate::state::State;
use crate::tcp::profile::{OldSegment, Profile, SynInConnection, TimeWaitReset};
use crate::tcp::segment::{Control, Segment};
use crate::tcp::seq::SeqNumber;
use crate::tcp::transition::Event;

/// Whether a check lets the next one look at the segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Check {
    Passed,
    Done,
}

impl Tcb {
    /// A segment arrives; `iss` is the initial sequence number, should it open a connection.
    pub fn arrive(&mut self, segment: &Segment, iss: SeqNumber, profile: &Profile) -> Effects {
        let mut effects = Effects::default();
        let syn_fin = segment.has(Control::SYN.with(Control::FIN));
        if profile.drops_syn_fin && syn_fin {
            return effects;
        }
        match self.state {
            State::Closed => send_reply(&mut effects, segment.reset_in_reply()),
            State::Listen => self.at_listener(segment, iss, profile, &mut effects),
            State::SynSent => self.in_syn_sent(segment, profile, &mut effects),
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => self.in_connection(segment, iss, profile, &mut effects),
        }
        effects
    }

    /// §3.10.7.2.
    fn at_listener(
        &mut self,
        segment: &Segment,
        iss: SeqNumber,
        profile: &Profile,
        effects: &mut Effects,
    ) {
        let is_syn_ack = segment.has(Control::SYN) && segment.ack.is_some();
        let is_syn_fin = segment.has(Control::SYN.with(Control::FIN));
        let dropped = is_syn_ack && profile.listener_drops_syn_ack
            || is_syn_fin && profile.listener_drops_syn_fin;
        if segment.has(Control::RST) || dropped {
            return;
        }
        if segment.ack.is_some() {
            return send_reply(effects, segment.reset_in_reply());
        }
        if segment.has(Control::SYN) {
            self.go(Event::Syn);
            self.accept_syn(segment, iss, effects);
        }
    }

    pub(super) fn accept_syn(&mut self, segment: &Segment, iss: SeqNumber, effects: &mut Effects) {
        self.origin = Origin::Passive;
        self.program = Program::Holds;
        self.start_at(iss);
        self.rcv_nxt = segment.seq + 1;
        self.snd_wnd = segment.window;
        effects.send(self.syn_ack());
    }

    /// §3.10.7.3.
    fn in_syn_sent(&mut self, segment: &Segment, profile: &Profile, effects: &mut Effects) {
        let acknowledges = match segment.ack {
            Some(ack) if ack.distance_from(self.iss) != 1 => {
                return send_reply(effects, segment.reset_in_reply());
            }
            ack => ack.is_some(),
        };
        if segment.has(Control::RST) {
            if acknowledges {
                self.end(Event::Rst, Some(Report::Refused), effects);
            }
            return;
        }
        if !segment.has(Control::SYN) {
            return;
        }
        self.rcv_nxt = segment.seq + 1;
        self.snd_wnd = segment.window;
        if acknowledges {
            self.go(Event::SynAck);
            self.snd_una = self.snd_nxt;
            effects.report = Some(Report::Connected);
            effects.progress = Progress::Made;
            // Other controls and text in the segment are processed as well.
            let rest = segment.without_syn();
            if rest.sequence_length() > 0 {
                self.take_text_and_fin(&rest, profile, effects);
            } else {
                self.answer(effects);
            }
        } else {
            self.go(Event::Syn);
            effects.send(self.syn_ack());
        }
    }

    /// §3.10.7.4.
    fn in_connection(
        &mut self,
        segment: &Segment,
        iss: SeqNumber,
        profile: &Profile,
        effects: &mut Effects,
    ) {
        if self.state == State::TimeWait
            && self.in_time_wait(segment, iss, profile, effects) == Check::Done
        {
            return;
        }
        if self.at_small_socket(segment, profile, effects) == Check::Done {
            return;
        }
        if self.repeats_syn(segment) && profile.repeated_syn_draws_syn_ack {
            return effects.send(self.syn_ack());
        }
        let completes = self.completes_crossing(segment, profile);
        let checks = completes
            || self.check_sequence(segment, profile, effects) == Check::Passed
                && self.check_reset(segment, profile, effects) == Check::Passed
                && self.check_syn(segment, profile, effects) == Check::Passed;
        if checks && self.check_ack(segment, profile, effects) == Check::Passed {
            self.take_text_and_fin(segment, profile, effects);
        }
    }

    /// Whether it is the SYN,ACK with which the peer answers a SYN that crossed its own.
    fn completes_crossing(&self, segment: &Segment, profile: &Profile) -> bool {
        profile.syn_ack_completes_crossing
            && self.state == State::SynReceived
            && self.origin == Origin::Active
            && segment.control() == Control::SYN
            && segment.sequence_length() == 1
            && segment.seq + 1 == self.rcv_nxt
            && segment.ack == Some(self.snd_nxt)
    }

    /// Whether it is the SYN again that a listener made this connection for.
    fn repeats_syn(&self, segment: &Segment) -> bool {
        self.state == State::SynReceived
            && self.origin == Origin::Passive
            && segment.ack.is_none()
            && segment.control() == Control::SYN
            && segment.seq + 1 == self.rcv_nxt
    }

    /// First: is it in the window?
    fn check_sequence(
        &mut self,
        segment: &Segment,
        profile: &Profile,
        effects: &mut Effects,
    ) -> Check {
        if self.accepts(segment, profile) {
            return Check::Passed;
        }
        if self.resets_before_next(segment, profile) {
            return Check::Passed;
        }
        if segment.has(Control::RST) {
            return Check::Done;
        }
        // Where the acknowledgement decides about the segment, that was the answer.
        let decided = self.counts_though_old(segment, profile)
            && self.check_ack(&segment.acknowledgement_only(), profile, effects) == Check::Done;
        if !decided {
            effects.send(self.ack());
        }
        Check::Done
    }

    /// Whether what it acknowledges counts although all of it was received before.
    fn counts_though_old(&self, segment: &Segment, profile: &Profile) -> bool {
        let end = segment.seq + segment.sequence_length();
        let is_old = segment.seq.is_before(self.rcv_nxt) && !self.rcv_nxt.is_before(end);
        let ends_at_next = end == self.rcv_nxt;
        match profile.old_segment {
            OldSegment::Dropped => false,
            OldSegment::CountsAtNext => is_old && ends_at_next && !segment.has(Control::SYN),
            OldSegment::Counts => is_old && !segment.has(Control::SYN),
        }
    }

    /// Table 6 of §3.4, by the four cases of an empty or full segment and window.
    fn accepts(&self, segment: &Segment, profile: &Profile) -> bool {
        let length = segment.sequence_length();
        let window = self.rcv_wnd + u32::from(profile.right_edge_inclusive);
        let within = |seq: SeqNumber| seq.is_within(self.rcv_nxt, window);
        if profile.overrun_needs_empty_queue && self.overruns(segment) {
            return false;
        }
        match (length, self.rcv_wnd) {
            (0, 0) => segment.seq == self.rcv_nxt,
            (0, _) => within(segment.seq),
            (_, 0) => false,
            (_, _) => within(segment.seq) || within(segment.seq + (length - 1)),
        }
    }

    /// Whether octets reach beyond the window while the program has something to read.
    fn overruns(&self, segment: &Segment) -> bool {
        let edge = self.rcv_nxt + self.rcv_wnd;
        let something_waits = self.unread > 0 || self.fin_received();
        something_waits && segment.length > 0 && edge.is_before(segment.seq + segment.length)
    }

    fn resets_before_next(&self, segment: &Segment, profile: &Profile) -> bool {
        profile.reset_before_next
            && segment.has(Control::RST)
            && segment.seq + 1 == self.rcv_nxt
            && matches!(self.state, State::CloseWait | State::LastAck | State::Closing)
    }

    /// Second: a reset counts at exactly `RCV.NXT`; elsewhere in the window it is challenged (RFC 5961 §3).
    fn check_reset(
        &mut self,
        segment: &Segment,
        profile: &Profile,
        effects: &mut Effects,
    ) -> Check {
        if !segment.has(Control::RST) {
            return Check::Passed;
        }
        let exact = segment.seq == self.rcv_nxt
            || profile.reset_anywhere_in_window
            || self.resets_before_next(segment, profile);
        match self.state {
            State::TimeWait => {
                if exact && profile.time_wait_reset == TimeWaitReset::Ends {
                    self.end(Event::Rst, None, effects);
                }
            }
            _ if !exact => effects.send(self.ack()),
            State::SynReceived if self.origin == Origin::Passive => {
                self.go(Event::RstToListener);
                self.back_to_listener(profile);
            }
            State::SynReceived if !profile.crossing_is_reset => {
                self.end(Event::Rst, Some(Report::Refused), effects);
            }
            State::CloseWait if profile.reset_after_fin_breaks_pipe => {
                self.end(Event::Rst, Some(Report::BrokenPipe), effects);
            }
            _ => self.end(Event::Rst, Some(Report::Reset), effects),
        }
        Check::Done
    }

    /// A listener that is no connection of its own stays where it is; what it made goes away.
    pub(super) fn back_to_listener(&mut self, profile: &Profile) {
        self.vanish();
        if profile.listener_is_the_connection {
            self.state = State::Listen;
        }
    }

    /// Fourth: a SYN in a connection is challenged (RFC 5961 §4), or resets it as in RFC 793; one that a listener made and
    /// that is not established goes back to it.
    fn check_syn(&mut self, segment: &Segment, profile: &Profile, effects: &mut Effects) -> Check {
        if !segment.has(Control::SYN) {
            return Check::Passed;
        }
        let is_of_listener = self.state == State::SynReceived && self.origin == Origin::Passive;
        if is_of_listener && profile.listener_is_the_connection {
            self.go(Event::SynOfNewIncarnation);
            self.back_to_listener(profile);
            return Check::Done;
        }
        match profile.syn_in_connection {
            SynInConnection::Challenged => effects.send(self.ack()),
            SynInConnection::Resets => {
                effects.send(self.reset());
                self.end(Event::Abort, Some(Report::Reset), effects);
            }
        }
        Check::Done
    }

    /// Fifth: what does it acknowledge?
    fn check_ack(&mut self, segment: &Segment, profile: &Profile, effects: &mut Effects) -> Check {
        let Some(ack) = segment.ack else { return Check::Done };
        let is_new = self.snd_una.is_before(ack);
        if self.snd_nxt.is_before(ack) {
            match self.state {
                State::SynReceived => send_reply(effects, segment.reset_in_reply()),
                _ => effects.send(self.ack()),
            }
            return Check::Done;
        }
        if self.state == State::SynReceived {
            let suffices = profile.any_ack_completes_crossing && self.origin == Origin::Active;
            let completes = is_new || suffices && ack == self.snd_una;
            if !completes {
                send_reply(effects, segment.reset_in_reply());
                return Check::Done;
            }
            self.go(Event::AckOfSyn);
            effects.report = Some(Report::Connected);
        } else if profile.too_old_ack_challenged && self.is_too_old(ack) {
            effects.send(self.ack());
            return Check::Done;
        }
        if is_new {
            self.snd_una = ack;
            effects.progress = Progress::Made;
        }
        if self.snd_una == ack {
            self.snd_wnd = segment.window;
        }
        self.after_ack(segment, profile, effects)
    }

    /// Whether a number is further back than a window, and than anything that the peer can have acknowledged.
    fn is_too_old(&self, ack: SeqNumber) -> bool {
        // A listener's connection begins when its SYN has been acknowledged.
        let first = self.iss + u32::from(self.origin == Origin::Passive);
        let acknowledged = self.snd_una.distance_from(first);
        ack.is_before(self.snd_una - self.snd_wnd.min(acknowledged))
    }

    /// The acknowledgement of our FIN is what moves the closing states.
    fn after_ack(&mut self, segment: &Segment, profile: &Profile, effects: &mut Effects) -> Check {
        if !self.fin_acknowledged() {
            self.send_rest(effects);
            return Check::Passed;
        }
        match self.state {
            // With a FIN in the same segment it goes to TIME_WAIT at once, which the FIN's own step does.
            State::FinWait1 if !self.brings_fin(segment) => self.go(Event::AckOfFin),
            State::Closing => {
                self.go(Event::AckOfFin);
                effects.wait = Wait::Starts;
                if profile.closing_ends_silently {
                    return Check::Done;
                }
            }
            State::LastAck => {
                self.go(Event::AckOfFin);
                self.vanish();
                return Check::Done;
            }
            _ => {}
        }
        Check::Passed
    }

    pub(super) fn end(&mut self, event: Event, report: Option<Report>, effects: &mut Effects) {
        self.go(event);
        self.vanish();
        effects.report = report;
    }

    /// Acknowledges, together with what was waiting to be sent.
    fn answer(&mut self, effects: &mut Effects) {
        let nothing_waits = self.snd_end == self.snd_nxt;
        if nothing_waits {
            effects.send(self.ack());
        } else {
            self.send_rest(effects);
        }
    }
}

pub(super) fn send_reply(effects: &mut Effects, reply: Option<Segment>) {
    if let Some(reply) = reply {
        effects.send(reply);
    }
}
