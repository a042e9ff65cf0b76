//! What the figure says of every connection, checked over every order of events there is in a small world.

use super::*;
use crate::explore::{Space, explore};
use crate::tcp::segment::{Control, Segment};
use crate::tcp::tcb::Timer;
use crate::tcp::world::{Action, Packed, Setting, Side, World};

const SETTING: Setting<4> = Setting::BASIC;

/// The basic setting without some of its actions.
struct Without<F> {
    start: Packed<4>,
    is_out: F,
}

impl<F: Fn(&World<4>, Action) -> bool + Sync> Space for Without<F> {
    type State = Packed<4>;
    type Action = Action;

    fn start(&self) -> Packed<4> {
        self.start
    }

    fn successors(&self, state: &Packed<4>, each: &mut dyn FnMut(Action, Packed<4>)) {
        let world = state.unpacked(&SETTING);
        SETTING.successors(state, &mut |action, next| {
            if !(self.is_out)(&world, action) {
                each(action, next);
            }
        });
    }
}

fn without<F: Fn(&World<4>, Action) -> bool + Sync>(is_out: F) -> Without<F> {
    Without { start: SETTING.start(), is_out }
}

/// The segment that this action delivers to this side.
fn delivered(world: &World<4>, action: Action, to: Side) -> Option<Segment> {
    let Action::Deliver(place) = action else { return None };
    let under_way = world.under_way().nth(usize::from(place.0))?;
    (under_way.to == to).then(|| under_way.segment())
}

/// An end by a reset is not an orderly one.
fn is_reset(world: &World<4>, action: Action) -> bool {
    let reset = |side| delivered(world, action, side).is_some_and(|one| one.has(Control::RST));
    reset(Side::A) || reset(Side::B)
}

/// True when it acknowledges A's FIN, whose number is 1.
fn acknowledges_fin(segment: &Segment) -> bool {
    segment.ack.is_some_and(|ack| ack.0 == 2)
}

fn states_of_a<F: Fn(&World<4>, Action) -> bool + Sync>(space: &Without<F>) -> Vec<State> {
    let mut states: Vec<State> = explore(space, 2).iter().map(|state| state.states().0).collect();
    states.sort_unstable();
    states.dedup();
    states
}

#[test]
fn an_orderly_end_takes_a_fin_from_each_side_and_an_acknowledgement_of_each() {
    let no_fin = without(|world, action| {
        is_reset(world, action)
            || delivered(world, action, Side::A).is_some_and(|segment| segment.has(Control::FIN))
    });
    assert_eq!(
        states_of_a(&no_fin),
        [State::Established, State::FinWait1, State::FinWait2],
        "without the peer's FIN there is no end"
    );
    let no_ack = without(|world, action| {
        is_reset(world, action)
            || delivered(world, action, Side::A).is_some_and(|segment| acknowledges_fin(&segment))
    });
    assert_eq!(
        states_of_a(&no_ack),
        [State::Established, State::FinWait1, State::CloseWait, State::Closing, State::LastAck],
        "without the acknowledgement of its own FIN there is no end either"
    );
}

#[test]
fn what_comes_first_after_a_close_decides_between_fin_wait_2_closing_and_time_wait() {
    let explored = explore(&SETTING, 2);
    let mut seen = Vec::new();
    for state in explored.iter().filter(|state| state.states().0 == State::FinWait1) {
        let world = state.unpacked(&SETTING);
        SETTING.successors(state, &mut |action, next| {
            let after = next.states().0;
            let Some(segment) = delivered(&world, action, Side::A) else { return };
            let expected = match (acknowledges_fin(&segment), segment.has(Control::FIN)) {
                _ if segment.has(Control::RST) || segment.seq != world.ends[0].tcb.rcv_nxt => {
                    return;
                }
                (true, false) => State::FinWait2,
                (false, true) => State::Closing,
                (true, true) => State::TimeWait,
                (false, false) => State::FinWait1,
            };
            assert_eq!(after, expected, "{segment}");
            seen.push(expected);
        });
    }
    for state in [State::FinWait2, State::Closing, State::TimeWait] {
        assert!(seen.contains(&state), "{state} was never reached");
    }
}

#[test]
fn when_both_close_before_they_hear_of_each_other_both_end_in_time_wait() {
    let closed = |from: &Packed<4>, side| {
        let mut found = None;
        SETTING.successors(from, &mut |action, next| {
            if action == Action::Close(side) {
                found = Some(next);
            }
        });
        found.expect("both may close")
    };
    let start = closed(&closed(&SETTING.start(), Side::A), Side::B);
    // Losses do not outlast TIME_WAIT: the one exception, in which the other side is reset in CLOSING.
    let space = Without {
        start,
        is_out: |_: &World<4>, action| matches!(action, Action::Timeout(_, Timer::TimeWait)),
    };
    let explored = explore(&space, 2);
    let both = |state: &Packed<4>| state.states() == (State::TimeWait, State::TimeWait);
    assert_eq!(explored.dead_ends(&space, both).count(), 0);
    let known = [State::FinWait1, State::FinWait2, State::Closing, State::TimeWait];
    for state in explored.iter() {
        let (one, other) = state.states();
        assert!(known.contains(&one) && known.contains(&other), "{one} {other}");
    }
}
