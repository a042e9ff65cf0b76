//! How a pool stands toward one destination, in numbers and in words.

use super::ledger::Cause;
use super::terms::Hold;
use crate::tcp::moment::Moment;
use std::fmt;

/// How a pool stands toward one destination. Each of its local ends is counted once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Standing {
    /// May be taken now.
    pub free: usize,
    /// Lent toward this destination.
    pub lent: usize,
    /// In quarantine after a connection of this pool: in `TIME_WAIT`, or not known to be over.
    pub quarantined: usize,
    /// Refused by the kernel a moment ago: somebody else has the port, or the four-tuple.
    pub refused: usize,
    /// Remains of somebody else's connection toward this destination.
    pub foreign: usize,
    /// Ports that somebody else's socket has, whatever the destination.
    pub held: usize,
    /// Ports kept by remains of somebody else's connections without `SO_REUSEADDR`, whatever the destination.
    pub blocked: usize,
    /// Ports of this pool that are listened on.
    pub listening: usize,
    /// Ports that were listened on and are not yet to be again: a late call-back may come, or the kernel refused them a
    /// moment ago. Counted only for who wants to listen.
    pub resting: usize,
    /// Milliseconds until the first comes free by itself, when that is known and none is free.
    pub next_ms: Option<u64>,
    /// New connections per second that it can bear for ever when this side always closes first, in thousandths; 0 for
    /// who wants to listen.
    pub bearable_per_1000_s: u64,
}

impl Standing {
    /// How many local ends there are.
    pub const fn size(&self) -> usize {
        self.free
            + self.lent
            + self.quarantined
            + self.refused
            + self.foreign
            + self.held
            + self.blocked
            + self.listening
            + self.resting
    }

    pub(super) const fn count(&mut self, cause: Cause) {
        match cause {
            Cause::Own => self.quarantined += 1,
            Cause::Refused => self.refused += 1,
            Cause::Foreign => self.foreign += 1,
            Cause::Held(Hold::Socket) => self.held += 1,
            Cause::Held(Hold::Remains) => self.blocked += 1,
        }
    }

    /// What is not free comes free at these moments.
    pub(super) fn expect(&mut self, ends: &[Moment], now: Moment) {
        let first = ends.iter().min().filter(|_| self.free == 0);
        self.next_ms = first.map(|end| end.0.saturating_sub(now.0).div_ceil(1000));
    }
}

/// As in `512 ports: 30 lent, 480 in TIME_WAIT of this program, 2 held by other programs; next in 12 s`.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.free, "free"),
            (self.lent, "lent"),
            (self.listening, "listened on"),
            (self.resting, "not to be listened on yet"),
            (self.quarantined, "in TIME_WAIT of this program"),
            (self.foreign, "in TIME_WAIT of another program"),
            (self.blocked, "in TIME_WAIT of another program (no SO_REUSEADDR)"),
            (self.held, "held by other programs"),
            (self.refused, "refused by the kernel a moment ago"),
        ];
        write!(f, "{} {}", self.size(), if self.size() == 1 { "port" } else { "ports" })?;
        let mut between = ": ";
        for (count, words) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{between}{count} {words}")?;
            between = ", ";
        }
        match self.next_ms {
            Some(next) if self.free == 0 => write!(f, "; next in {} s", next.div_ceil(1000)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_name_what_there_is_and_nothing_else() {
        let standing = Standing {
            lent: 30,
            quarantined: 480,
            held: 2,
            next_ms: Some(11_200),
            ..Standing::default()
        };
        assert_eq!(
            standing.to_string(),
            "512 ports: 30 lent, 480 in TIME_WAIT of this program, 2 held by other programs; \
             next in 12 s"
        );
        assert_eq!(Standing { free: 1, ..Standing::default() }.to_string(), "1 port: 1 free");
        assert_eq!(Standing::default().to_string(), "0 ports");
    }
}
