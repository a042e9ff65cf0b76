//! Whether a server that ends a connection within TLS says so there: a FIN alone, anybody on the way can make.

use super::super::http::Extent;
use super::super::log::Observed;
use super::super::words::listed;
use super::{Finding, Question, Verdict};

/// On every connection that the server ended by a FIN.
pub(super) fn close_notify(all: &[Observed]) -> Option<Finding> {
    all.iter().find(|one| one.speaks_tls)?;
    let of =
        |verdict, at, says: String| Finding::new(Question::CloseNotify, verdict, MUST, at, says);
    let ended = || {
        let secured = all.iter().enumerate().filter(|(_, one)| one.tls.is_some());
        secured.filter(|(_, one)| one.peer_fin().is_some() && one.reset().is_none())
    };
    let bare: Vec<(usize, &Observed)> = ended().filter(|(_, one)| !one.is_notified()).collect();
    let names = |those: &[(usize, &Observed)]| {
        listed(&those.iter().map(|(_, one)| one.kind.name()).collect::<Vec<_>>())
    };
    if let Some((at, one)) = bare.iter().find(|(_, one)| needs_it(one)) {
        let says = format!("it ends by a FIN alone ({})", one.kind.name());
        let because = "nothing else says where the answer ends, so no client can tell it from one \
                       that somebody on the way has cut";
        return Some(of(Verdict::Fault, Some(*at), says).because(because));
    }
    let (first, second): (Vec<_>, Vec<_>) = ended().partition(|(_, one)| closes_first(one));
    let is_bare = |(_, one): &(usize, &Observed)| !one.is_notified();
    let bare: Vec<(usize, &Observed)> = first.iter().copied().filter(is_bare).collect();
    if let Some((at, _)) = bare.first() {
        let says = format!("it ends by a FIN alone ({})", names(&bare));
        let because = "it must say close_notify first; an answer that says its length is whole all \
                       the same, and clients that do not look at lengths report an error";
        return Some(of(Verdict::Noted, Some(*at), says).because(because));
    }
    let bare: Vec<(usize, &Observed)> = second.iter().copied().filter(is_bare).collect();
    Some(match (first.is_empty(), bare.first()) {
        (true, None) if second.is_empty() => {
            of(Verdict::Undecided, None, "it ended no connection by a FIN".into())
        }
        (_, None) => {
            let said = names(&[first, second].concat());
            of(Verdict::Good, None, format!("it says so ({said})"))
        }
        (is_unknown, Some((at, _))) => {
            let before = if is_unknown { "" } else { "it says so where it closes first; " };
            let says = format!("{before}to clients that said it first it does not answer so");
            of(Verdict::Noted, Some(*at), format!("{says} ({})", names(&bare)))
                .because("each side must say it for itself; no answer is lost by that")
        }
    })
}

/// Whether the server sent the first FIN.
pub(super) fn closes_first(one: &Observed) -> bool {
    one.peer_fin().is_some_and(|fin| one.shutdown().is_none_or(|own| fin < own))
}

/// Whether nothing but the close tells where its answer ends.
const fn needs_it(one: &Observed) -> bool {
    match one.extent {
        None => one.received > 0,
        Some(Extent::ToTheClose { .. } | Extent::Part { of: None, .. }) => true,
        Some(_) => false,
    }
}

const MUST: &str = "RFC 8446 §6.1, RFC 5246 §7.2.1, RFC 9112 §9.8";
