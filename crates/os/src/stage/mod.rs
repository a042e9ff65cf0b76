//! Stories on two real kernel ends: `lastack_model::ladder::stage` without the model.
//!
//! Each story gets two network namespaces of its own, each with a TUN device as its only wire. What one end sends is held
//! here until the story lets it arrive at the other, be lost or be doubled; calls are made on real sockets, and timers
//! are waited for. The model plays the same step at the same time, and what the kernel does is compared with it: the
//! segments in their order, with flags, relative numbers and lengths; the states of both ends; what each program is told.
//!
//! Left aside: windows and options, the moments at which timers run out, and what a timer sends again where the story
//! does not wait for it, which is lost on the way. Acknowledgements that the kernel puts off are waited for.

mod compare;
mod end;
mod expected;
mod host;
mod numbers;
mod player;
mod program;
mod turn;
mod witness;

use crate::{Error, Result};
use lastack_model::ladder::Ladder;
use lastack_model::ladder::scenario::{OnKernel, Plot, Scenario};
use std::thread;

/// What became of a story.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was played.
    Played(Box<Played>),
    /// A kernel cannot play it, for this reason.
    Cannot(&'static str),
}

/// A story that was played, to its end or to where the kernel did something else.
#[derive(Clone, Debug)]
pub struct Played {
    /// What the kernel did.
    pub kernel: Ladder,
    /// What the model did by then.
    pub model: Ladder,
    /// Where they differ.
    pub difference: Option<Difference>,
}

/// Where kernel and model differ.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// Which step of the story, counted from 1.
    pub step: usize,
    /// What the model does there.
    pub expected: String,
    /// What the kernel does there.
    pub got: String,
}

/// Plays a story on this machine's kernel. Needs `CAP_SYS_ADMIN` and `CAP_NET_ADMIN`, and takes as long as the timers
/// in it. All of it happens on a thread of its own.
pub fn play(scenario: &Scenario) -> Result<Outcome> {
    let (start, steps) = match (scenario.on_kernel, scenario.plot) {
        (OnKernel::Plays, Plot::Script(start, steps)) => (start, steps),
        (OnKernel::Plays, Plot::Search(_)) => {
            return Ok(Outcome::Cannot("a search finds it, which says nothing of calls"));
        }
        (OnKernel::Cannot(why), _) => return Ok(Outcome::Cannot(why)),
    };
    let alone =
        || player::play(scenario, start, steps).map(|played| Outcome::Played(Box::new(played)));
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .spawn_scoped(scope, alone)
            .map_err(|cause| Error::new("start", "a thread for a story", cause))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
