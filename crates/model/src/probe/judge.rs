//! The verdicts: one for each question, from the logs of the connections.
//!
//! A fault is what loses data or sockets. What is merely worth knowing is noted. What did not show stays undecided, with
//! what would show it.

mod answer;
mod ending;
mod notify;

use super::log::{Happened, Observed};
use super::trial::{Awaited, Kind};
use crate::facts::Unseen;

/// A question about a server.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Question {
    /// Does an answer arrive while the request is still being sent?
    EarlyAnswer,
    /// Does one arrive when octets are left that the server does not read?
    UnreadInput,
    /// Who closes first?
    ClosesFirst,
    /// Does it end by a FIN or by a reset?
    FinOrReset,
    /// Does it answer who has sent its FIN already?
    HalfClose,
    /// Does it close once the client has closed, or hold on?
    LetsGo,
    /// How long does it keep a connection on which nothing happens?
    Idle,
    /// Over TLS: does it say `close_notify` before its FIN?
    CloseNotify,
}

/// The answer in a word.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Worth knowing, and no fault by itself.
    Noted,
    /// It did not show.
    Undecided,
    /// Clients lose by it.
    Fault,
}

/// The answer to a question.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Finding {
    /// The question.
    pub question: Question,
    /// The answer in a word.
    pub verdict: Verdict,
    /// The answer in a sentence.
    pub says: String,
    /// What follows from it, or what would decide it.
    pub because: Option<String>,
    /// The rule that it rests on.
    pub source: &'static str,
    /// The connection that showed it, by its place among them.
    pub shown_by: Option<usize>,
}

impl Question {
    /// The question in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::EarlyAnswer => "an answer during an upload",
            Self::UnreadInput => "an answer with input left unread",
            Self::ClosesFirst => "who closes first",
            Self::FinOrReset => "by FIN or by reset",
            Self::HalfClose => "a client that half-closes",
            Self::LetsGo => "after the client has closed",
            Self::Idle => "an idle connection",
            Self::CloseNotify => "close_notify before its FIN",
        }
    }
}

impl Verdict {
    /// The verdict as a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Noted => "note",
            Self::Undecided => "open",
            Self::Fault => "FAULT",
        }
    }
}

/// Answers every question that these connections are about.
///
/// ```
/// use lastack_model::probe::{judge, trials, Bounds, Observed, Protocol, Verdict};
///
/// let trials = trials(&Protocol::Plain(None), &Bounds::DEFAULT);
/// let unreached = Observed::unreached(&trials[0], "connection refused".into());
/// assert!(judge(&[unreached]).iter().all(|finding| finding.verdict == Verdict::Undecided));
/// ```
pub fn judge(all: &[Observed]) -> Vec<Finding> {
    [
        answer::early(all),
        answer::unread(all),
        ending::closes_first(all),
        ending::fin_or_reset(all),
        notify::close_notify(all),
        answer::half_close(all),
        Some(ending::lets_go(all)),
        ending::idle(all),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What these connections cannot show, whatever the verdicts.
pub fn unseen(all: &[Observed]) -> Vec<Unseen> {
    let mut unseen = Vec::new();
    if all.iter().all(|one| one.log.iter().all(|entry| entry.there.is_none())) {
        unseen.push(Unseen {
            what: "the server's own states".into(),
            why: "they are in its kernel; those in parentheses are inferred from this one's".into(),
            remedy: "`lastack` on the server's host lists what it has in CLOSE_WAIT".into(),
        });
    }
    if all.iter().any(|one| one.tls.is_some()) {
        unseen.push(Unseen {
            what: "who answers".into(),
            why: "the certificate was not verified: this is about how connections end".into(),
            remedy: "`openssl s_client` or a browser".into(),
        });
    }
    unseen.push(Unseen {
        what: "what the server's program read".into(),
        why: "an acknowledgement is its kernel's".into(),
        remedy: "its own log".into(),
    });
    unseen
}

impl Finding {
    /// Whether there is something to change: a fault, or a bare FIN of a server that closes first. These connections are
    /// those that it was found on.
    pub fn wants_fix(&self, all: &[Observed]) -> bool {
        let shown_by = self.shown_by.and_then(|at| all.get(at));
        match self.verdict {
            Verdict::Fault => true,
            Verdict::Noted if self.question == Question::CloseNotify => {
                shown_by.is_some_and(notify::closes_first)
            }
            Verdict::Good | Verdict::Noted | Verdict::Undecided => false,
        }
    }

    fn new(
        question: Question,
        verdict: Verdict,
        source: &'static str,
        shown_by: Option<usize>,
        says: impl Into<String>,
    ) -> Self {
        Self { question, verdict, says: says.into(), because: None, source, shown_by }
    }

    fn because(mut self, because: impl Into<String>) -> Self {
        self.because = Some(because.into());
        self
    }
}

/// What is asked of a log.
impl Observed {
    fn place(&self, is: impl Fn(&Happened) -> bool) -> Option<usize> {
        self.log.iter().position(|entry| is(&entry.what))
    }

    fn at_ms(&self, place: usize) -> u64 {
        self.log.get(place).map_or(0, |entry| entry.at_ms)
    }

    /// Where it was reset, after the handshake of TLS if there is one.
    pub(super) fn reset(&self) -> Option<usize> {
        let place = self.place(|what| matches!(what, Happened::Reset(_)));
        place.filter(|_| self.handshake_failure().is_none())
    }

    /// Where the peer's FIN came, after the handshake of TLS if there is one.
    fn peer_fin(&self) -> Option<usize> {
        let place = self.place(|what| *what == Happened::PeerFin);
        place.filter(|_| self.handshake_failure().is_none())
    }

    /// Whether the peer said `close_notify`.
    pub(super) fn is_notified(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.close_notify)
    }

    /// Why the handshake of TLS failed, where it did.
    pub fn handshake_failure(&self) -> Option<&str> {
        let is_made = self.place(|what| *what == Happened::Connected).is_some();
        self.failure().filter(|_| self.speaks_tls && self.tls.is_none() && is_made)
    }

    /// Where this side's FIN was sent.
    fn shutdown(&self) -> Option<usize> {
        self.place(|what| *what == Happened::Shutdown)
    }

    /// Where this was given up after this place.
    fn overdue(&self, awaited: Awaited, after: usize) -> Option<usize> {
        let is = |what: &Happened| *what == Happened::Overdue(awaited);
        self.log.iter().enumerate().skip(after).find(|(_, entry)| is(&entry.what)).map(|(at, _)| at)
    }

    fn failure(&self) -> Option<&str> {
        self.log.iter().find_map(|entry| match &entry.what {
            Happened::Failed(cause) => Some(cause.as_str()),
            _ => None,
        })
    }

    fn read_too_much(&self) -> bool {
        self.place(|what| *what == Happened::TooMuch).is_some()
    }
}

/// The connection of a kind, and its place.
fn of_kind(all: &[Observed], kind: Kind) -> Option<(usize, &Observed)> {
    all.iter().enumerate().find(|(_, one)| one.kind == kind)
}
