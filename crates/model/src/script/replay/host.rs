//! The host under test: its descriptors, its listener, and the one connection that a script is about.

use super::dialect::Dialect;
use super::journal::{Journal, Wait};
use super::wire::{Base, Cause, Queued};
use crate::script::Call;
use crate::state::State;
use crate::tcp::endpoint::{Alarm, Endpoint, Wishes};
use crate::tcp::moment::Moment;
use crate::tcp::segment::{Control, Segment};
use crate::tcp::seq::SeqNumber;
use crate::tcp::tcb::{Origin, Report, Tcb, Timer};
use std::collections::VecDeque;

/// A host.
pub(super) struct Host {
    pub(super) dialect: Dialect,
    pub(super) sockets: Vec<Socket>,
    pub(super) connections: Vec<Connection>,
    pub(super) sent: VecDeque<Queued>,
    /// A listener has begun, and no connection has come yet: the next one is another pair of ports.
    pub(super) awaits_first: bool,
    /// Where the connection that the script is about began.
    pub(super) base: Base,
    /// The number with which a connection begins.
    pub(super) iss: SeqNumber,
    /// The window that new connections offer.
    pub(super) window: u32,
    /// What happens, for those who want to see it.
    pub(super) journal: Journal,
}

/// A descriptor.
pub(super) struct Socket {
    pub(super) fd: i64,
    pub(super) role: Role,
    pub(super) linger: Linger,
    pub(super) wishes: Wishes,
    /// The program reads no more (`SHUT_RD`).
    pub(super) deaf: bool,
}

/// What a descriptor is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Fresh,
    Listener,
    Connection(usize),
}

/// What `SO_LINGER` says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Linger {
    Default,
    /// Closing aborts.
    Zero,
}

/// A connection.
pub(super) struct Connection {
    pub(super) end: Endpoint,
    pub(super) accepted: Accepted,
    pub(super) error: Option<&'static str>,
    /// Whether a successful `connect` has been told.
    pub(super) told: bool,
}

/// Whether a program has a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Accepted {
    Yes,
    /// A listener made it, and it waits.
    Waits,
}

