//! When to look again, while somebody waits for a port: from what stands in the way and what looking costs.
//!
//! A pure function: the clock, the trials and the sleeping belong to whoever waits. Two things are weighed. A port must
//! not stay free for long unnoticed; and asking may be dear, because a bind that succeeds walks every socket on the port
//! (`inet_csk_bind_conflict`) and a dump walks the whole table.

use crate::errno::Errno;
use crate::facts::{Family, Kind, Socket, Transport};
use crate::lifetime::{Lifetime, TIMER_SLACK_MS};
use crate::state::State;
use crate::truth::Truth;
use crate::why::{Conflict, Explanation, Outcome, Role, Verdict};
use std::net::IpAddr;
use std::time::Duration;

/// What is known of when the way may become free.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outlook {
    /// A program holds it and may let go at any moment, without any sign.
    Held,
    /// Programs hold it, and the kernel announces the end of each of their sockets.
    Announced,
    /// Timers end it: not before this long after the facts were taken, and by the timers' slack later at most.
    Timed(Duration),
    /// Nothing that can be timed or heard of: a refusal, or what is not visible.
    Unknown,
}

/// Whether the kernel's messages about destroyed sockets are heard (`SKNLGRP_INET_TCP_DESTROY` and its like).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hearing {
    /// They are.
    Heard,
    /// They are not: nobody listens for them, or the kernel does not let one.
    Deaf,
}

/// What the looks of one kind have cost, in processor time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cost {
    /// The last one.
    pub last: Duration,
    /// All of them together.
    pub spent: Duration,
    /// How long the wait has lasted.
    pub waited: Duration,
}

/// Why the tables should be read again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Occasion {
    /// Something ended, or a timer ran out and the address is still refused: what was known is no longer so.
    Changed,
    /// Nothing in particular.
    Routine,
}

/// Why waiting is in vain, as far as can be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prospect {
    /// It can be bound.
    Open,
    /// Sockets stand in the way, and sockets end.
    Blocked,
    /// The host refuses it for a reason that no passing of time changes.
    Refused,
}

/// Where somebody should listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spot {
    /// On the port, at whatever address.
    Anywhere,
    /// Where a connection to this address arrives. A wildcard asks for a listener on every address of its family.
    At(IpAddr),
}

impl Outlook {
    /// What the explanation lets expect. All that stands in the way must go, so the last end counts.
    pub fn of(explanation: &Explanation, hearing: Hearing) -> Self {
        if explanation.conflicts.is_empty() {
            let in_use =
                explanation.judgements.iter().any(|j| j.errno() == Some(Errno::AddressInUse));
            // The kernel refused it for a socket that does not show: it may go at any moment.
            return if in_use { Self::Held } else { Self::Unknown };
        }
        let each = explanation.conflicts.iter().map(|conflict| outlook(conflict, hearing));
        each.fold(Self::Timed(Duration::ZERO), Self::with)
    }

    /// Both must end.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Timed(one), Self::Timed(two)) => Self::Timed(one.max(two)),
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Held, _) | (_, Self::Held) => Self::Held,
            (Self::Announced, _) | (_, Self::Announced) => Self::Announced,
        }
    }

    /// How long to wait before the next look, when so much time has passed since the facts were taken.
    pub fn pause(self, age: Duration, cost: Cost) -> Duration {
        let affordable = cost.last * SHARE;
        match self {
            Self::Held => NEAR.max(affordable),
            Self::Announced | Self::Unknown => FAR.max(affordable),
            Self::Timed(least) => {
                let opens = least.saturating_sub(LEAD);
                if age < opens {
                    // Not past the moment at which looking begins to pay.
                    FAR.max(affordable).min(opens.saturating_sub(age)).max(NEAR)
                } else if self.is_past(age) {
                    FAR.max(affordable)
                } else {
                    NEAR.max(cost.pause_after_news())
                }
            }
        }
    }

    /// How often to see whether the one socket that is known to stand in the way is still there ([`sentinel`]), when a
    /// trial follows after so long or is not made at all. Where trials are as frequent, only to keep the picture right.
    pub fn sentinel_pause(self, until_trial: Option<Duration>) -> Duration {
        let trials_suffice = until_trial.is_some_and(|pause| pause <= NEAR);
        if self == Self::Held && !trials_suffice { NEAR } else { Duration::from_secs(1) }
    }

    /// True once every timer must have run out: what was known is no longer so.
    pub fn is_past(self, age: Duration) -> bool {
        match self {
            Self::Timed(least) => age > least + Duration::from_millis(TIMER_SLACK_MS),
            Self::Held | Self::Announced | Self::Unknown => false,
        }
    }
}

impl Cost {
    /// One look more.
    #[must_use]
    pub fn plus(self, last: Duration) -> Self {
        Self { last, spent: self.spent + last, ..self }
    }

