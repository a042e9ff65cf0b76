//! What the exploration of the smallest worlds shows; `crate::findings` has the rest.

use super::*;
use crate::explore::explore;
use crate::tcp::profile::{Profile, TimeWaitReset};

fn closed(state: &Packed<4>) -> bool {
    state.states() == (State::Closed, State::Closed)
}

#[test]
fn from_every_state_both_sides_can_still_reach_closed() {
    let space = Setting::<4> { aborts: true, ..Setting::BASIC };
    let explored = explore(&space, 2);
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
    let space = Setting::<2> { octets: 1, aborts: true, ..Setting::BASIC };
    for state in explore(&space, 2).iter() {
        assert!(Packed::of(&state.unpacked(&space)) == *state);
    }
}

/// Two connections between the same addresses and ports, one after the other.
const TWO: Setting<3> = Setting {
    incarnations: 2,
    time_wait: TimeWait::DrainedAndAcknowledged,
    profile: Profile { time_wait_reset: TimeWaitReset::Ignored, ..Profile::RFC_9293 },
    ..Setting::BASIC
};

/// The length of the shortest story in which an old segment is taken for a new one.
fn deception(setting: Setting<3>) -> Option<usize> {
    let explored = explore(&setting, 2);
    let story = explored.story(Packed::is_deceived);
    story.map(|steps| steps.len())
}

#[test]
fn time_wait_keeps_old_segments_out_of_the_next_connection() {
    assert_eq!(deception(TWO), None);
}
