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
        if self.repeats_syn(segment) && profile.repeated_syn_draws_syn_ack {
            return effects.send(self.syn_ack());
        }
        let checks = self.check_sequence(segment, profile, effects) == Check::Passed
            && self.check_reset(segment, profile, effects) == Check::Passed
            && self.check_syn(segment, profile, effects) == Check::Passed
            && self.check_ack(segment, effects) == Check::Passed;
        if checks {
            self.take_text_and_fin(segment, profile, effects);
        }
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
        if self.counts_though_old(segment, profile) {
            self.check_ack(&segment.acknowledgement_only(), effects);
        }
        if self.state != State::Closed {
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
        match (length, self.rcv_wnd) {
            (0, 0) => segment.seq == self.rcv_nxt,
            (0, _) => within(segment.seq),
            (_, 0) => false,
            (_, _) => within(segment.seq) || within(segment.seq + (length - 1)),
        }
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
            State::SynReceived => self.end(Event::Rst, Some(Report::Refused), effects),
            State::CloseWait if profile.reset_after_fin_breaks_pipe => {
                self.end(Event::Rst, Some(Report::BrokenPipe), effects);
            }
            _ => self.end(Event::Rst, Some(Report::Reset), effects),
        }
        Check::Done
    }

    /// A listener that is no connection of its own stays where it is; what it made goes away.
    fn back_to_listener(&mut self, profile: &Profile) {
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
    fn check_ack(&mut self, segment: &Segment, effects: &mut Effects) -> Check {
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
            if !is_new {
                send_reply(effects, segment.reset_in_reply());
                return Check::Done;
            }
            self.go(Event::AckOfSyn);
            effects.report = Some(Report::Connected);
        }
        if is_new {
            self.snd_una = ack;
            effects.progress = Progress::Made;
        }
        if self.snd_una == ack {
            self.snd_wnd = segment.window;
        }
        self.after_ack(segment, effects)
    }

    /// The acknowledgement of our FIN is what moves the closing states.
    fn after_ack(&mut self, segment: &Segment, effects: &mut Effects) -> Check {
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

    /// Seventh and eighth: the octets, and the FIN behind them. Only what continues what was received is taken; the rest
    /// is acknowledged as missing and comes again.
    fn take_text_and_fin(&mut self, segment: &Segment, profile: &Profile, effects: &mut Effects) {
        if segment.sequence_length() == 0 {
            return;
        }
        let fresh = self.fresh_octets(segment);
        if fresh > 0 && self.receives() {
            if self.program == Program::Gone && profile.data_after_close_resets {
                send_reply(effects, segment.reset_in_reply());
                self.end(Event::Abort, None, effects);
                return;
            }
            self.rcv_nxt = self.rcv_nxt + fresh;
            self.unread = self.unread.saturating_add(fresh);
        }
        if self.brings_fin(segment) {
            self.take_fin(effects);
        }
        let repeats = profile.repeats_fin_with_ack && self.fin_sent() && !self.fin_acknowledged();
        effects.send(if repeats { self.fin() } else { self.ack() });
    }

    fn take_fin(&mut self, effects: &mut Effects) {
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
    fn brings_fin(&self, segment: &Segment) -> bool {
        let fin_at = segment.seq + segment.length;
        let next = self.rcv_nxt + self.fresh_octets(segment);
        segment.has(Control::FIN) && fin_at == next && self.receives()
    }

    fn end(&mut self, event: Event, report: Option<Report>, effects: &mut Effects) {
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

fn send_reply(effects: &mut Effects, reply: Option<Segment>) {
    if let Some(reply) = reply {
        effects.send(reply);
    }
}
