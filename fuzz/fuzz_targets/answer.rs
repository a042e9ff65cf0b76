//! Answers of HTTP servers: any octets are read or refused, alike in one piece and in two, and no octet counts twice.
#![no_main]

use lastack_model::probe::http::{Answer, Extent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let mut whole = Answer::default();
    whole.take(octets);
    let at = octets.first().map_or(0, |first| usize::from(*first) % octets.len());
    let mut pieces = Answer::default();
    pieces.take(&octets[..at]);
    pieces.take(&octets[at..]);
    assert_eq!(whole.extent(), pieces.extent());
    if let Extent::Part { body, .. } | Extent::Whole { body } = whole.extent() {
        assert!(body <= octets.len() as u64, "{body} octets of body in {}", octets.len());
    }
    let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    assert!(whole.server().is_none_or(is_plain));
});
