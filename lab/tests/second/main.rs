//! A second implementation of TCP, smoltcp, and our own under the same schedules: chance closes, aborts, writes, delivers,
//! loses, doubles, overtakes and waits. After that both have closed and nothing is lost any more, so both must end.
//!
//! `LASTACK_WALKS` sets how many schedules ours gets, `LASTACK_WALK_SEED` the seed. What goes wrong is told as the
//! shortest schedule that still shows it. smoltcp's known defects are in `defects`, each as a test that turns when it
//! is mended.

mod defects;
mod ours;
mod stack;
mod theirs;
mod walk;

use lastack_lab::random::Random;
use lastack_model::figure::pairs::Pairs;
use lastack_model::tcp::endpoint::Endpoint;
use stack::Stack;
use std::collections::BTreeSet;
use std::env;
use walk::{Action, Course, Fault, Telling, play, schedule, shrunk};

fn number(variable: &str, otherwise: u64) -> u64 {
    let Ok(text) = env::var(variable) else { return otherwise };
    text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}"))
}

fn seed() -> u64 {
    number("LASTACK_WALK_SEED", 20_261_125)
}

/// The schedule of one numbered walk.
fn numbered(walk: u64) -> Vec<Action> {
    schedule(&mut Random::for_case(seed(), walk))
}

/// The least part of a schedule that still has a fault of this kind.
fn least<S: Stack>(actions: &[Action], is_it: impl Fn(&[Action], Fault) -> bool) -> Vec<Action> {
    shrunk(actions, |part| shows::<S>(part, &is_it))
}

fn shows<S: Stack>(actions: &[Action], is_it: impl Fn(&[Action], Fault) -> bool) -> bool {
    play::<S>(actions, Telling::Silent).faults.iter().any(|fault| is_it(actions, *fault))
}

fn told<S: Stack>(actions: &[Action]) -> String {
    let Course { story, faults, .. } = play::<S>(actions, Telling::Aloud);
    format!("{}: {faults:?}\n  {actions:?}\n  {}", S::NAME, story.join("\n  "))
}

#[test]
fn our_end_never_gets_stuck_and_ignores_no_fin() {
    let pairs = Pairs::explored(2);
    let mut seen = BTreeSet::new();
    for walk in 0..number("LASTACK_WALKS", 100_000) {
        let actions = numbered(walk);
        let course = play::<Endpoint>(&actions, Telling::Silent);
        if !course.faults.is_empty() {
            let least = least::<Endpoint>(&actions, |_, _| true);
            panic!("seed {} walk {walk}: {}", seed(), told::<Endpoint>(&least));
        }
        seen.extend(course.pairs);
    }
    let unknown: Vec<_> = seen.iter().filter(|(a, b)| pairs.takes(*a, *b).is_none()).collect();
    assert!(unknown.is_empty(), "the explorer says that these are never reached: {unknown:?}");
}
