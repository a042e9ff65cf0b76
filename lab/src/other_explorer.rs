//! The spaces of the model, walked by an explorer that others wrote (`stateright`): the judge of our own.

use lastack_model::explore::Space;
use lastack_model::tcp::world::{Action, Packed, Setting};
use stateright::{Checker, Model, Property};

/// How many states it finds, on so many threads.
pub fn count_states<const N: usize>(setting: Setting<N>, threads: usize) -> usize {
    Other(setting).checker().threads(threads).spawn_bfs().join().unique_state_count()
}

/// A setting as its model. An action carries what it leads to, so that nothing is worked out twice.
struct Other<const N: usize>(Setting<N>);

impl<const N: usize> Model for Other<N> {
    type State = Packed<N>;
    type Action = (Action, Packed<N>);

    fn init_states(&self) -> Vec<Packed<N>> {
        vec![self.0.start()]
    }

    fn actions(&self, state: &Packed<N>, actions: &mut Vec<Self::Action>) {
        self.0.successors(state, &mut |action, next| actions.push((action, next)));
    }

    fn next_state(&self, _: &Packed<N>, (_, next): Self::Action) -> Option<Packed<N>> {
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // Without a property it would not look at all.
        vec![Property::<Self>::always("is a state", |_, _| true)]
    }
}
