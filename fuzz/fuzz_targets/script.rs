//! Scripts in packetdrill's language: any text is read or refused at a place in it, and what is read can be replayed.
#![no_main]

use lastack_model::script::replay::{Dialect, replay};
use lastack_model::script::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let lines = text.split('\n').count() as u32;
    for dialect in [Dialect::LINUX, Dialect::RFC_9293, Dialect::FREE_BSD] {
        match parse(text, dialect.defined) {
            Ok(script) => {
                let _any = replay(&script, &dialect);
            }
            Err(error) => assert!(error.place.line <= lines, "an error past the end: {error}"),
        }
    }
});