    /// How long after the last look another one may follow when there is news: soon while the share that looking may
    /// take is not used up, so that a busy port with news all the time costs no more than a quiet one.
    pub fn pause_after_news(self) -> Duration {
        self.last * if self.is_saved() { HASTE } else { SHARE }
    }

    /// True when the share that looking may take was not used up so far: what was saved may be spent near an end.
    fn is_saved(self) -> bool {
        (self.spent + self.last) * SHARE <= self.waited
    }
}

impl Occasion {
    /// The least time between two explanations, of which the last one cost so much.
    pub fn pause(self, cost: Duration) -> Duration {
        match self {
            Self::Changed => (cost * 200).max(Duration::from_millis(100)),
            Self::Routine => (cost * 400).max(Duration::from_secs(10)),
        }
    }
}

impl Prospect {
    /// What the explanation says of waiting. One bind of several that is refused for good makes all of them vain.
    pub fn of(explanation: &Explanation) -> Self {
        let barred = explanation.judgements.iter().any(|judgement| {
            matches!(judgement.outcome, Outcome::Fails { errno, .. } if errno != Errno::AddressInUse)
        });
        match explanation.verdict {
            _ if barred => Self::Refused,
            Verdict::Free => Self::Open,
            Verdict::Partly | Verdict::Undecided | Verdict::InUse | Verdict::Refused => {
                Self::Blocked
            }
        }
    }
}

impl Spot {
    /// Whether this socket serves it: a listener, or a UDP socket, which serves once it is bound and not connected.
    pub fn is_served_by(self, socket: &Socket) -> bool {
        let serves = match socket.transport {
            Transport::Tcp => socket.state == State::Listen,
            Transport::Udp => socket.remote.is_none(),
        };
        serves
            && match self {
                Self::Anywhere => true,
                Self::At(wanted) => covers(socket, wanted.to_canonical()),
            }
    }
}

/// One socket that certainly stands in the way until its program lets go: while the kernel still has it, no other look
/// is needed. None where no such socket can be looked up by itself (those that are only bound are in no table).
pub fn sentinel(explanation: &Explanation) -> Option<&Socket> {
    let lookable = |conflict: &&Conflict| {
        let held =
            matches!(conflict.lifetime, Lifetime::WhileHeld | Lifetime::WhileHeldPeerSilent(_));
        let in_a_table = !matches!(conflict.role, Role::BoundOnly | Role::Dead | Role::Queued);
        held && in_a_table && conflict.is_certain()
    };
    explanation.conflicts.iter().find(lookable).map(|conflict| &conflict.sockets.example)
}

fn outlook(conflict: &Conflict, hearing: Hearing) -> Outlook {
    match conflict.lifetime {
        Lifetime::Ends(span) => Outlook::Timed(Duration::from_millis(span.least_ms)),
        Lifetime::WhileHeld | Lifetime::WhileHeldPeerSilent(_) => {
            let heard = hearing == Hearing::Heard && is_announced(conflict);
            if heard { Outlook::Announced } else { Outlook::Held }
        }
        Lifetime::Never => Outlook::Unknown,
    }
}

/// True when the kernel can be relied on to announce the end of these sockets to those who ask
/// (`sock_diag_broadcast_destroy`, from `__sk_free`). A minisock has no `struct sock`, so its end passes in silence. The
/// end of a listener is announced by Linux 6.18 and nowhere promised, so it is not relied on.
fn is_announced(conflict: &Conflict) -> bool {
    let full = conflict.sockets.example.kind == Kind::Full;
    full && match conflict.role {
        Role::Accepted | Role::Outgoing | Role::CloseWait | Role::HalfClosed | Role::Udp => true,
        Role::Listener
        | Role::BoundOnly
        | Role::Dead
        | Role::Queued
        | Role::OrphanUnacknowledged
        | Role::OrphanFinWait2
        | Role::TimeWait => false,
    }
}

/// A wildcard covers every address of its family; that of IPv6 covers IPv4 too unless it is `V6ONLY`.
fn covers(socket: &Socket, wanted: IpAddr) -> bool {
    let own = socket.local.ip().to_canonical();
    if own == wanted {
        return true;
    }
    let same_family = own.is_ipv4() == wanted.is_ipv4();
    let dual_stack = socket.family == Family::V6 && socket.known_v6only() == Truth::No;
    own.is_unspecified() && (same_family || (own.is_ipv6() && dual_stack))
}

/// How often to look when the port may become free at any moment.
const NEAR: Duration = Duration::from_millis(20);
/// How often to look while no end is near: somebody may destroy the sockets, or their peer may reset them.
const FAR: Duration = Duration::from_millis(250);
/// How long before the end of a timer the frequent looks begin.
const LEAD: Duration = Duration::from_millis(100);
/// Looks may take one part in this many of a processor's time.
const SHARE: u32 = 250;
/// The same near the end of a timer, out of what was saved before.
const HASTE: u32 = 4;

#[cfg(test)]
mod tests;
