//! What a system has around a connection: its listener and whether a program has accepted it, what the program asked of
//! the socket, and the segments that came before their turn.
//!
//! The connection itself follows the rules of [`Tcb`]. A listener on Linux is a socket of its own, which outlives what it
//! makes (`inet_csk_clone_lock`); by the RFC the listener becomes the connection.

use super::{Call, Start};
use crate::state::State;
use crate::tcp::profile::Profile;
use crate::tcp::segment::{Control, Segment};
use crate::tcp::seq::SeqNumber;
use crate::tcp::tcb::{Effects, Origin, Program, Report, Tcb, Timer, Wait};

/// Around a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Socket {
    /// A listener is there, whether or not it has made a connection.
    listens: bool,
    /// The connection is the program's, and not one in a queue.
    accepted: bool,
    /// Its listener was closed while it was half open. It is forgotten when the next segment finds it
    /// (`tcp_v4_rcv`, `inet_csk_reqsk_queue_drop_and_put`).
    deserted: bool,
    /// The program has ended both directions and still holds it.
    deaf: bool,
    keeps_alive: bool,
    no_fin_wait_2: bool,
    /// What came before its turn (`tcp_data_queue_ofo`).
    ahead: Ahead,
}

/// What becomes of a segment that comes before its turn.
#[derive(Clone, Debug)]
enum Ahead {
    /// It is kept (RFC 9293 §3.10.7.4: should be).
    Kept(Vec<Segment>),
    /// It is dropped, and comes again.
    Dropped,
}

impl Default for Ahead {
    fn default() -> Self {
        Self::Kept(Vec::new())
    }
}

/// What a step gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) segments: Vec<Segment>,
    pub(super) report: Option<Report>,
    pub(super) wait: Wait,
}

impl Socket {
    pub(super) fn of(start: Start) -> Self {
        Self { accepted: start == Start::Connected, ..Self::default() }
    }

    pub(super) fn drop_what_is_ahead(&mut self) {
        self.ahead = Ahead::Dropped;
    }

    pub(super) const fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// A program asks for something.
    pub(super) fn call(
        &mut self,
        tcb: &mut Tcb,
        call: Call,
        iss: SeqNumber,
        profile: &Profile,
    ) -> Given {
        self.accepted |= !matches!(call, Call::Listen | Call::CloseListener | Call::Destroy);
        let ends = !matches!(call, Call::Accept | Call::Read | Call::KeepAlive | Call::UserTimeout);
        if tcb.state == State::Listen && ends {
            self.listens = false;
        }
        let effects = match call {
            Call::Connect => tcb.open(iss),
            Call::Listen => {
                self.listens = true;
                tcb.listen()
            }
            Call::Write(octets) => tcb.send(octets),
            Call::Read => {
                tcb.read();
                Effects::default()
            }
            Call::Shutdown => tcb.shutdown(),
            Call::ShutdownBoth => {
                self.deaf = true;
                tcb.shutdown()
            }
            Call::Close | Call::Die | Call::Exit => return self.close(tcb, profile),
            Call::Abort => tcb.abort(),
            Call::Disconnect => return held(tcb, Report::Reset),
            Call::Destroy => return held(tcb, Report::Aborted),
            Call::CloseListener => self.close_listener(tcb, profile),
            Call::KeepAlive => {
                self.keeps_alive = true;
                Effects::default()
            }
            Call::NoFinWait2 => {
                self.no_fin_wait_2 = true;
                Effects::default()
            }
            Call::Accept | Call::UserTimeout => Effects::default(),
        };
        Given::of(&effects)
    }

    /// Without a `FIN_WAIT_2` there is none to close in (`tcp_close`).
    fn close(&self, tcb: &mut Tcb, profile: &Profile) -> Given {
        let aborts = self.no_fin_wait_2 && tcb.state == State::FinWait2;
        Given::of(&if aborts { tcb.abort() } else { tcb.close(profile) })
    }

    /// What is in the queue is reset, not closed: nobody has accepted it (`inet_csk_listen_stop`).
    fn close_listener(&mut self, tcb: &mut Tcb, profile: &Profile) -> Effects {
        self.listens = false;
        match tcb.state {
            State::Listen => tcb.close(profile),
            _ if self.accepted => Effects::default(),
            State::SynReceived if !profile.listener_is_the_connection => {
                self.deserted = true;
                Effects::default()
            }
            _ => tcb.abort(),
        }
    }

    /// The state that a segment meets. A listener that has made a connection is there for the next one.
    pub(super) fn meets(&mut self, tcb: &mut Tcb, segment: &Segment, profile: &Profile) -> State {
        if std::mem::take(&mut self.deserted) {
            let _forgotten = tcb.timeout(Timer::GiveUp);
        }
        let may_open = segment.control() == Control::SYN && segment.ack.is_none();
        let outlives = self.listens && !profile.listener_is_the_connection;
        if tcb.state == State::Closed && outlives && may_open {
            let _again = tcb.listen();
        }
        if matches!(tcb.state, State::Listen | State::TimeWait) && may_open {
            self.accepted &= profile.listener_is_the_connection;
            self.deaf = false;
        }
        tcb.state
    }

