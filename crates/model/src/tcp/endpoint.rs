//! One end of a connection with a clock: a [`Tcb`] whose timers run.
//!
//! Sans-IO. Say what happens and when (`handle_segment`, `close`, …), send what [`Endpoint::poll_transmit`] gives, sleep
//! until [`Endpoint::next_timeout`], then call [`Endpoint::handle_timeout`].

use super::moment::Moment;
use super::profile::Profile;
use super::segment::{Control, Segment};
use super::seq::SeqNumber;
use super::tcb::{Effects, Program, Progress, Report, Tcb, Timer, Wait};
use crate::state::State;
use std::collections::VecDeque;

/// One end of a connection.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What it knows.
    pub tcb: Tcb,
    /// What its program asked for.
    wishes: Wishes,
    profile: Profile,
    outbox: VecDeque<Segment>,
    reports: VecDeque<Report>,
    /// What came before its turn (RFC 9293 §3.10.7.4, first: it may be held until then).
    early: Vec<Segment>,
    deadlines: [Option<Moment>; ALARMS.len()],
    /// How often what is not acknowledged was sent again.
    repeats: u32,
    probes: u32,
}

/// What a program asks of its connection beside the calls: socket options.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wishes {
    /// How long a `FIN_WAIT_2` without a program lasts (`TCP_LINGER2`).
    pub fin_wait_2: FinWait2Wish,
    /// How long something may stay unacknowledged (`TCP_USER_TIMEOUT`, RFC 5482).
    pub user_timeout: Option<Moment>,
    /// Whether a silent peer is asked for a sign of life (`SO_KEEPALIVE`).
    pub keeps_alive: bool,
    /// How it is asked.
    pub keepalive: Keepalive,
}

/// How long a `FIN_WAIT_2` without a program lasts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FinWait2Wish {
    /// As long as the system says.
    #[default]
    System,
    /// So long.
    For(Moment),
    /// Not at all: a negative number.
    Never,
}

/// How a silent peer is asked (`TCP_KEEPIDLE`, `TCP_KEEPINTVL`, `TCP_KEEPCNT`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keepalive {
    /// After so long a silence.
    pub idle: Moment,
    /// So long from one question to the next.
    pub interval: Moment,
    /// How many questions may go unanswered.
    pub count: u32,
}

/// What can wake an end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Alarm {
    /// A timer of the block.
    Timer(Timer),
    /// The peer is asked for a sign of life.
    Keepalive,
}

impl Default for Keepalive {
    /// The defaults of Linux (`tcp_keepalive_time`, `tcp_keepalive_intvl`, `tcp_keepalive_probes`).
    fn default() -> Self {
        Self { idle: Moment::of_secs(7200), interval: Moment::of_secs(75), count: 9 }
    }
}

impl Endpoint {
    /// An end without a connection.
    pub fn new(profile: Profile, rcv_wnd: u32) -> Self {
        Self {
            tcb: Tcb::closed(rcv_wnd),
            wishes: Wishes::default(),
            profile,
            outbox: VecDeque::new(),
            reports: VecDeque::new(),
            early: Vec::new(),
            deadlines: [None; ALARMS.len()],
            repeats: 0,
            probes: 0,
        }
    }

    /// What its program asked for.
    pub const fn wishes(&self) -> Wishes {
        self.wishes
    }

    /// The program sets socket options.
    pub fn wish(&mut self, now: Moment, wishes: Wishes) {
        self.wishes = wishes;
        self.set(Alarm::Keepalive, None);
        self.follow(now, &Effects::default());
    }

    /// A segment arrives; `iss` is the number with which it would begin, should the segment open a connection.
    pub fn handle_segment(&mut self, now: Moment, segment: &Segment, iss: SeqNumber) {
        let orphan = self.tcb.is_orphan();
        let before = self.tcb.state;
        self.probes = 0;
        self.set(Alarm::Keepalive, None);
        self.hold(segment);
        let effects = self.tcb.arrive(segment, iss, &self.profile);
        self.follow(now, &effects);
        self.take_held(now, iss);
        // An orphan that is to have no FIN_WAIT_2 ends instead of entering it (tcp_rcv_state_process).
        let entered = before != State::FinWait2 && self.tcb.state == State::FinWait2;
        if orphan && entered && self.wishes.fin_wait_2 == FinWait2Wish::Never {
            self.time_out(now, Timer::FinWait2);
        }
    }

