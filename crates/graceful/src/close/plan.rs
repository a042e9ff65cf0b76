//! The closing of one connection as a plan without I/O: it says what to do next, and is told what came of it.
//!
//! 1. What a layer above TCP has kept of the message.
//! 2. With [`Order::RemoteFirst`], whatever arrives is thrown away until the peer's FIN, for a while.
//! 3. The end that the layer puts to the message, and this side's FIN.
//! 4. Whatever arrives is thrown away until the peer's FIN. Without that a late octet would make the kernel answer with
//!    a reset, which destroys what the peer has not read yet (RFC 2525 §2.17).
//! 5. The acknowledgement of this side's FIN, which comes last where the peer closed first.
//!
//! Drivers do as [`Plan::want`] says and call the `handle_*` method that fits; each takes what the kernel says at that
//! moment, a [`Seen`].

mod account;
mod exchange;
mod patience;

use super::policy::{ClosePolicy, Order};
use super::report::{FirstFin, Outcome};
use account::first_fin;
pub use exchange::{Finish, Seen, Want};
use lastack_model::state::State;
pub(crate) use patience::after;
use patience::{FIRST_PAUSE, LONGEST_PAUSE};
use std::time::{Duration, Instant};

/// A connection being closed.
///
/// ```
/// use lastack_graceful::close::{ClosePolicy, Delivered, Finish, FirstFin, Plan, Seen, Want};
/// use lastack_model::state::State;
///
/// let now = std::time::Instant::now();
/// let seen = |state, unacked| Seen { now, state: Some(state), unacked: Some(unacked) };
/// let mut plan = Plan::new(ClosePolicy::server(), now);
/// assert_eq!(plan.want(), Want::Shutdown);
/// plan.handle_shutdown(Some(State::Established), seen(State::FinWait1, 1));
/// assert!(matches!(plan.want(), Want::Read(_)));
/// plan.handle_octets(512, seen(State::FinWait2, 0));
/// plan.handle_end(seen(State::TimeWait, 0));
/// assert_eq!(plan.want(), Want::Finish(Finish::Close));
/// let report = plan.report(now).expect("it is over");
/// assert_eq!((report.first_fin, report.delivered()), (FirstFin::Local, Delivered::Yes));
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    policy: ClosePolicy,
    began: Instant,
    phase: Phase,
    /// When an octet was received or acknowledged for the last time, or the peer had something new to answer.
    last_sign: Instant,
    /// When the driver looked for the last time.
    looked: Instant,
    unacked: Option<u32>,
    fin_sent: bool,
    /// Whether the peer's FIN was read before ours was sent.
    peer_ended: bool,
    receiving: Receiving,
    /// Whether it was seen in `FIN_WAIT_2`: this side's FIN was acknowledged before the peer's came.
    was_half_closed: bool,
    /// Whether it was seen before it was over.
    was_alive: bool,
    layer: Layer,
    discarded: u64,
    first_fin: FirstFin,
    /// How long until the next look for an acknowledgement.
    pause: Duration,
}

/// What the layer above TCP has to send, in octets.
#[derive(Clone, Copy, Debug, Default)]
struct Layer {
    /// Of the message, and not sent yet.
    kept: u64,
    /// Its end, and not sent yet.
    farewell: u64,
    /// Of its end, sent.
    said: u64,
}

/// What the end of the stream means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Receiving {
    /// It may be this side's own doing: the program may have shut down its receiving side.
    Doubtful,
    /// The peer's FIN.
    Open,
    /// Nothing: the program shut down its receiving side, and only the state tells of the peer's FIN.
    ShutDown,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// What the layer above has kept is to be sent.
    Kept,
    /// The peer may close first, until then.
    RemoteFirst(Instant),
    /// The end of the layer above is to be sent.
    Farewell,
    /// The FIN is to be sent.
    Shutdown,
    /// The peer's FIN is awaited.
    Drain,
    /// Both FINs are sent; the acknowledgement of ours is awaited.
    LastAck,
    Over(Outcome),
}

impl Plan {
    /// Begins at this moment.
    pub fn new(policy: ClosePolicy, now: Instant) -> Self {
        Self::layered(policy, now, 0, 0)
    }

    /// The same where a layer above TCP has so many octets of the message to send yet, and so many for its end.
    pub fn layered(policy: ClosePolicy, now: Instant, kept: u64, farewell: u64) -> Self {
        let mut plan = Self {
            policy,
            began: now,
            phase: Phase::Kept,
            last_sign: now,
            looked: now,
            unacked: None,
            fin_sent: false,
            peer_ended: false,
            receiving: Receiving::Doubtful,
            was_half_closed: false,
            was_alive: false,
            layer: Layer { kept, farewell, said: 0 },
            discarded: 0,
            first_fin: FirstFin::Neither,
            pause: FIRST_PAUSE,
        };
        if kept == 0 {
            plan.phase = plan.after_kept(now);
        }
        plan
    }

