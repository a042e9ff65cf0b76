//! Lists of hosts: any text is a list of no more hosts than the limit, or refused; a list folds to the same hosts.
#![no_main]

use lastack_rsh::hosts::{MOST_HOSTS, expand, fold};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;

fuzz_target!(|text: &str| {
    let Ok(hosts) = expand(text) else { return };
    assert!(hosts.len() <= MOST_HOSTS, "{} hosts", hosts.len());
    let names: BTreeSet<String> = hosts.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), hosts.len(), "a host twice");
    let folded = fold(names.iter().map(String::as_str));
    let again = expand(&folded).unwrap_or_else(|error| panic!("{folded}: {error}"));
    let again: BTreeSet<String> = again.iter().map(ToString::to_string).collect();
    assert_eq!(again, names, "{folded}");
});
