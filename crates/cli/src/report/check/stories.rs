//! The answer of `check stories`: which stories the kernel tells as the model does, and where it parts from it.

use crate::exit::Exit;
use crate::report::json::line;
use crate::report::page::{Page, Tone};
use lastack_model::ladder::scenario::Scenario;
use lastack_os::stage::{Outcome, Played};
use serde::Serialize;

/// A story and what became of it.
#[derive(Debug)]
pub struct Told {
    /// The story.
    pub story: &'static Scenario,
    /// What became of it.
    pub outcome: Outcome,
}

impl Told {
    /// How it was played, if it was.
    pub fn played(&self) -> Option<&Played> {
        match &self.outcome {
            Outcome::Played(played) => Some(played),
            Outcome::Cannot(_) => None,
        }
    }
}

/// Writes the answer.
pub fn write(page: &mut Page, told: &[Told], left_out: &[&Scenario]) {
    let differ = |one: &&Told| one.played().is_some_and(|one| one.difference.is_some());
    let played = told.iter().filter(|one| one.played().is_some()).count();
    let different = told.iter().filter(differ).count();
    let tone = if different == 0 { Tone::Good } else { Tone::Bad };
    page.verdict(tone, &headline(played, different));
    page.heading("Stories");
    for one in told {
        match (&one.outcome, one.played().and_then(|played| played.difference.as_ref())) {
            (Outcome::Cannot(why), _) => {
                page.item(2, "", &format!("{}: cannot be played: {why}", one.story.name));
            }
            (_, None) => page.item(2, "", &format!("{}: agrees", one.story.name)),
            (_, Some(difference)) => {
                let (step, expected) = (difference.step, &difference.expected);
                let what = format!("step {step}: expected {expected}, got {}", difference.got);
                page.item(2, "", &format!("{}: differs: {what}", one.story.name));
            }
        }
    }
    if !left_out.is_empty() {
        page.heading("Left out, since they take a minute");
        for story in left_out {
            page.item(2, "", story.name);
        }
    }
}

fn headline(played: usize, different: usize) -> String {
    let stories = if played == 1 { "story" } else { "stories" };
    let agree = played - different;
    let begin = format!("{played} {stories} on two ends of this machine's kernel");
    match (played, different) {
        (0, _) => "No story was played.".to_owned(),
        (_, 0) if played == 1 => format!("{begin}: it agrees with the model."),
        (_, 0) => format!("{begin}: all agree with the model."),
        _ => format!("{begin}: {agree} agree with the model, {different} differ."),
    }
}

/// The line for a story.
pub fn json(told: &Told, exit: Exit) -> String {
    let difference = told.played().and_then(|played| played.difference.as_ref());
    let (verdict, reason) = match (&told.outcome, difference) {
        (Outcome::Cannot(why), _) => ("cannot_be_played", Some(*why)),
        (_, None) => ("agrees", None),
        (_, Some(_)) => ("differs", None),
    };
    line(&Line {
        schema: "lastack.check-stories/1",
        exit: exit.code(),
        story: told.story.name,
        title: told.story.title,
        takes_a_minute: told.story.takes_a_minute(),
        verdict,
        reason,
        step: difference.map(|difference| difference.step),
        expected: difference.map(|difference| difference.expected.as_str()),
        got: difference.map(|difference| difference.got.as_str()),
    })
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    schema: &'static str,
    exit: u8,
    story: &'a str,
    title: &'a str,
    takes_a_minute: bool,
    verdict: &'static str,
    reason: Option<&'a str>,
    step: Option<usize>,
    expected: Option<&'a str>,
    got: Option<&'a str>,
}
