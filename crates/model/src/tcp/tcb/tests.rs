//! The paths of the figure, one story each.

use super::*;
use crate::tcp::profile::Profile;
use crate::tcp::transition::{TRANSITIONS, next};

const RFC: Profile = Profile::RFC_9293;
const ISS: [SeqNumber; 2] = [SeqNumber(100), SeqNumber(500)];

/// Two ends joined by a wire that loses nothing and keeps the order.
struct Wire {
    ends: [Tcb; 2],
    under_way: Vec<(usize, Segment)>,
}

impl Wire {
    fn established() -> Self {
        Self { ends: Tcb::pair(ISS, 1000), under_way: Vec::new() }
    }

    fn act(&mut self, side: usize, act: impl FnOnce(&mut Tcb) -> Effects) {
        let effects = act(&mut self.ends[side]);
        self.under_way.extend(effects.segments().map(|segment| (1 - side, segment)));
    }

    /// Delivers the oldest segment.
    fn deliver(&mut self) {
        let (to, segment) = self.under_way.remove(0);
        self.act(to, |end| end.arrive(&segment, ISS[to] + 1000, &RFC));
    }

    fn settle(&mut self) {
        while !self.under_way.is_empty() {
            self.deliver();
        }
    }

    fn states(&self) -> (State, State) {
        (self.ends[0].state, self.ends[1].state)
    }
}

#[test]
fn one_side_closes_and_then_the_other() {
    let mut wire = Wire::established();
    wire.act(0, |end| end.close(&RFC));
    assert_eq!(wire.states(), (State::FinWait1, State::Established));
    wire.settle();
    assert_eq!(wire.states(), (State::FinWait2, State::CloseWait));
    wire.act(1, |end| end.close(&RFC));
    assert_eq!(wire.states(), (State::FinWait2, State::LastAck));
    wire.settle();
    assert_eq!(wire.states(), (State::TimeWait, State::Closed));
    wire.act(0, |end| end.timeout(Timer::TimeWait));
    assert_eq!(wire.states(), (State::Closed, State::Closed));
}

#[test]
fn both_close_at_once() {
    let mut wire = Wire::established();
    wire.act(0, |end| end.close(&RFC));
    wire.act(1, |end| end.close(&RFC));
    wire.deliver();
    wire.deliver();
    assert_eq!(wire.states(), (State::Closing, State::Closing));
    wire.settle();
    assert_eq!(wire.states(), (State::TimeWait, State::TimeWait));
}

#[test]
fn a_fin_that_acknowledges_ours_leads_straight_to_time_wait() {
    let mut wire = Wire::established();
    wire.act(0, |end| end.close(&RFC));
    wire.deliver();
    wire.act(1, |end| end.close(&RFC));
    // The pure acknowledgement is lost.
    wire.under_way.remove(0);
    wire.deliver();
    assert_eq!(wire.states(), (State::TimeWait, State::LastAck));
}

#[test]
fn a_connection_opens_in_three_steps_and_in_four_when_both_open() {
    let mut wire = Wire { ends: [Tcb::closed(1000); 2], under_way: Vec::new() };
    wire.act(1, Tcb::listen);
    wire.act(0, |end| end.open(ISS[0]));
    wire.settle();
    assert_eq!(wire.states(), (State::Established, State::Established));
    let mut wire = Wire { ends: [Tcb::closed(1000); 2], under_way: Vec::new() };
    wire.act(0, |end| end.open(ISS[0]));
    wire.act(1, |end| end.open(ISS[1]));
    wire.deliver();
    wire.deliver();
    assert_eq!(wire.states(), (State::SynReceived, State::SynReceived));
    wire.settle();
    assert_eq!(wire.states(), (State::Established, State::Established));
}

#[test]
fn data_before_a_fin_is_read_after_it_arrived() {
    let mut wire = Wire::established();
    wire.act(0, |end| end.send(10));
    wire.act(0, |end| end.close(&RFC));
    wire.settle();
    assert_eq!((wire.ends[1].unread, wire.ends[1].state), (10, State::CloseWait));
}

#[test]
fn closing_with_unread_data_resets() {
    let mut wire = Wire::established();
    wire.act(0, |end| end.send(10));
    wire.deliver();
    wire.act(1, |end| end.close(&RFC));
    wire.settle();
    assert_eq!(wire.states(), (State::Closed, State::Closed));
}

#[test]
fn a_lost_fin_is_sent_again() {
    let mut wire = Wire::established();
    wire.act(0, |end| end.close(&RFC));
    wire.under_way.clear();
    wire.act(0, |end| end.timeout(Timer::Retransmit));
    wire.settle();
    assert_eq!(wire.states(), (State::FinWait2, State::CloseWait));
}

#[test]
fn no_event_has_two_rows_in_one_state() {
    for row in &TRANSITIONS {
        let same = TRANSITIONS.iter().filter(|r| r.from == row.from && r.event == row.event);
        assert_eq!(same.count(), 1, "{row:?}");
        assert_eq!(next(row.from, row.event), Some(row.to));
    }
}
