//! What was seen of the kernel, written down as a ladder.

use lastack_model::ladder::scenario::Scenario;
use lastack_model::ladder::{Event, Known, Ladder, Moment, View, WaitMark, What};
use lastack_model::ladder::{Side, index};
use lastack_model::state::State;
use std::time::Instant;

/// Keeps what it sees.
#[derive(Debug)]
pub(super) struct Witness {
    began: Instant,
    start: [Known<State>; 2],
    states: [Known<State>; 2],
    events: Vec<Event>,
    /// What has happened since the states were seen last.
    since: Vec<What>,
}

impl Witness {
    pub(super) fn new(start: [Known<State>; 2]) -> Self {
        let (events, since) = (Vec::new(), Vec::new());
        Self { began: Instant::now(), start, states: start, events, since }
    }

    /// Something happened.
    pub(super) fn saw(&mut self, what: What) {
        self.since.push(what);
    }

    /// These are the states after what has happened.
    pub(super) fn found(&mut self, states: [Known<State>; 2]) {
        for side in [Side::A, Side::B] {
            let [before, after] = [self.states, states].map(|states| waits(states[index(side)]));
            match (before, after) {
                (false, true) => self.since.push(What::Wait(side, WaitMark::Starts)),
                (true, false) => self.since.push(What::Wait(side, WaitMark::Ends)),
                (false, false) | (true, true) => {}
            }
        }
        self.states = states;
        let at = Some(Moment(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)));
        // A segment is sent because of what is told before it, as the model has it.
        self.since.sort_by_key(|what| matches!(what, What::Sent(_)));
        self.events.extend(self.since.drain(..).map(|what| Event { at, what, states }));
    }

    pub(super) fn into_ladder(mut self, scenario: &Scenario) -> Ladder {
        self.found(self.states);
        Ladder {
            name: scenario.name.into(),
            title: scenario.title.into(),
            ends: scenario.ends.map(Into::into),
            view: View::Both,
            start: self.start,
            events: self.events,
        }
    }
}

fn waits(state: Known<State>) -> bool {
    state.state() == Some(State::TimeWait)
}
