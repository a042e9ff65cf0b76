//! Ways to ask the explorer: is a state reached, is a step taken, and from where is there no way on?

use super::{Found, Story, Value};
use crate::explore::{Explored, Space, explore};
use crate::ladder::told;
use crate::state::State;
use crate::tcp::segment::Segment;
use crate::tcp::world::{Action, Packed, Setting, Side};

/// A setting and all that was found of it.
pub(super) struct Searched<const N: usize> {
    pub(super) setting: Setting<N>,
    pub(super) explored: Explored<Setting<N>>,
}

/// A step that can be taken.
pub(super) struct Taken<'a, const N: usize> {
    setting: &'a Setting<N>,
    pub(super) before: Packed<N>,
    pub(super) action: Action,
    pub(super) after: Packed<N>,
}

impl<const N: usize> Taken<'_, N> {
    /// The segment that arrives at this end.
    pub(super) fn delivered(&self, to: Side) -> Option<Segment> {
        let Action::Deliver(place) = self.action else { return None };
        let before = self.before.unpacked(self.setting);
        let one = before.under_way().nth(usize::from(place.0))?;
        (one.to == to).then(|| one.segment())
    }
}

impl<const N: usize> Searched<N> {
    pub(super) fn all(setting: Setting<N>, threads: usize) -> Self {
        Self { setting, explored: explore(&setting, threads) }
    }

    /// What there is to say without a question.
    pub(super) fn found(&self) -> Found {
        Found {
            states: self.explored.states() as u64,
            transitions: self.explored.transitions,
            ..Found::default()
        }
    }

    /// The shortest story to such a state.
    pub(super) fn reached(&self, is_wanted: impl Fn(&Packed<N>) -> bool) -> Option<Story> {
        let story = self.explored.story(is_wanted)?;
        Some(self.told(story.iter().map(|step| (step.action, step.state))))
    }

    /// The shortest story whose last step is such a one.
    pub(super) fn taken(&self, is_wanted: impl Fn(&Taken<'_, N>) -> bool) -> Option<Story> {
        let mut last = None;
        self.each_step(|taken| {
            let is_found = is_wanted(taken);
            if is_found {
                last = Some((taken.before, taken.action, taken.after));
            }
            is_found
        });
        let (before, action, after) = last?;
        let story = self.explored.story(|state| *state == before)?;
        let steps = story.iter().map(|step| (step.action, step.state));
        Some(self.told(steps.chain([(action, after)])))
    }

    /// Shows every step, those from the nearest states first, until one is found.
    pub(super) fn each_step(&self, mut is_last: impl FnMut(&Taken<'_, N>) -> bool) {
        let setting = &self.setting;
        let mut is_over = false;
        for before in self.explored.iter().copied() {
            setting.successors(&before, &mut |action, after| {
                is_over = is_over || is_last(&Taken { setting, before, action, after });
            });
            if is_over {
                return;
            }
        }
    }

    fn told(&self, steps: impl Iterator<Item = (Action, Packed<N>)>) -> Story {
        let setting = &self.setting;
        let first = setting.start().unpacked(setting);
        let steps: Vec<_> =
            steps.map(|(action, state)| (action, state.unpacked(setting))).collect();
        Story {
            steps: steps.len() as u64,
            start: told::states(&first),
            events: told::events(setting, &first, &steps),
        }
    }

    /// The states from which there is no way to where neither end has anything left of a connection.
    pub(super) fn stuck(&self) -> (Vec<Packed<N>>, Option<Story>) {
        let dead = self.explored.dead_ends(&self.setting, is_over);
        let story =
            dead.story().map(|steps| self.told(steps.iter().map(|step| (step.action, step.state))));
        (dead.states().copied().collect(), story)
    }
}

/// A listener has no connection. What follows from a deception is not looked at.
fn is_over<const N: usize>(state: &Packed<N>) -> bool {
    let is_free = |state| matches!(state, State::Closed | State::Listen);
    let (one, other) = state.states();
    is_free(one) && is_free(other) || state.is_deceived()
}

impl Found {
    /// With one more column: whether it happens, and after how many steps.
    pub(super) fn and(mut self, story: Option<Story>) -> Self {
        self.values.push(story.as_ref().map_or(Value::Never, |story| Value::After(story.steps)));
        self.story = self.story.or(story);
        self
    }
}
