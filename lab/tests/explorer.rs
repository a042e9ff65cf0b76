//! The explorer against another one, written by others: the same space must have the same number of states.

use lastack_lab::other_explorer::count_states;
use lastack_model::explore::explore;
use lastack_model::tcp::world::{Setting, Start};

fn assert_same<const N: usize>(setting: Setting<N>) {
    let ours = explore(&setting, 2).states();
    let theirs = count_states(setting, 2);
    assert_eq!(ours, theirs, "{setting:?}");
}

#[test]
fn four_segments_in_flight_with_aborts() {
    assert_same(Setting::<4> { aborts: true, ..Setting::BASIC });
}

#[test]
fn three_segments_in_flight_with_an_octet_each_way() {
    assert_same(Setting::<3> { octets: 1, ..Setting::BASIC });
}

#[test]
fn two_segments_in_flight_from_the_opening_on() {
    assert_same(Setting::<2> { start: Start::Closed, aborts: true, ..Setting::BASIC });
}
