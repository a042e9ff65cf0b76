//! What the exploration of small worlds shows.

use super::*;
use crate::explore::explore;
use crate::tcp::profile::{Profile, TimeWaitReset, TimeWaitRestart};

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
    let space = Setting::<3> { octets: 1, aborts: true, ..Setting::BASIC };
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

#[test]
fn losses_that_outlast_time_wait_let_an_old_segment_in() {
    assert_eq!(deception(Setting { time_wait: TimeWait::Drained, ..TWO }), Some(16));
}

#[test]
fn a_reset_that_ends_time_wait_lets_an_old_segment_in_as_in_the_figure_of_rfc_1337() {
    assert_eq!(deception(Setting { profile: Profile::RFC_9293, ..TWO }), Some(13));
}

#[test]
fn without_time_wait_only_rising_initial_numbers_keep_old_segments_out() {
    let skipped = Setting { time_wait: TimeWait::Any, ..TWO };
    assert_eq!(deception(skipped), Some(11));
    assert_eq!(deception(Setting { initial: Initial::Rising, ..skipped }), None);
}

#[test]
fn an_abort_leaves_only_the_rising_initial_numbers_as_a_guard() {
    let aborts = Setting { aborts: true, ..TWO };
    assert_eq!(deception(aborts), Some(4));
    assert_eq!(deception(Setting { initial: Initial::Rising, ..aborts }), None);
}

#[test]
fn a_wait_of_the_second_closer_alone_guards_nothing() {
    let waits = |active, passive| Setting { waits: Waits { active, passive }, ..TWO };
    assert_eq!(deception(waits(true, true)), None);
    assert_eq!(deception(waits(false, true)), Some(10));
    assert_eq!(deception(waits(false, false)), Some(10));
}

/// Whether a wait of so many ticks keeps old segments out that live for `lifetime` ticks. A closes first.
fn is_long_enough(ticks: u8, lifetime: u8, restart: TimeWaitRestart) -> bool {
    let setting = Setting::<32> {
        network: Network::Aged { ticks: lifetime },
        time_wait: TimeWait::Ticks(ticks),
        incarnations: 2,
        profile: Profile {
            time_wait_reset: TimeWaitReset::Ignored,
            time_wait_restart: restart,
            ..Profile::RFC_9293
        },
        first_to_close: Some(Side::A),
        ..Setting::BASIC
    };
    let explored = explore(&setting, 2);
    explored.story(Packed::is_deceived).is_none()
}

#[test]
fn how_long_time_wait_must_be_turns_on_what_starts_it_anew() {
    // A segment that lives for two ticks may arrive in the tick after the one it was sent in.
    assert!(!is_long_enough(3, 2, TimeWaitRestart::Fin));
    assert!(is_long_enough(4, 2, TimeWaitRestart::Fin));
    assert!(!is_long_enough(2, 2, TimeWaitRestart::AnyAck));
    assert!(is_long_enough(3, 2, TimeWaitRestart::AnyAck));
}