    /// What is to be done next.
    pub fn want(&self) -> Want {
        match self.phase {
            Phase::Kept => self.want_sent(self.layer.kept),
            Phase::Farewell => self.want_sent(self.layer.farewell),
            Phase::RemoteFirst(until) => self.want_end(until.min(self.end())),
            Phase::Shutdown => Want::Shutdown,
            Phase::Drain => self.want_end(self.drain_until()),
            Phase::LastAck => Want::Pause(self.limit().min(self.next_pause())),
            Phase::Over(outcome) => Want::Finish(self.finish(outcome)),
        }
    }

    /// Whether [`Seen::state`] matters at present: until it is known who was first, and with octets or a timeout whether
    /// this side's FIN was acknowledged before the peer's came. Otherwise a driver can spare itself the look.
    pub fn looks_at_state(&self) -> bool {
        let may_cross = self.phase == Phase::Drain && !self.was_half_closed;
        self.looks_at_end() || (may_cross && self.first_fin == FirstFin::Local)
    }

    /// Whether [`Seen::state`] matters with the end of the stream: until it is known who was first, and as long as that end
    /// may be this side's own doing.
    pub fn looks_at_end(&self) -> bool {
        self.first_fin == FirstFin::Neither || self.receiving != Receiving::Open
    }

    /// Whether [`Seen::unacked`] matters at present: until the FIN is known to be acknowledged, which comes last.
    pub fn looks_at_unacked(&self) -> bool {
        !self.fin_sent || self.unacked != Some(0)
    }

    /// Whether the end of the stream may be this side's own doing. What the kernel says to a read tells
    /// ([`Plan::handle_nothing`]).
    pub fn doubts_an_end(&self) -> bool {
        self.receiving == Receiving::Doubtful
    }

    /// Whether the end of the stream is the peer's FIN.
    pub(super) fn trusts_an_end(&self) -> bool {
        self.receiving == Receiving::Open
    }

    pub(super) const fn is_fin_sent(&self) -> bool {
        self.fin_sent
    }

    /// There is nothing to read, says the kernel (`EAGAIN`): the receiving side is open, and an end will be the peer's.
    pub fn handle_nothing(&mut self) {
        if self.receiving == Receiving::Doubtful {
            self.receiving = Receiving::Open;
        }
        self.was_alive = true;
    }

    /// So many octets of the layer above were handed to the kernel.
    pub fn handle_sent(&mut self, octets: u64, seen: Seen) {
        let numbers = u32::try_from(octets).unwrap_or(u32::MAX);
        self.unacked = self.unacked.map(|unacked| unacked.saturating_add(numbers));
        self.look(seen);
        let layer = &mut self.layer;
        match self.phase {
            Phase::Kept => {
                layer.kept = layer.kept.saturating_sub(octets);
                if layer.kept == 0 {
                    self.phase = self.after_kept(seen.now);
                }
            }
            Phase::Farewell => {
                layer.said += octets;
                layer.farewell = layer.farewell.saturating_sub(octets);
                self.phase = self.before_fin();
            }
            Phase::RemoteFirst(_)
            | Phase::Shutdown
            | Phase::Drain
            | Phase::LastAck
            | Phase::Over(_) => {}
        }
    }

    /// Nothing more can be sent: the program had sent this side's FIN before it asked for this close.
    pub fn handle_sealed(&mut self, seen: Seen) {
        self.look(seen);
        self.layer.farewell = 0;
        self.phase = Phase::Shutdown;
    }

    /// The FIN was sent. The state before it was tells who was first.
    pub fn handle_shutdown(&mut self, before: Option<State>, seen: Seen) {
        if self.first_fin == FirstFin::Neither {
            self.first_fin = first_fin(before, seen.state);
        }
        self.fin_sent = true;
        self.unacked = None;
        // The peer has something new to answer.
        self.last_sign = seen.now;
        self.look(seen);
        if self.peer_ended {
            self.phase = Phase::LastAck;
            self.finish_if_acknowledged();
        } else {
            self.phase = Phase::Drain;
        }
    }

    /// So many octets were read and thrown away.
    pub fn handle_octets(&mut self, octets: u64, seen: Seen) {
        self.discarded = self.discarded.saturating_add(octets);
        self.last_sign = seen.now;
        self.look(seen);
        if self.discarded > self.policy.discard_limit {
            self.phase = Phase::Over(Outcome::DiscardLimit);
        }
        self.go_first_if_due(seen.now);
        self.give_up_if_due(seen.now);
    }

    /// The end of the stream was read: the peer's FIN is here, or the program has shut down its receiving side itself.
    pub fn handle_end(&mut self, seen: Seen) {
        if is_open(seen.state) {
            self.receiving = Receiving::ShutDown;
            self.look(seen);
            return;
        }
        self.receiving = Receiving::Open;
        self.peer_closed(seen);
    }

