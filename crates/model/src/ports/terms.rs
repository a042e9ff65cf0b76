//! The words in which a pool and its users speak: what is lent, what came of it, and who else has a port.

use super::ledger::Cause;
use crate::ids::Port;
use crate::lifetime::{TIME_WAIT_MS, TIMER_SLACK_MS};
use crate::tcp::moment::Moment;
use std::net::IpAddr;

/// A local end that is lent: an address, `None` where the kernel chooses it by the route, and a port.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Local {
    /// The address.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: Port,
}

/// A local end, or when to ask again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Choice {
    /// This one, which is lent from now on.
    Take(Local),
    /// None is free. The next comes free by itself at this moment, or earlier if one that is lent comes back; `None`
    /// when all are lent.
    DryUntil(Option<Moment>),
}

/// What became of the four-tuple when its connection ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Afterwards {
    /// Nothing of it is left here: the peer closed first and keeps `TIME_WAIT`, or it was reset, or never came about. The
    /// port may be used again at once. (That the peer's `TIME_WAIT` takes a new SYN is RFC 9293's MAY-2; Linux does.)
    Nothing,
    /// `TIME_WAIT` is here, or cannot be ruled out.
    TimeWait,
    /// The kernel still closes it alone: a `FIN_WAIT_2` of up to a minute may come before the `TIME_WAIT`.
    StillClosing,
    /// Somebody else has it, for how long is not known: another program on the port, or a four-tuple that is taken.
    Refused,
}

/// By what others hold a local end toward every destination.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Hold {
    /// A socket that listens, or is bound: for as long as its program likes.
    Socket,
    /// Remains of a connection whose socket had no `SO_REUSEADDR` (`inet_bind_conflict` wants it of both).
    Remains,
}

/// Whether a withdrawn port still does something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Withdrawn {
    /// It is lent nowhere and not listened on.
    Idle,
    /// It is in use; [`Pool::is_idle`](super::Pool::is_idle) tells when no more.
    InUse,
}

impl Local {
    /// This port of whichever address the kernel chooses.
    pub const fn any(port: Port) -> Self {
        Self { address: None, port }
    }
}

impl Afterwards {
    /// How long the port is kept from this destination.
    pub const fn quarantine(self) -> Moment {
        match self {
            Self::Nothing => Moment(0),
            Self::TimeWait => QUARANTINE,
            Self::StillClosing => Moment(QUARANTINE.0 + FIN_WAIT_2.0),
            Self::Refused => REFUSED,
        }
    }

    pub(super) const fn cause(self) -> Cause {
        match self {
            Self::Nothing | Self::TimeWait | Self::StillClosing => Cause::Own,
            Self::Refused => Cause::Refused,
        }
    }
}

/// `TIME_WAIT` and what its timer may be late by, and 2 s more: after 61.5 s Linux still refused one in eight.
pub(super) const QUARANTINE: Moment = Moment::of_millis(TIME_WAIT_MS + TIMER_SLACK_MS + 2000);
/// The default of `tcp_fin_timeout`.
const FIN_WAIT_2: Moment = Moment::of_secs(60);
/// A port that somebody else has is looked at again after this.
const REFUSED: Moment = Moment::of_secs(2);