    /// A segment arrives.
    pub(super) fn arrive(
        &mut self,
        tcb: &mut Tcb,
        segment: &Segment,
        iss: SeqNumber,
        profile: &Profile,
    ) -> Given {
        let (before, next, holds) = (tcb.state, tcb.rcv_nxt, tcb.program);
        if self.deaf {
            tcb.program = Program::Gone;
        }
        let mut given = Given::of(&tcb.arrive(segment, iss, profile));
        if self.deaf {
            tcb.program = holds;
            let read_no_more = before != tcb.state && segment.length > 0;
            if tcb.state == State::Closed && read_no_more {
                given.report = Some(Report::Reset);
            }
        }
        if tcb.state != State::Closed
            && next.is_before(segment.seq)
            && segment.sequence_length() > 0
        {
            if let Ahead::Kept(ahead) = &mut self.ahead {
                ahead.push(*segment);
            }
        } else if tcb.rcv_nxt != next {
            self.take_ahead(tcb, iss, profile, &mut given);
        }
        self.refuse_fin_wait_2(tcb, segment, &mut given);
        self.fall_back(tcb, before, profile);
        given
    }

    /// What was kept is in turn now; one acknowledgement answers all of it.
    fn take_ahead(&mut self, tcb: &mut Tcb, iss: SeqNumber, profile: &Profile, given: &mut Given) {
        let Ahead::Kept(ahead) = &mut self.ahead else { return };
        let (due, kept): (Vec<_>, Vec<_>) =
            ahead.drain(..).partition(|segment: &Segment| !tcb.rcv_nxt.is_before(segment.seq));
        *ahead = kept;
        for segment in due {
            let more = Given::of(&tcb.arrive(&segment, iss, profile));
            given.segments = more.segments;
            given.report = more.report.or(given.report);
            given.wait = more.wait;
        }
    }

    /// `TCP_LINGER2` below 0: what would wait is reset (`tcp_rcv_state_process`, case `TCP_FIN_WAIT1`).
    fn refuse_fin_wait_2(&self, tcb: &mut Tcb, segment: &Segment, given: &mut Given) {
        if self.no_fin_wait_2 && tcb.state == State::FinWait2 && tcb.program == Program::Gone {
            let _silently = tcb.abort();
            given.segments = segment.reset_in_reply().into_iter().collect();
        }
    }

    /// What was half open and is gone leaves its listener behind.
    fn fall_back(&self, tcb: &mut Tcb, before: State, profile: &Profile) {
        let is_own = tcb.origin == Origin::Passive || !profile.listener_is_the_connection;
        if before == State::SynReceived && tcb.state == State::Closed && self.listens && is_own {
            let _again = tcb.listen();
        }
    }

    /// A timer ran out.
    pub(super) fn timeout(&self, tcb: &mut Tcb, timer: Timer, profile: &Profile) -> Given {
        if timer == Timer::GiveUp && self.gives_up_idle(tcb) {
            // The peer is reset, should it be there after all (`tcp_keepalive_timer`).
            return held(tcb, Report::TimedOut);
        }
        let before = tcb.state;
        let given = Given::of(&tcb.timeout(timer));
        if !profile.listener_is_the_connection {
            self.fall_back(tcb, before, profile);
        }
        given
    }

    /// Whether the connection is idle and asks, so that it can be given up without anything outstanding.
    pub(super) fn gives_up_idle(&self, tcb: &Tcb) -> bool {
        self.keeps_alive && is_open(tcb.state) && tcb.outstanding() == 0
    }

    /// The question of keepalive: a number that was acknowledged long ago (RFC 9293 §3.8.4).
    pub(super) fn probe(&self, tcb: &Tcb) -> Option<Segment> {
        let ack = Some(tcb.rcv_nxt);
        let probe = Segment::new(tcb.snd_nxt - 1, ack, Control::NONE);
        self.gives_up_idle(tcb).then_some(probe)
    }
}

/// The connection is given up and the program keeps its socket, on which it is told this.
fn held(tcb: &mut Tcb, report: Report) -> Given {
    let was_open = tcb.state != State::Closed;
    let program = tcb.program;
    let given = Given::of(&tcb.abort());
    tcb.program = program;
    Given { report: was_open.then_some(report), ..given }
}

const fn is_open(state: State) -> bool {
    matches!(state, State::Established | State::CloseWait)
}

impl Given {
    fn of(effects: &Effects) -> Self {
        let segments = effects.segments().collect();
        Self { segments, report: effects.report, wait: effects.wait }
    }
}
