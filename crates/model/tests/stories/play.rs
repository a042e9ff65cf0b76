//! A story by chance: steps for two ends, played on a stage, and shrunk where they break a rule.

use lastack_model::draw::canvas::Strokes;
use lastack_model::ladder::stage::{Stage, Start, Step};
use lastack_model::ladder::{Call, Event, Ladder, Side, text};
use lastack_model::tcp::profile::Profile;
use lastack_model::tcp::tcb::Timer;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// A story.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    /// How it begins.
    pub(crate) opening: Opening,
    /// What happens.
    pub(crate) steps: Vec<Step>,
}

/// How a story begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opening {
    /// With a connection.
    Connected,
    /// B listens, and A connects.
    Listened,
    /// Both connect.
    Crossing,
}

/// What may happen beside writing, closing, losses, copies and detours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Harshness {
    /// Nothing.
    Orderly,
    /// Programs abort, and ends give up.
    Rough,
}

impl Story {
    /// Plays it; `each` sees the stage after every step.
    pub(crate) fn play(&self, profile: Profile, mut each: impl FnMut(&Stage)) -> Stage {
        let start = match self.opening {
            Opening::Connected => Start::Connected,
            Opening::Listened | Opening::Crossing => Start::Closed,
        };
        let mut stage = Stage::new(profile, start, WINDOW);
        let opening: &[Step] = match self.opening {
            Opening::Connected => &[],
            Opening::Listened => {
                &[Step::Call(Side::B, Call::Listen), Step::Call(Side::A, Call::Connect)]
            }
            Opening::Crossing => {
                &[Step::Call(Side::A, Call::Connect), Step::Call(Side::B, Call::Connect)]
            }
        };
        for step in opening.iter().chain(&self.steps) {
            stage.play(*step);
            each(&stage);
        }
        stage
    }

    /// True when a program writes.
    pub(crate) fn writes(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Call(_, Call::Write(_))))
    }

    /// What happens in it.
    pub(crate) fn ladder(&self, profile: Profile) -> Ladder {
        self.play(profile, |_| ()).into_ladder("story", "A story by chance.", ["A", "B"])
    }
}

/// Stories by chance.
pub(crate) fn stories(harshness: Harshness) -> impl Strategy<Value = Story> {
    let opening = select(vec![Opening::Connected, Opening::Listened, Opening::Crossing]);
    let steps = prop::collection::vec(step(harshness), 0..LONGEST);
    (opening, steps).prop_map(|(opening, steps)| Story { opening, steps })
}

fn step(harshness: Harshness) -> impl Strategy<Value = Step> {
    let side = || select(vec![Side::A, Side::B]);
    let mut calls = vec![Call::Close, Call::Shutdown, Call::Read, Call::Write(1)];
    let mut timers = vec![Timer::Retransmit, Timer::TimeWait, Timer::FinWait2];
    if harshness == Harshness::Rough {
        calls.push(Call::Abort);
        timers.push(Timer::GiveUp);
    }
    prop_oneof![
        8 => side().prop_map(Step::Arrives),
        4 => (side(), select(calls)).prop_map(|(side, call)| Step::Call(side, call)),
        2 => (side(), select(timers)).prop_map(|(side, timer)| Step::Timeout(side, timer)),
        1 => side().prop_map(Step::Overtakes),
        1 => side().prop_map(Step::Lost),
        1 => side().prop_map(Step::Doubled),
    ]
}

/// A rule that stories must keep; where one is broken, why.
pub(crate) type Rule<'a> = &'a dyn Fn(&Story) -> Result<(), String>;

/// The shortest story that was found to break the rule, and why.
pub(crate) fn counterexample(
    stories: impl Strategy<Value = Story>,
    cases: u32,
    seed: u64,
    rule: Rule<'_>,
) -> Option<(Story, String)> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 4000, ..Config::default() };
    let judged = TestRunner::new_with_rng(config, rng)
        .run(&stories, |story| rule(&story).map_err(TestCaseError::fail));
    match judged {
        Ok(()) => None,
        Err(TestError::Fail(reason, story)) => Some(shortest(story, reason.message(), rule)),
        Err(TestError::Abort(reason)) => panic!("no stories: {reason}"),
    }
}

/// What is left when no step and no two steps can be left out. Proptest tries each only once.
fn shortest(mut story: Story, reason: &str, rule: Rule<'_>) -> (Story, String) {
    let mut reason = reason.to_owned();
    let without = |story: &Story, one: usize, other: usize| {
        let kept = story.steps.iter().enumerate().filter(|(at, _)| *at != one && *at != other);
        Story { steps: kept.map(|(_, step)| *step).collect(), ..story.clone() }
    };
    'again: loop {
        let length = story.steps.len();
        for (one, other) in (0..length).flat_map(|one| (one..length).map(move |other| (one, other)))
        {
            let shorter = without(&story, one, other);
            if let Err(why) = rule(&shorter) {
                (story, reason) = (shorter, why);
                continue 'again;
            }
        }
        return (story, reason);
    }
}

/// Fails with the ladder of the shortest story that breaks the rule.
pub(crate) fn hold(
    profile: Profile,
    harshness: Harshness,
    (cases, seed): (u32, u64),
    rule: Rule<'_>,
) {
    if let Some((story, reason)) = counterexample(stories(harshness), cases, seed, rule) {
        panic!("{}", told(&story, profile, &reason, seed));
    }
}

/// A broken rule as a person reads it.
pub(crate) fn told(story: &Story, profile: Profile, reason: &str, seed: u64) -> String {
    let ladder = story.ladder(profile);
    let sheet = text::ladder(&ladder).to_text(Strokes::Ascii);
    format!("{reason} ({}, seed {seed})\n{sheet}\n{story:?}", profile.name)
}

/// Every event, with those before it.
pub(crate) fn moments(ladder: &Ladder) -> impl Iterator<Item = (&[Event], &Event)> {
    ladder.events.iter().enumerate().map(|(at, event)| (&ladder.events[..at], event))
}

const WINDOW: u32 = 1000;
const LONGEST: usize = 40;