    /// Keeps a segment of the connection whose turn has not come.
    fn hold(&mut self, segment: &Segment) {
        let tcb = &self.tcb;
        let in_turn = !tcb.rcv_nxt.is_before(segment.seq);
        let in_window = segment.seq.is_within(tcb.rcv_nxt, tcb.rcv_wnd);
        let sent = |ack: SeqNumber| !tcb.snd_nxt.is_before(ack);
        let plain = segment.ack.is_some_and(sent)
            && !segment.has(Control::SYN)
            && !segment.has(Control::RST)
            && segment.sequence_length() > 0;
        if plain && in_window && !in_turn && tcb.receives() && self.early.len() < MOST_HELD {
            self.early.push(*segment);
        }
    }

    /// Takes what was held and is next now; one acknowledgement stands for all.
    fn take_held(&mut self, now: Moment, iss: SeqNumber) {
        if !self.tcb.receives() {
            self.early.clear();
        }
        let next = self.tcb.rcv_nxt;
        let in_turn = |held: &Segment| !next.is_before(held.seq);
        let Some(at) = self.early.iter().position(in_turn) else { return };
        let held = self.early.swap_remove(at);
        let is_bare = |sent: &Segment| sent.sequence_length() == 0 && !sent.has(Control::RST);
        if self.outbox.back().is_some_and(is_bare) {
            self.outbox.pop_back();
        }
        let effects = self.tcb.arrive(&held, iss, &self.profile);
        self.follow(now, &effects);
        self.take_held(now, iss);
    }

    /// Opens a connection.
    pub fn open(&mut self, now: Moment, iss: SeqNumber) {
        let effects = self.tcb.open(iss);
        self.follow(now, &effects);
    }

    /// Waits for one.
    pub fn listen(&mut self) {
        self.tcb.listen();
    }

    /// Writes so many octets.
    pub fn send(&mut self, now: Moment, octets: u32) {
        let effects = self.tcb.send(octets);
        self.follow(now, &effects);
    }

    /// Ends this direction; the program goes on reading.
    pub fn shutdown(&mut self, now: Moment) {
        let effects = self.tcb.shutdown();
        self.follow(now, &effects);
    }

    /// Ends this direction, and reads no more.
    pub fn close(&mut self, now: Moment) {
        // tcp_close: a FIN_WAIT_2 that is to have no wait is reset.
        let no_wait =
            self.tcb.state == State::FinWait2 && self.wishes.fin_wait_2 == FinWait2Wish::Never;
        let effects = if no_wait { self.tcb.abort() } else { self.tcb.close(&self.profile) };
        self.follow(now, &effects);
    }

    /// Gives the connection up.
    pub fn abort(&mut self, now: Moment) {
        let effects = self.tcb.abort();
        self.follow(now, &effects);
    }

    /// The network says for certain that nobody will answer (RFC 9293 §3.9.2.2).
    pub fn refuse(&mut self, now: Moment) {
        let effects = self.tcb.refuse();
        self.follow(now, &effects);
    }

    /// The next segment to send.
    pub fn poll_transmit(&mut self) -> Option<Segment> {
        self.outbox.pop_front()
    }

    /// The next thing the program is told.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// When it wants to be woken next.
    pub fn next_timeout(&self) -> Option<Moment> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// When this alarm goes off.
    pub fn deadline(&self, alarm: Alarm) -> Option<Moment> {
        self.deadlines[index(alarm)]
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Moment) {
        for alarm in ALARMS {
            if self.deadline(alarm).is_some_and(|deadline| deadline <= now) {
                self.fire(now, alarm);
            }
        }
    }

    /// Lets an alarm go off.
    pub fn fire(&mut self, now: Moment, alarm: Alarm) {
        self.set(alarm, None);
        match alarm {
            Alarm::Timer(timer) => {
                self.repeats += u32::from(timer == Timer::Retransmit);
                self.time_out(now, timer);
            }
            Alarm::Keepalive => self.probe(now),
        }
    }

    fn time_out(&mut self, now: Moment, timer: Timer) {
        let effects = self.tcb.timeout(timer);
        self.follow(now, &effects);
    }

