//! The stories: each a script for two ends, named by what it tells, or a search that finds it.

mod again;
mod closing;
mod detours;
mod listener;
mod opening;
mod resets;
mod silence;

use super::Ladder;
use super::stage::{Stage, Start, Step};
use crate::tcp::profile::Profile;
use crate::tcp::tcb::Timer;

/// A story.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What happens, in a sentence.
    pub title: &'static str,
    /// What A and B are.
    pub ends: [&'static str; 2],
    /// Whose behaviour.
    pub profile: Profile,
    /// How it comes about.
    pub plot: Plot,
    /// Whether the kernel of a machine can play it.
    pub on_kernel: OnKernel,
}

/// Whether two ends of a real kernel can play a story.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnKernel {
    /// They can.
    Plays,
    /// They cannot, for this reason.
    Cannot(&'static str),
}

/// How a story comes about.
#[derive(Clone, Copy, Debug)]
pub enum Plot {
    /// By these steps.
    Script(Start, &'static [Step]),
    /// An exhaustive search finds the shortest one.
    Search(fn() -> Option<Stage>),
}

/// The story of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

impl Scenario {
    /// True when a `TIME_WAIT` is waited for to its end, which takes a minute on a kernel.
    pub fn takes_a_minute(&self) -> bool {
        let Plot::Script(_, steps) = self.plot else { return false };
        steps.iter().any(|step| matches!(step, Step::Timeout(_, Timer::TimeWait)))
    }

    /// Plays it. `None` only where a search finds nothing.
    pub fn ladder(&self) -> Option<Ladder> {
        let stage = match self.plot {
            Plot::Script(start, steps) => {
                let mut stage = Stage::new(self.profile, start, WINDOW);
                for step in steps {
                    stage.play(*step);
                }
                stage
            }
            Plot::Search(search) => search()?,
        };
        Some(stage.into_ladder(self.name, self.title, self.ends))
    }
}

const fn story(name: &'static str, title: &'static str, steps: &'static [Step]) -> Scenario {
    Scenario {
        name,
        title,
        ends: ["A", "B"],
        profile: Profile::LINUX,
        plot: Plot::Script(Start::Connected, steps),
        on_kernel: OnKernel::Plays,
    }
}

const fn opening(name: &'static str, title: &'static str, steps: &'static [Step]) -> Scenario {
    Scenario {
        plot: Plot::Script(Start::Closed, steps),
        ends: ["client", "server"],
        ..story(name, title, steps)
    }
}

const fn call(side: super::Side, what: super::Call) -> Step {
    Step::Call(side, what)
}

/// The tables, in the order in which a reader may take them.
const THEMES: [&[Scenario]; 7] = [
    &opening::STORIES,
    &closing::STORIES,
    &detours::STORIES,
    &resets::STORIES,
    &listener::STORIES,
    &silence::STORIES,
    &again::STORIES,
];

const COUNT: usize = {
    let (mut count, mut theme) = (0, 0);
    while theme < THEMES.len() {
        count += THEMES[theme].len();
        theme += 1;
    }
    count
};

/// Every story.
pub static SCENARIOS: [Scenario; COUNT] = {
    let mut all = [THEMES[0][0]; COUNT];
    let (mut at, mut theme) = (0, 0);
    while theme < THEMES.len() {
        let mut inside = 0;
        while inside < THEMES[theme].len() {
            all[at] = THEMES[theme][inside];
            at += 1;
            inside += 1;
        }
        theme += 1;
    }
    all
};

impl Scenario {
    const fn cannot(self, why: &'static str) -> Self {
        Self { on_kernel: OnKernel::Cannot(why), ..self }
    }

    const fn by_the_rfc(self) -> Self {
        Self { profile: Profile::RFC_9293, ..self }
    }

    const fn searching(self, search: fn() -> Option<Stage>) -> Self {
        Self { plot: Plot::Search(search), ..self }
    }
}

/// Octets that each end accepts: more than any story sends.
pub const WINDOW: u32 = 1000;
