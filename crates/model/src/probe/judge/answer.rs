//! Whether an answer arrives: during an upload, with input left unread, after the client's FIN.

use super::super::http::Extent;
use super::super::log::{Happened, Observed, Told};
use super::super::trial::Kind;
use super::super::words;
use super::{Finding, Question, Verdict, of_kind};

/// How an answer fared.
enum Fate {
    /// All of it is there, or as much as the close ends.
    Arrived,
    /// All of it is there, and then came a reset.
    ArrivedThenReset,
    /// Part of it is there, and no more will come.
    Cut,
    /// It cannot be told, for this reason.
    Open(String),
}

/// While the request is still being sent.
pub(super) fn early(all: &[Observed]) -> Option<Finding> {
    let (at, one) = of_kind(all, Kind::Upload)?;
    let of = |verdict, says: String| {
        Finding::new(Question::EarlyAnswer, verdict, UNREAD, Some(at), says)
    };
    if let Some(fault) = fault(one, at, Question::EarlyAnswer) {
        return Some(fault);
    }
    Some(match fate(one) {
        Fate::Open(why) => of(Verdict::Undecided, why),
        _ if !came_early(one) => of(
            Verdict::Undecided,
            "it read the whole upload before it answered, so nothing could be cut".into(),
        )
        .because("a path or a --method that refuses uploads would show it"),
        _ if one.sent < one.planned => of(
            Verdict::Noted,
            format!(
                "the answer arrived, but after {} of {} octets the upload was not read on",
                one.sent, one.planned
            ),
        )
        .because("a client that sends everything before it reads gives up here"),
        _ => of(
            Verdict::Good,
            format!(
                "the answer arrived{}, and the other {} octets were taken",
                words::size(one),
                one.planned - sent_before_answer(one)
            ),
        ),
    })
}

/// With two octets too many.
pub(super) fn unread(all: &[Observed]) -> Option<Finding> {
    let (at, one) = of_kind(all, Kind::Stray)?;
    let of = |verdict, says: String| {
        Finding::new(Question::UnreadInput, verdict, UNREAD, Some(at), says)
    };
    Some(match fate(one) {
        Fate::Cut => return fault(one, at, Question::UnreadInput),
        // Whoever sends what nobody asked for, and has its answer, has lost nothing.
        Fate::ArrivedThenReset => {
            of(Verdict::Noted, format!("the answer arrived{}, and then a reset", words::size(one)))
                .because("a longer answer would have been cut; a path that has one would show it")
        }
        Fate::Open(why) => of(Verdict::Undecided, why),
        Fate::Arrived => of(
            Verdict::Good,
            format!("the answer arrived{}, and stray octets were no harm", words::size(one)),
        ),
    })
}

/// After the client's FIN.
pub(super) fn half_close(all: &[Observed]) -> Option<Finding> {
    let (at, one) = of_kind(all, Kind::HalfClose)?;
    let of = |verdict, says: &str| Finding::new(Question::HalfClose, verdict, HALF, Some(at), says);
    let before = of_kind(all, if one.extent.is_some() { Kind::Close } else { Kind::Words });
    let answers = before.is_some_and(|(_, other)| other.received > 0);
    if let Some(noted) = half_closed_tls(one, answers, at) {
        return Some(noted);
    }
    let treats_as_gone = "it takes the FIN for the end of everything; `printf … | nc -N` and \
                          clients that shut down writing get nothing";
    Some(if one.received == 0 && !answers {
        of(Verdict::Undecided, "it does not answer these words at all")
    } else if one.received == 0 && one.reset().is_some() {
        of(Verdict::Noted, "it resets instead of answering").because(treats_as_gone)
    } else if one.received == 0 && one.peer_fin().is_some() {
        of(Verdict::Noted, "it closes without an answer").because(treats_as_gone)
    } else if one.received == 0 {
        of(Verdict::Noted, "it answers others, and not who has sent its FIN")
    } else if let Some(fault) = fault(one, at, Question::HalfClose) {
        Finding { source: HALF, ..fault }
    } else {
        match fate(one) {
            Fate::Open(why) if one.extent.is_some() => of(Verdict::Undecided, &why),
            _ => of(Verdict::Good, "it still answers"),
        }
    })
}

