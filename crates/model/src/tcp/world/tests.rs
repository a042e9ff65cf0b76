//! What the exploration of small worlds shows.

use super::*;
use crate::explore::explore;

fn closed(state: &Packed<4>) -> bool {
    state.states() == (State::Closed, State::Closed)
}

#[test]
fn from_every_state_both_sides_can_still_reach_closed() {
    let space = Setting::<4> { aborts: true, ..Setting::BASIC };
    let explored = explore(&space, 2);
    println!("{} states, {} transitions", explored.states(), explored.transitions);
    assert_eq!(explored.dead_ends(&space, closed).count(), 0);
}

#[test]
fn closing_needs_fins_that_cross() {
    let space = Setting::<4>::BASIC;
    let explored = explore(&space, 2);
    let story = explored.story(|state| state.states().0 == State::Closing).expect("CLOSING");
    let closes = story.iter().filter(|step| matches!(step.action, Action::Close(_))).count();
    assert_eq!(closes, 2, "{story:?}");
}

#[test]
fn what_is_packed_is_unpacked_the_same() {
    let space = Setting::<3> { octets: 1, aborts: true, ..Setting::BASIC };
    for state in explore(&space, 2).iter() {
        assert!(Packed::of(&state.unpacked(&space)) == *state);
    }
}
