//! What says which ports may be used: a list that an administrator wrote, and a table in which any user may put names.
#![no_main]

use lastack_os::{claim, host};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let list = host::parse_blacklist(text);
    assert!(list.ports.len() + list.ignored.len() <= text.lines().count());
    for (line, said) in &list.ignored {
        assert!((1..=text.lines().count()).contains(line), "a line from nowhere: {line}");
        assert!(!said.chars().any(char::is_control), "not printable: {said:?}");
    }
    // What was understood is read back from its own words.
    let words: String = list.ports.iter().map(|port| format!("{port}\n")).collect();
    assert_eq!(host::parse_blacklist(&words).ports, list.ports);

    for it in claim::parse(text, "lastack/") {
        assert!(it.name.starts_with("lastack/") && text.contains(&it.name), "{it:?}");
    }
});
