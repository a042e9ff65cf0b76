//! The rules of `crates/model/tests/stories`, over many stories and by another chance each time. No kernel is asked.
//!
//! `LASTACK_SEED=n` plays the stories of a run again.

#[path = "../../crates/model/tests/stories/play.rs"]
mod play;
#[path = "../../crates/model/tests/stories/rules.rs"]
mod rules;

use rules::Chance;
use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

/// The stories of this run.
fn chance() -> Chance {
    let drawn = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| u64::from(since.subsec_nanos()))
    };
    let seed = env::var("LASTACK_SEED")
        .map_or_else(|_| drawn(), |seed| seed.parse().expect("LASTACK_SEED is a number"));
    eprintln!("LASTACK_SEED={seed}");
    (STORIES, seed)
}

#[test]
fn every_rule_holds_in_many_stories() {
    for rule in [
        rules::closing_needs_fins_that_cross,
        rules::only_known_pairs_occur,
        rules::states_change_along_the_arcs,
        rules::every_segment_acknowledges_what_was_received,
        rules::numbers_never_go_back,
        rules::time_wait_has_acknowledged_the_fin,
        rules::the_end_of_the_file_comes_with_a_fin,
        rules::both_come_to_rest,
    ] {
        rule(chance());
    }
}

const STORIES: u32 = 3000;
