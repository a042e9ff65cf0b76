//! Which arcs of the figure a step goes along: what every change of state must be explained by.

use super::search::Taken;
use crate::state::State;
use crate::tcp::segment::{Control, Segment};
use crate::tcp::tcb::Timer;
use crate::tcp::transition::{Event, TRANSITIONS, Transition};
use crate::tcp::world::{Action, Side};

/// The arcs that one end goes along in a step; `None` when its state changes and no arc says so.
pub(super) fn arcs<const N: usize>(
    taken: &Taken<'_, N>,
    side: Side,
) -> Option<Vec<&'static Transition>> {
    let from = side_of(taken.before.states(), side);
    let to = side_of(taken.after.states(), side);
    if from == to {
        return Some(Vec::new());
    }
    let events = events(taken, side);
    path(from, to, &events)
}

/// The state of one of two ends.
pub(super) const fn side_of((one, other): (State, State), side: Side) -> State {
    match side {
        Side::A => one,
        Side::B => other,
    }
}

/// Along one arc, or two where a segment does two things: its acknowledgement comes first.
fn path(from: State, to: State, events: &[Event]) -> Option<Vec<&'static Transition>> {
    let arcs = || events.iter().filter_map(|event| row(from, *event));
    // A segment without an acknowledgement of the SYN is not looked at any further (RFC 9293 §3.10.7.4, fifth).
    let must_acknowledge = from == State::SynReceived && events.contains(&Event::AckOfSyn);
    let alone = arcs().find(|arc| {
        arc.to == to && (!must_acknowledge || arc.event == Event::AckOfSyn || is_reset(arc.event))
    });
    if let Some(arc) = alone {
        return Some(vec![arc]);
    }
    arcs().find_map(|first| {
        let second = events.iter().filter_map(|event| row(first.to, *event));
        second.into_iter().find(|arc| arc.to == to).map(|second| vec![first, second])
    })
}

fn row(from: State, event: Event) -> Option<&'static Transition> {
    TRANSITIONS.iter().find(|arc| arc.from == from && arc.event == event)
}

const fn is_reset(event: Event) -> bool {
    matches!(event, Event::Rst | Event::RstToListener)
}

/// What may move this end in the step.
fn events<const N: usize>(taken: &Taken<'_, N>, side: Side) -> Vec<Event> {
    match taken.action {
        Action::Open(at) if at == side => vec![Event::ActiveOpen],
        Action::Listen(at) if at == side => vec![Event::PassiveOpen],
        // To close with unread octets is to abort (RFC 2525 §2.17).
        Action::Close(at) if at == side => vec![Event::Close, Event::Abort],
        Action::Abort(at) if at == side => vec![Event::Abort],
        Action::Timeout(at, timer) if at == side => match timer {
            Timer::Retransmit => Vec::new(),
            Timer::GiveUp => vec![Event::GiveUp],
            Timer::FinWait2 => vec![Event::FinWait2Over],
            Timer::TimeWait => vec![Event::TimeWaitOver],
        },
        Action::Deliver(_) => taken.delivered(side).map_or_else(Vec::new, |one| carried(&one)),
        _ => Vec::new(),
    }
}

/// What a segment may be to whom it arrives at, in the order in which it is looked at.
fn carried(segment: &Segment) -> Vec<Event> {
    if segment.has(Control::RST) {
        return vec![Event::Rst, Event::RstToListener];
    }
    let mut events = Vec::new();
    let has_ack = segment.ack.is_some();
    match (segment.has(Control::SYN), has_ack) {
        (true, true) => events.extend([Event::SynAck, Event::AckOfSyn]),
        (true, false) => events.extend([Event::Syn, Event::SynOfNewIncarnation]),
        (false, true) => events.extend([Event::AckOfSyn, Event::AckOfFin]),
        (false, false) => {}
    }
    match (segment.has(Control::FIN), has_ack) {
        (true, true) => events.extend([Event::FinAckOfFin, Event::Fin]),
        (true, false) => events.push(Event::Fin),
        (false, _) => {}
    }
    events
}