    fn peer_closed(&mut self, seen: Seen) {
        self.last_sign = seen.now;
        match self.phase {
            Phase::Kept | Phase::RemoteFirst(_) | Phase::Farewell | Phase::Shutdown => {
                self.peer_ended = true;
                self.first_fin = match seen.state {
                    // The program had sent our FIN before it asked for this close.
                    Some(State::Closing) => FirstFin::Both,
                    Some(State::Closed | State::TimeWait) if self.was_half_closed => {
                        FirstFin::Local
                    }
                    Some(State::Closed | State::TimeWait) => FirstFin::Unknown,
                    _ => FirstFin::Remote,
                };
                if matches!(self.phase, Phase::RemoteFirst(_)) {
                    self.phase = self.before_fin();
                }
                self.look(seen);
            }
            Phase::Drain => {
                if self.first_fin == FirstFin::Local {
                    self.first_fin = self.who_was_first(seen);
                }
                self.phase = Phase::LastAck;
                self.look(seen);
                self.finish_if_acknowledged();
            }
            Phase::LastAck | Phase::Over(_) => {}
        }
    }

    /// The connection was reset.
    pub fn handle_reset(&mut self, seen: Seen) {
        self.look(seen);
        self.phase = Phase::Over(Outcome::PeerReset);
    }

    /// The kernel gave the connection up.
    pub fn handle_lost(&mut self, seen: Seen) {
        self.look(seen);
        self.phase = Phase::Over(Outcome::Lost);
    }

    /// There is no connection any more, and no error says why: both FINs were sent and acknowledged, or it was told to
    /// somebody else before.
    pub fn handle_gone(&mut self, seen: Seen) {
        self.look(seen);
        let is_closed = matches!(seen.state, None | Some(State::Closed | State::TimeWait));
        let outcome = if self.was_alive && is_closed { Outcome::Orderly } else { Outcome::Gone };
        if self.was_half_closed {
            self.first_fin = FirstFin::Local;
        } else if self.first_fin == FirstFin::Neither {
            self.first_fin = FirstFin::Unknown;
        }
        self.phase = Phase::Over(outcome);
    }

    /// The moment has come that [`Plan::want`] named, or the driver looks in between.
    pub fn handle_timeout(&mut self, seen: Seen) {
        self.look(seen);
        match self.phase {
            Phase::RemoteFirst(_) | Phase::Drain if self.is_shut_down() && !is_open(seen.state) => {
                self.peer_closed(seen);
            }
            Phase::RemoteFirst(_) | Phase::Drain if self.is_shut_down() => {
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
            Phase::LastAck => {
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                self.finish_if_acknowledged();
            }
            Phase::Kept
            | Phase::RemoteFirst(_)
            | Phase::Farewell
            | Phase::Shutdown
            | Phase::Drain
            | Phase::Over(_) => {}
        }
        self.go_first_if_due(seen.now);
        self.give_up_if_due(seen.now);
    }

    fn is_shut_down(&self) -> bool {
        self.receiving == Receiving::ShutDown
    }

    /// What follows when the whole message is with the kernel.
    fn after_kept(&self, now: Instant) -> Phase {
        match self.policy.order {
            Order::RemoteFirst { wait } if !self.peer_ended => Phase::RemoteFirst(after(now, wait)),
            Order::RemoteFirst { .. } | Order::LocalFirst => self.before_fin(),
        }
    }

    /// What follows when nobody is waited for any more.
    const fn before_fin(&self) -> Phase {
        if self.layer.farewell > 0 { Phase::Farewell } else { Phase::Shutdown }
    }

    fn look(&mut self, seen: Seen) {
        self.looked = seen.now;
        if seen.unacked.zip(self.unacked).is_some_and(|(now, before)| now < before) {
            self.last_sign = seen.now;
        }
        self.unacked = seen.unacked.or(self.unacked);
        match seen.state {
            Some(State::Established | State::CloseWait) => self.was_alive = true,
            Some(State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck) => {
                self.was_alive = true;
                self.fin_sent = true;
                self.was_half_closed |= seen.state == Some(State::FinWait2);
            }
            _ => {}
        }
    }

    fn finish_if_acknowledged(&mut self) {
        if matches!(self.unacked, Some(0) | None) {
            self.phase = Phase::Over(Outcome::Orderly);
        }
    }
}

/// Whether the peer's FIN is not here, as far as the system tells.
const fn is_open(state: Option<State>) -> bool {
    matches!(
        state,
        Some(
            State::SynSent
                | State::SynReceived
                | State::Established
                | State::FinWait1
                | State::FinWait2
        )
    )
}

#[cfg(test)]
mod tests;