impl Host {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            sockets: Vec::new(),
            connections: Vec::new(),
            sent: VecDeque::new(),
            awaits_first: false,
            base: Base::default(),
            iss: SeqNumber(0),
            window: 65_535,
            journal: Journal::new(),
        }
    }

    pub(super) fn is_listening(&self) -> bool {
        self.sockets.iter().any(|socket| socket.role == Role::Listener)
    }

    /// The connection that the script is about: the last one made.
    pub(super) fn current(&mut self) -> Option<usize> {
        self.connections.len().checked_sub(1)
    }

    pub(super) fn state(&self) -> State {
        let current = self.connections.last();
        current.map_or(State::Closed, |connection| connection.end.tcb.state)
    }

    /// The state of the socket that the script is about: a listener, until it has made a connection.
    pub(super) fn asserted_state(&self) -> State {
        let listens = self.awaits_first && self.is_listening();
        if listens { State::Listen } else { self.state() }
    }

    /// How many sockets a listing would show in this state.
    pub(super) fn count(&self, state: State) -> u32 {
        let listeners = self.sockets.iter().filter(|socket| socket.role == Role::Listener).count();
        let shown = |(at, connection): (usize, &Connection)| {
            let held = self.sockets.iter().any(|socket| socket.role == Role::Connection(at));
            let is = connection.end.tcb.state;
            is == state && (held || !matches!(is, State::Closed | State::Listen))
        };
        let connections = self.connections.iter().enumerate().filter(|entry| shown(*entry)).count();
        (connections + if state == State::Listen { listeners } else { 0 }) as u32
    }

    /// A segment arrives.
    pub(super) fn arrive(&mut self, now: Moment, segment: &Segment) {
        let cause = if segment.length > 0 && !segment.has(Control::FIN) {
            Cause::MayWait
        } else {
            Cause::Due
        };
        let first = std::mem::take(&mut self.awaits_first) && self.is_listening();
        let alive = !first && !matches!(self.state(), State::Closed | State::Listen);
        if !alive && self.is_listening() && segment.ack.is_none() && segment.has(Control::SYN) {
            self.connections.push(self.half_open());
            self.base = Base { own: self.iss, peer: segment.seq };
        } else if !alive {
            return self.without_connection(segment);
        }
        let Some(at) = self.current() else { return };
        let iss = self.next_iss();
        let state_before = self.connections[at].end.tcb.state;
        if state_before == State::SynSent && segment.has(Control::SYN) {
            self.base.peer = segment.seq;
        }
        self.act(at, cause, |end| end.handle_segment(now, segment, iss));
        let reopened = state_before == State::TimeWait && self.state() == State::SynReceived;
        if reopened {
            self.part_incarnations(at);
        }
    }

    /// The program keeps the old connection, which is over; the new one waits to be accepted.
    fn part_incarnations(&mut self, at: usize) {
        let gone = Endpoint::new(self.dialect.profile, self.window);
        let end = std::mem::replace(&mut self.connections[at].end, gone);
        self.connections.push(Connection {
            end,
            accepted: Accepted::Waits,
            error: None,
            told: false,
        });
    }

    /// Whether a segment begins a story of its own, so that what was sent before is no part of it.
    pub(super) fn begins_anew(&self, segment: &Segment) -> bool {
        self.awaits_first && self.is_listening() && segment.has(Control::SYN)
    }

    /// What answers where there is no connection: a listener (RFC 9293 §3.10.7.2), or nobody (§3.10.7.1).
    fn without_connection(&mut self, segment: &Segment) {
        let mut tcb = Tcb::closed(self.window);
        if self.is_listening() {
            tcb.listen();
        }
        let effects = tcb.arrive(segment, SeqNumber(0), &self.dialect.profile);
        let base = self.base;
        for segment in effects.segments() {
            let segment = base.sent(&segment);
            self.journal.sent(&segment, self.connections.len());
            self.sent.push_back(Queued { segment, cause: Cause::Due });
        }
    }

    /// An ICMP message says that nobody will answer; it counts if it is about something that was sent.
    pub(super) fn refuse(&mut self, now: Moment, about: Option<u32>) {
        let (Some(at), Some(about)) = (self.current(), about.map(SeqNumber)) else { return };
        let tcb = &self.connections[at].end.tcb;
        if about.is_within(tcb.snd_una, tcb.outstanding()) {
            self.act(at, Cause::Due, |end| end.refuse(now));
        }
    }

    fn half_open(&self) -> Connection {
        let mut end = Endpoint::new(self.dialect.profile, self.window);
        end.listen();
        // What a listener wishes its connections inherit.
        if let Some(listener) = self.sockets.iter().find(|socket| socket.role == Role::Listener) {
            end.wish(Moment(0), listener.wishes);
        }
        Connection { end, accepted: Accepted::Waits, error: None, told: false }
    }

    /// A connection that follows another at once begins beyond its numbers.
    fn next_iss(&self) -> SeqNumber {
        match self.connections.last() {
            Some(last) if last.end.tcb.state == State::TimeWait => last.end.tcb.snd_nxt + 65_537,
            _ => self.iss,
        }
    }

    /// Does something to a connection, and takes what it sends and says.
    pub(super) fn act(&mut self, at: usize, cause: Cause, act: impl FnOnce(&mut Endpoint)) {
        let wait = Wait::of(&self.connections[at].end);
        act(&mut self.connections[at].end);
        self.follow();
        let connection = &mut self.connections[at];
        while let Some(report) = connection.end.poll_report() {
            connection.error = errno(report).or(connection.error);
            self.journal.told(report);
        }
        self.journal.waits(wait, Wait::of(&connection.end));
        while let Some(segment) = connection.end.poll_transmit() {
            // Only a bare acknowledgement may wait.
            let bare = segment.sequence_length() == 0 && segment.control() == Control::NONE;
            let cause = if cause == Cause::MayWait && !bare { Cause::Due } else { cause };
            let segment = self.base.sent(&segment);
            self.journal.sent(&segment, at + 1);
            self.sent.push_back(Queued { segment, cause });
        }
    }

    /// Writes down the state that the last thing led to.
    pub(super) fn follow(&mut self) {
        self.journal.follow(self.asserted_state());
    }

    /// Lets everything happen that is due by then, except what a script is asked for first (see [`Self::nudge`]).
    pub(super) fn advance(&mut self, to: Moment) {
        for at in 0..self.connections.len() {
            for timer in [Timer::GiveUp, Timer::FinWait2, Timer::TimeWait] {
                let alarm = Alarm::Timer(timer);
                let due = self.connections[at].end.deadline(alarm);
                if let Some(due) = due.filter(|due| *due <= to) {
                    self.journal.at(due);
                    self.journal.alarm(alarm);
                    self.act(at, Cause::Timer, |end| end.fire(due, alarm));
                }
            }
        }
        self.journal.at(to);
    }

    /// Makes the next retransmission or keepalive probe now, if there is one to come.
    pub(super) fn nudge(&mut self, now: Moment) -> Nudged {
        let next = self.connections.iter().enumerate().flat_map(|(at, connection)| {
            [Alarm::Timer(Timer::Retransmit), Alarm::Keepalive]
                .into_iter()
                .filter_map(move |alarm| Some((connection.end.deadline(alarm)?, at, alarm)))
        });
        match next.min_by_key(|(deadline, ..)| *deadline) {
            Some((_, at, alarm)) => {
                self.journal.alarm(alarm);
                self.act(at, Cause::Timer, |end| end.fire(now, alarm));
                Nudged::Yes
            }
            None => Nudged::No,
        }
    }

    /// A program closes a listener: what it has not accepted is reset, what is half open is forgotten
    /// (`inet_csk_listen_stop`, `soclose`).
    pub(super) fn close_listener(&mut self, now: Moment) {
        for at in 0..self.connections.len() {
            let connection = &self.connections[at];
            if connection.accepted != Accepted::Waits {
                continue;
            }
            if connection.end.tcb.state == State::SynReceived {
                self.connections[at].end = Endpoint::new(self.dialect.profile, self.window);
            } else {
                self.act(at, Cause::Due, |end| end.abort(now));
            }
        }
    }

    /// The place of the descriptor that a call is about.
    pub(super) fn socket(&self, call: &Call) -> Option<usize> {
        let fd = call.number(0)?;
        self.sockets.iter().position(|socket| socket.fd == fd)
    }

    /// The connection that waits longest to be accepted.
    pub(super) fn waiting(&self) -> Option<usize> {
        self.connections.iter().position(|connection| {
            let tcb = &connection.end.tcb;
            connection.accepted == Accepted::Waits
                && tcb.origin == Origin::Passive
                && !matches!(tcb.state, State::SynReceived | State::Listen | State::Closed)
        })
    }
}

/// Whether something could be made to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nudged {
    Yes,
    No,
}

fn errno(report: Report) -> Option<&'static str> {
    match report {
        Report::Connected | Report::EndOfFile => None,
        Report::Refused => Some("ECONNREFUSED"),
        Report::Reset => Some("ECONNRESET"),
        Report::BrokenPipe => Some("EPIPE"),
        Report::TimedOut => Some("ETIMEDOUT"),
        Report::Aborted => Some("ECONNABORTED"),
    }
}
