//! Who ends the connection, by what, when, and whether everybody lets go of it.

use super::super::http::Extent;
use super::super::log::{Happened, Observed};
use super::super::trial::{Awaited, Kind};
use super::super::words::{listed, seconds};
use super::{Finding, Question, Verdict, of_kind};
use crate::state::State;

/// Who sends the first FIN.
pub(super) fn closes_first(all: &[Observed]) -> Option<Finding> {
    let kinds = [Kind::Close, Kind::Words, Kind::Silent];
    let (at, one) = kinds.iter().find_map(|kind| of_kind(all, *kind))?;
    let of = |verdict, says: String| {
        Finding::new(Question::ClosesFirst, verdict, CLOSES, Some(at), says)
    };
    let asked = one.kind == Kind::Close;
    if one.failure().is_some() {
        return Some(of(Verdict::Undecided, "there was no connection to see it on".into()));
    }
    if let Some(reset) = one.reset() {
        let when = since_last_octet(one, reset);
        return Some(of(Verdict::Noted, format!("nobody: the server resets, {when}")));
    }
    if let Some(fin) = one.peer_fin().filter(|fin| one.shutdown().is_none_or(|own| *fin < own)) {
        let when = since_last_octet(one, fin);
        let says = format!("the server, {when}, so TIME_WAIT stays with it");
        return Some(of(Verdict::Good, says));
    }
    let is_whole = matches!(one.extent, Some(Extent::Whole { .. }));
    Some(match one.overdue(Awaited::End, 0) {
        Some(late) if one.is_notified() => {
            let waited = seconds(waited_ms(one, late));
            of(
                Verdict::Noted,
                format!("the client: the server said close_notify, and no FIN after {waited}"),
            )
        }
        None => of(Verdict::Undecided, "the connection was given up before that showed".into()),
        Some(late) if asked && is_whole => {
            let waited = seconds(waited_ms(one, late));
            of(
                Verdict::Fault,
                format!("asked to close after its answer, it had not after {waited}"),
            )
            .because("a server that was sent `Connection: close` must close")
        }
        Some(_) if asked => of(Verdict::Undecided, "its answer did not come to an end".into()),
        Some(late) => {
            let waited = seconds(waited_ms(one, late));
            of(Verdict::Noted, format!("the client: the server had not after {waited}"))
        }
    })
}

/// By what connections end on which nothing was wrong.
pub(super) fn fin_or_reset(all: &[Observed]) -> Option<Finding> {
    let plain = [Kind::Close, Kind::HalfClose, Kind::KeepAlive, Kind::Words, Kind::Silent];
    let those = || all.iter().enumerate().filter(|(_, one)| plain.contains(&one.kind));
    those().next()?;
    let of =
        |verdict, at, says: String| Finding::new(Question::FinOrReset, verdict, RESETS, at, says);
    // A close_notify that nobody read is input left unread, which half-closing is judged by.
    let leaves_unread = |one: &Observed| one.speaks_tls && one.kind == Kind::HalfClose;
    let resets: Vec<(usize, &Observed)> =
        those().filter(|(_, one)| one.reset().is_some() && !leaves_unread(one)).collect();
    let loses =
        |one: &Observed| one.received > 0 || matches!(one.kind, Kind::Close | Kind::KeepAlive);
    if let Some((at, one)) = resets.iter().find(|(_, one)| loses(one)) {
        let name = one.kind.name();
        let says = match one.received {
            0 => format!("by a reset instead of an answer ({name})"),
            _ => format!("by a reset, though nothing was left unread ({name})"),
        };
        let because = "a reset destroys what the client has not read yet, and it cannot tell a \
                       proper end from a crash";
        return Some(of(Verdict::Fault, Some(*at), says).because(because));
    }
    if let Some((at, one)) = resets.first() {
        let name = one.kind.name();
        if one.sent > 0 {
            let says = format!("by a reset instead of an answer ({name})");
            return Some(of(Verdict::Noted, Some(*at), says));
        }
        let says = format!("by a reset where nothing was asked ({name})");
        return Some(of(Verdict::Noted, Some(*at), says).because("no answer is lost by that"));
    }
    let fins: Vec<&str> = those()
        .filter(|(_, one)| one.peer_fin().is_some())
        .map(|(_, one)| one.kind.name())
        .collect();
    Some(if fins.is_empty() {
        of(Verdict::Undecided, None, "it ended no connection in the time given".into())
    } else {
        of(Verdict::Good, None, format!("by FIN ({})", listed(&fins)))
    })
}

