//! Rules that hold in every story, over stories made by chance. What breaks one is shrunk and printed as a ladder.
//!
//! Few stories, and always the same ones, so that this takes a moment; `lab/tests/stories.rs` takes many.

#[path = "stories/play.rs"]
mod play;
#[path = "stories/rules.rs"]
mod rules;

use lastack_model::ladder::index;
use lastack_model::ladder::{Known, Side};
use lastack_model::state::State;
use lastack_model::tcp::profile::Profile;
use play::{Harshness, Story, counterexample, stories, told};

const CHANCE: rules::Chance = (64, 1);

#[test]
fn closing_needs_fins_that_cross() {
    rules::closing_needs_fins_that_cross(CHANCE);
}

#[test]
fn only_known_pairs_occur() {
    rules::only_known_pairs_occur(CHANCE);
}

#[test]
fn states_change_along_the_arcs() {
    rules::states_change_along_the_arcs(CHANCE);
}

#[test]
fn every_segment_acknowledges_what_was_received() {
    rules::every_segment_acknowledges_what_was_received(CHANCE);
}

#[test]
fn numbers_never_go_back() {
    rules::numbers_never_go_back(CHANCE);
}

#[test]
fn time_wait_has_acknowledged_the_fin() {
    rules::time_wait_has_acknowledged_the_fin(CHANCE);
}

#[test]
fn the_end_of_the_file_comes_with_a_fin() {
    rules::the_end_of_the_file_comes_with_a_fin(CHANCE);
}

#[test]
fn both_come_to_rest() {
    rules::both_come_to_rest(CHANCE);
}

#[test]
fn a_story_that_breaks_a_rule_shrinks_to_a_short_ladder() {
    // A rule that does not hold: two closes and a FIN that arrives break it.
    let profile = Profile::RFC_9293;
    let nobody_is_in = |story: &Story, wanted: State| {
        let ladder = story.ladder(profile);
        let is_in = |side| {
            let states = |event: &lastack_model::ladder::Event| event.states[index(side)];
            ladder.events.iter().any(|event| states(event) == Known::Observed(wanted))
        };
        let found = Side::BOTH.into_iter().any(is_in);
        if found { Err(format!("somebody is in {wanted}")) } else { Ok(()) }
    };
    for (wanted, steps, events) in [(State::Closing, 3, 7), (State::TimeWait, 4, 13)] {
        let rule = |story: &Story| nobody_is_in(story, wanted);
        let found = counterexample(stories(Harshness::Orderly), 2000, 1, &rule);
        let (story, reason) = found.expect("a story that leads there");
        let ladder = story.ladder(profile);
        assert!(story.steps.len() <= steps && ladder.events.len() <= events, "{story:?}");
        let printed = told(&story, profile, &reason, 1);
        assert!(printed.contains(wanted.name()) && printed.contains("FIN,ACK seq 1"), "{printed}");
        assert!(printed.lines().count() <= events + 6, "{printed}");
    }
}