    /// Asks for a sign of life with a number that was acknowledged long ago (RFC 9293 §3.8.4); after the last question
    /// the peer counts as dead, and is sent a reset in case it is not (`tcp_keepalive_timer`).
    fn probe(&mut self, now: Moment) {
        let keepalive = self.wishes.keepalive;
        let ack = Some(self.tcb.rcv_nxt);
        if self.probes < keepalive.count {
            self.probes += 1;
            let seq = self.tcb.snd_nxt - 1;
            let window = self.tcb.rcv_wnd;
            self.outbox.push_back(Segment { window, ..Segment::new(seq, ack, Control::NONE) });
            self.set(Alarm::Keepalive, Some(now + keepalive.interval));
        } else {
            self.outbox.push_back(Segment::new(self.tcb.snd_nxt, ack, Control::RST));
            self.time_out(now, Timer::GiveUp);
        }
    }

    /// Takes over what a step gave, and lets those timers run that should.
    fn follow(&mut self, now: Moment, effects: &Effects) {
        self.outbox.extend(effects.segments());
        self.reports.extend(effects.report);
        if effects.progress == Progress::Made {
            self.repeats = 0;
            self.set(Alarm::Timer(Timer::Retransmit), None);
            self.set(Alarm::Timer(Timer::GiveUp), None);
        }
        if effects.wait == Wait::Starts {
            self.set(Alarm::Timer(Timer::TimeWait), None);
        }
        for alarm in ALARMS {
            let span = self.span(alarm);
            match (span, self.deadline(alarm)) {
                (Some(span), None) => self.set(alarm, Some(now + span)),
                (None, Some(_)) => self.set(alarm, None),
                _ => {}
            }
        }
    }

    /// How long this alarm runs from now on, if it should.
    fn span(&self, alarm: Alarm) -> Option<Moment> {
        let timer = match alarm {
            Alarm::Keepalive => {
                let idle = matches!(self.tcb.state, State::Established | State::CloseWait)
                    && self.tcb.outstanding() == 0;
                let asks = self.wishes.keeps_alive && idle;
                return asks.then_some(self.wishes.keepalive.idle);
            }
            Alarm::Timer(timer) => timer,
        };
        if !self.tcb.wants(timer, &self.profile) {
            return None;
        }
        let timing = self.profile.timing;
        Some(match timer {
            Timer::Retransmit => {
                let first = match self.tcb.state {
                    State::SynSent | State::SynReceived => timing.first_rto,
                    _ => timing.least_rto,
                };
                first.times(1 << self.repeats.min(20)).min(timing.most_rto)
            }
            Timer::GiveUp => self.patience(),
            Timer::FinWait2 => match self.wishes.fin_wait_2 {
                FinWait2Wish::For(span) => span,
                FinWait2Wish::System | FinWait2Wish::Never => timing.fin_wait_2,
            },
            Timer::TimeWait => timing.time_wait,
        })
    }

    /// How long something may stay unacknowledged.
    fn patience(&self) -> Moment {
        let timing = self.profile.timing;
        if let Some(own) = self.wishes.user_timeout {
            return own;
        }
        match self.tcb.state {
            State::SynSent | State::SynReceived => timing.give_up_syn,
            _ if self.tcb.program == Program::Gone => timing.give_up_orphan,
            _ => timing.give_up,
        }
    }

    fn set(&mut self, alarm: Alarm, deadline: Option<Moment>) {
        self.deadlines[index(alarm)] = deadline;
    }
}

/// Everything that can wake an end.
const ALARMS: [Alarm; 5] = [
    Alarm::Timer(Timer::Retransmit),
    Alarm::Timer(Timer::GiveUp),
    Alarm::Timer(Timer::FinWait2),
    Alarm::Timer(Timer::TimeWait),
    Alarm::Keepalive,
];

/// So many segments are held; what is lost beyond that comes again.
const MOST_HELD: usize = 1024;

const fn index(alarm: Alarm) -> usize {
    match alarm {
        Alarm::Timer(Timer::Retransmit) => 0,
        Alarm::Timer(Timer::GiveUp) => 1,
        Alarm::Timer(Timer::FinWait2) => 2,
        Alarm::Timer(Timer::TimeWait) => 3,
        Alarm::Keepalive => 4,
    }
}

#[cfg(test)]
mod tests;