/// Whether it closes after the client's FIN. One that still owes an answer may be slow, and is not judged by that.
pub(super) fn lets_go(all: &[Observed]) -> Finding {
    let of =
        |verdict, at, says: String| Finding::new(Question::LetsGo, verdict, CLOSE_WAIT, at, says);
    let held: Vec<(usize, &Observed, usize)> = all
        .iter()
        .enumerate()
        .filter_map(|(at, one)| {
            let late = one.overdue(Awaited::End, one.shutdown()?)?;
            Some((at, one, late))
        })
        .collect();
    let (held, owing): (Vec<_>, Vec<_>) = held.into_iter().partition(|(_, one, _)| !owes(one));
    let names = |held: &[(usize, &Observed, usize)]| {
        listed(&held.iter().map(|(_, one, _)| one.kind.name()).collect::<Vec<_>>())
    };
    let (acked, silent): (Vec<_>, Vec<_>) =
        held.into_iter().partition(|(_, one, late)| one.log[*late].unacked == Some(0));
    if let Some((at, one, late)) = acked.first() {
        let own = one.shutdown().map_or(0, |own| one.at_ms(own));
        let waited = seconds(one.at_ms(*late).saturating_sub(own));
        let there = match one.log[*late].there {
            Some(State::CloseWait) => "seen in CLOSE_WAIT there",
            Some(_) => "its socket is there",
            None => "FIN_WAIT_2 here, so CLOSE_WAIT there (inferred)",
        };
        let says = format!("{waited} after the client's FIN it had not closed ({})", names(&acked));
        let because = format!(
            "{there}: a socket held for every client that goes away, until a \
                               timeout of its own, if it has one"
        );
        return of(Verdict::Fault, Some(*at), says).because(because);
    }
    if let Some((at, ..)) = silent.first() {
        let says = "its kernel did not acknowledge the client's FIN".to_owned();
        return of(Verdict::Undecided, Some(*at), says);
    }
    let mut slowest: Option<(usize, u64)> = None;
    for (at, one) in all.iter().enumerate() {
        let Some((own, fin)) = one.shutdown().zip(one.peer_fin()) else { continue };
        let took = one.at_ms(fin).saturating_sub(one.at_ms(own));
        if fin > own && slowest.is_none_or(|(_, most)| took > most) {
            slowest = Some((at, took));
        }
    }
    match slowest {
        Some((at, took)) => {
            of(Verdict::Good, Some(at), format!("it closes too, within {}", seconds(took)))
        }
        None if !owing.is_empty() => {
            let says = "it still owed an answer when it was given up".to_owned();
            of(Verdict::Undecided, None, says).because("a longer --patience would show it")
        }
        None if all.iter().any(|one| one.peer_fin().is_some()) => {
            of(Verdict::Good, None, "it always closed before the client did".into())
        }
        None => of(Verdict::Undecided, None, "no connection came to that".into()),
    }
}

/// Whether something was asked, and the answer is not there to its end; without a known protocol, not at all.
const fn owes(one: &Observed) -> bool {
    let is_unanswered = match one.extent {
        Some(extent) => matches!(extent, Extent::Nothing | Extent::Head | Extent::Part { .. }),
        None => one.received == 0,
    };
    one.sent > 0 && is_unanswered
}

/// How long it keeps a connection on which nothing happens.
pub(super) fn idle(all: &[Observed]) -> Option<Finding> {
    let spans: Vec<(usize, String)> = [Kind::KeepAlive, Kind::Silent]
        .iter()
        .filter_map(|kind| of_kind(all, *kind))
        .filter_map(|(at, one)| Some((at, idle_words(one)?)))
        .collect();
    let (at, _) = spans.first()?;
    let says = spans.iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>().join("; ");
    Some(Finding::new(Question::Idle, Verdict::Noted, IDLE, Some(*at), says))
}

fn idle_words(one: &Observed) -> Option<String> {
    let name = match one.kind {
        Kind::KeepAlive if one.announces_close => return None,
        Kind::KeepAlive if !matches!(one.extent, Some(Extent::Whole { .. })) => return None,
        Kind::KeepAlive => "after an answer",
        _ => "without a word",
    };
    let own = one.shutdown().unwrap_or(usize::MAX);
    let ended = one.peer_fin().or_else(|| one.reset()).filter(|end| *end < own);
    let kept = match (ended, one.overdue(Awaited::End, 0).filter(|late| *late < own)) {
        (Some(end), _) => {
            let is_new = one.kind == Kind::KeepAlive && waited_ms(one, end) < PROMPT_MS;
            let unsaid = if is_new { ", which it had not announced" } else { "" };
            format!("closed after {}{unsaid}", seconds(waited_ms(one, end)))
        }
        (None, Some(late)) => format!("kept for more than {}", seconds(waited_ms(one, late))),
        (None, None) => return None,
    };
    Some(format!("{name} {kept}"))
}

fn since_last_octet(one: &Observed, at: usize) -> String {
    let after = if one.received > 0 { "after its last octet" } else { "without a word" };
    format!("{} {after}", seconds(waited_ms(one, at)))
}

/// How long before this place something had last happened that begins a wait.
fn waited_ms(one: &Observed, at: usize) -> u64 {
    // What TLS says of its own ends no silence.
    let counts = |what: &Happened| !matches!(what, Happened::Read(0) | Happened::PeerCloseNotify);
    let before = one.log[..at].iter().rev().find(|entry| counts(&entry.what));
    let before = before.map_or(0, |entry| entry.at_ms);
    one.at_ms(at).saturating_sub(before)
}

const CLOSES: &str = "RFC 9112 §9.6";
const RESETS: &str = "RFC 9293 §3.10.4, RFC 2525 §2.17";
const CLOSE_WAIT: &str = "RFC 9293 §3.6";
/// What closes sooner never was idle.
const PROMPT_MS: u64 = 500;
const IDLE: &str = "RFC 9112 §9.5";
