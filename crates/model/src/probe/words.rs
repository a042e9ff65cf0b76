//! Numbers and reasons in words, for the findings.

use super::http::{Extent, Flaw};
use super::log::Observed;

/// How much of a cut answer arrived.
pub(super) fn cut(one: &Observed) -> String {
    let end = match (one.reset(), &one.tls) {
        (Some(_), _) => "a reset",
        (None, Some(tls)) if tls.close_notify => "close_notify",
        (None, Some(_)) => "a FIN without close_notify",
        (None, None) => "a FIN",
    };
    match one.extent {
        Some(Extent::Part { body, of: Some(of) }) => {
            format!("{body} of {of} octets arrived, then {end}")
        }
        Some(Extent::Part { body, of: None }) => {
            format!("{body} octets arrived and no end, then {end}")
        }
        Some(Extent::Head) => format!("part of its head arrived, then {end}"),
        None if one.received > 0 => format!("{} octets arrived, then {end}", one.received),
        _ => format!("nothing arrived but {end}"),
    }
}

/// How long the answer's body is.
pub(super) fn size(one: &Observed) -> String {
    match one.extent {
        Some(Extent::Whole { body }) => format!(" whole, {body} octets,"),
        Some(Extent::ToTheClose { body }) => {
            format!(" up to the close, {body} octets, which only the close ends,")
        }
        _ => String::new(),
    }
    .trim_end_matches(',')
    .to_owned()
}

/// Why something is no answer.
pub(super) const fn flaw(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::NoStatusLine => "what came is no answer in HTTP/1",
        Flaw::Tls => "what came is TLS: this port wants https",
        Flaw::LongHead => "the head of the answer is longer than 64 KiB",
        Flaw::Length => "the answer's Content-Length is no number, or several",
        Flaw::Chunk => "the answer's chunks are malformed",
    }
}

/// A time, in a unit that fits.
pub(super) fn seconds(ms: u64) -> String {
    if ms < 1000 {
        format!("{ms} ms")
    } else if ms < 10_000 {
        format!("{}.{} s", ms / 1000, ms % 1000 / 100)
    } else {
        format!("{} s", ms / 1000)
    }
}

/// Names with commas.
pub(super) fn listed(names: &[&str]) -> String {
    names.join(", ")
}
