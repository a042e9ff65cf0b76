//! What other processes say of listeners: an environment, and the frames of a hand-over.
#![no_main]

use lastack_graceful::handover::environment::{Reader, parse};
use lastack_graceful::handover::frame::{Frame, LONGEST};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Ok(frame) = Frame::parse(octets) {
        assert!(octets.len() <= LONGEST);
        assert_eq!(frame.encode().expect("what was read can be written"), octets);
    }
    let text = String::from_utf8_lossy(octets);
    let lookup = |wanted: &str| {
        text.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix('=')).map(Into::into)
    };
    for pidfd_id in [None, Some(42)] {
        if let Ok(passed) = parse(lookup, &Reader { pid: 700, parent: 600, pidfd_id }) {
            let numbers: std::collections::HashSet<i32> =
                passed.iter().map(|it| it.number).collect();
            assert_eq!(numbers.len(), passed.len(), "a descriptor twice");
            assert!(numbers.iter().all(|number| *number >= 0));
        }
    }
});
