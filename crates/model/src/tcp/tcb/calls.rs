//! What a program asks for (RFC 9293 §3.10.1 to §3.10.5).

use super::{Effects, Ended, Origin, Program, Report, Tcb};
use crate::state::State;
use crate::tcp::profile::{Profile, UnreadData};
use crate::tcp::segment::{Control, Segment};
use crate::tcp::seq::SeqNumber;
use crate::tcp::transition::Event;

impl Tcb {
    /// Opens a connection.
    pub fn open(&mut self, iss: SeqNumber) -> Effects {
        let mut effects = Effects::default();
        if matches!(self.state, State::Closed | State::Listen) {
            self.go(Event::ActiveOpen);
            self.origin = Origin::Active;
            self.program = Program::Holds;
            self.start_at(iss);
            effects.send(self.syn());
        }
        effects
    }

    /// Waits for a connection.
    pub fn listen(&mut self) -> Effects {
        if self.state == State::Closed {
            self.go(Event::PassiveOpen);
            self.program = Program::Holds;
        }
        Effects::default()
    }

    /// Writes so many octets.
    pub fn send(&mut self, octets: u32) -> Effects {
        let mut effects = Effects::default();
        if self.ended == Ended::No {
            match self.state {
                State::Established | State::CloseWait => {
                    self.snd_end = self.snd_end + octets;
                    self.send_rest(&mut effects);
                }
                State::SynSent | State::SynReceived => self.snd_end = self.snd_end + octets,
                State::Listen
                | State::FinWait1
                | State::FinWait2
                | State::Closing
                | State::LastAck
                | State::TimeWait
                | State::Closed => {}
            }
        }
        effects
    }

    /// Reads everything that was received.
    pub fn read(&mut self) {
        self.unread = 0;
    }

    /// Ends this direction; the program goes on reading (`shutdown(SHUT_WR)`).
    pub fn shutdown(&mut self) -> Effects {
        let mut effects = Effects::default();
        match self.state {
            State::SynReceived | State::Established | State::CloseWait => {
                self.go(Event::Close);
                self.ended = Ended::Yes;
                self.send_rest(&mut effects);
            }
            State::SynSent | State::Listen => {
                self.go(Event::Close);
                self.vanish();
            }
            State::FinWait1
            | State::FinWait2
            | State::Closing
            | State::LastAck
            | State::TimeWait
            | State::Closed => {}
        }
        effects
    }

    /// Ends this direction and reads no more (`close`).
    pub fn close(&mut self, profile: &Profile) -> Effects {
        self.program = Program::Gone;
        let loses_data = self.unread > 0 && profile.unread_data_at_close == UnreadData::Resets;
        if loses_data { self.abort() } else { self.shutdown() }
    }

    /// Gives the connection up (`SO_LINGER` of 0 s).
    pub fn abort(&mut self) -> Effects {
        let mut effects = Effects::default();
        self.program = Program::Gone;
        match self.state {
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait => {
                effects.send(self.reset());
                self.go(Event::Abort);
            }
            State::Listen | State::SynSent | State::Closing | State::LastAck | State::TimeWait => {
                self.go(Event::Abort);
            }
            State::Closed => {}
        }
        self.vanish();
        effects
    }

    /// The network says for certain that nobody will answer (RFC 9293 §3.9.2.2). It counts only while the connection is
    /// being opened (RFC 5927 §4.1): later such a message may be forged.
    pub fn refuse(&mut self) -> Effects {
        let mut effects = Effects::default();
        if self.state == State::SynSent {
            self.go(Event::GiveUp);
            self.vanish();
            effects.report = Some(Report::Refused);
        }
        effects
    }

    pub(super) fn start_at(&mut self, iss: SeqNumber) {
        self.iss = iss;
        self.snd_una = iss;
        self.snd_nxt = iss + 1;
        self.snd_end = iss + 1;
        self.ended = Ended::No;
        self.unread = 0;
    }

    pub(super) const fn syn(&self) -> Segment {
        Segment { window: self.rcv_wnd, ..Segment::new(self.iss, None, Control::SYN) }
    }

    pub(super) const fn syn_ack(&self) -> Segment {
        Segment { ack: Some(self.rcv_nxt), ..self.syn() }
    }
}