/// What half-closing within TLS shows beside the good: `close_notify` once ended both directions.
fn half_closed_tls(one: &Observed, answers: bool, at: usize) -> Option<Finding> {
    one.tls.as_ref()?;
    let is_known = one.received > 0 || answers;
    let says = match fate(one) {
        Fate::Cut if one.received > 0 => format!("its answer is cut: {}", words::cut(one)),
        Fate::ArrivedThenReset => "its answer arrived this time, and then a reset".into(),
        Fate::Cut if is_known => "it resets instead of answering".into(),
        _ if one.received == 0 && is_known && one.peer_fin().is_some() => {
            "it closes without an answer".into()
        }
        _ => return None,
    };
    let because = "until TLS 1.2 a close_notify of the client had to be answered by closing at \
                   once; since TLS 1.3 it ends one direction only";
    let noted = Finding::new(Question::HalfClose, Verdict::Noted, HALF_TLS, Some(at), says);
    Some(noted.because(because))
}

/// An answer that is cut, or that comes with a reset.
fn fault(one: &Observed, at: usize, question: Question) -> Option<Finding> {
    let of = |says: String, because: &str| {
        Finding::new(question, Verdict::Fault, UNREAD, Some(at), says).because(because)
    };
    match fate(one) {
        Fate::Cut => Some(of(format!("the answer is cut: {}", words::cut(one)), cut_because(one))),
        Fate::ArrivedThenReset => Some(of(
            format!("the answer{} arrived this time, and then a reset", words::size(one)),
            "the reset throws away what has not arrived yet; a client on a slower network, one \
             that reads later, or one that stops at the first failed write loses the answer",
        )),
        Fate::Arrived | Fate::Open(_) => None,
    }
}

fn cut_because(one: &Observed) -> &'static str {
    let told = one.log.iter().find_map(|entry| match entry.what {
        Happened::Reset(told) => Some(told),
        _ => None,
    });
    let silent = one.place(|what| *what == Happened::FalseEnd).is_some();
    match told {
        Some(_) if one.received == 0 => {
            "it reset before a word of its answer was here: by intent, or by closing too early"
        }
        // The error of a socket is told once, to the call that comes first (`sock_error`).
        Some(Told::Writer) if silent => {
            "only the sender is told: a reader sees a proper end and believes it has everything"
        }
        Some(_) => "it closed with input unread, so its kernel reset and threw the rest away",
        None if one.speaks_tls && !one.is_notified() => {
            "a FIN without close_notify ends no answer; it may also be somebody's on the way"
        }
        None => "it ended the connection before its answer was out",
    }
}

fn fate(one: &Observed) -> Fate {
    if let Some(cause) = one.failure() {
        return Fate::Open(format!("the connection failed: {cause}"));
    }
    let is_reset = one.reset().is_some();
    match one.extent {
        Some(Extent::Malformed(flaw)) => Fate::Open(words::flaw(flaw).to_owned()),
        _ if one.read_too_much() => Fate::Open(format!(
            "the answer is longer than {} octets, where reading stopped",
            one.received.saturating_sub(1)
        )),
        Some(Extent::Whole { .. } | Extent::ToTheClose { .. }) if is_reset => {
            Fate::ArrivedThenReset
        }
        Some(Extent::Nothing | Extent::Head | Extent::Part { .. }) | None if is_reset => Fate::Cut,
        Some(Extent::Nothing) if one.peer_fin().is_some() || one.is_notified() => {
            Fate::Open("it closed without an answer".into())
        }
        Some(Extent::Nothing) => Fate::Open("it did not answer in time".into()),
        Some(Extent::Head | Extent::Part { .. })
            if one.peer_fin().is_some() || one.is_notified() =>
        {
            Fate::Cut
        }
        Some(Extent::Head | Extent::Part { .. }) => {
            Fate::Open("the answer stopped half way, and the connection stayed".into())
        }
        Some(Extent::Whole { .. } | Extent::ToTheClose { .. }) | None => Fate::Arrived,
    }
}

/// True when the answer began before all was sent.
fn came_early(one: &Observed) -> bool {
    sent_before_answer(one) < one.planned
}

/// How much was sent when the first of the answer was there.
fn sent_before_answer(one: &Observed) -> u64 {
    let mut sent = 0;
    for entry in &one.log {
        match entry.what {
            Happened::Wrote(octets) => sent += octets,
            Happened::Answering | Happened::Read(1..) | Happened::PeerFin | Happened::Reset(_) => {
                return sent;
            }
            _ => {}
        }
    }
    sent
}

const UNREAD: &str = "RFC 9112 §9.6, RFC 2525 §2.17";
const HALF: &str = "RFC 9293 §3.6";
const HALF_TLS: &str = "RFC 5246 §7.2.1, RFC 8446 §6.1";
