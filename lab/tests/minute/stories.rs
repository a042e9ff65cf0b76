//! Every story that a kernel can play is played on two ends of the one that runs, and agrees with the model.
//!
//! All at once, each in namespaces of its own: those that wait a `TIME_WAIT` out take a minute whatever is done.

use lastack_lab::privilege::require_root;
use lastack_lab::program;
use lastack_model::draw::canvas::Strokes;
use lastack_model::ladder::scenario::{OnKernel, SCENARIOS, Scenario};
use lastack_model::ladder::text;
use lastack_os::stage::{self, Outcome};
use std::thread;

/// What is wrong with how a story went, with both ladders; nothing where model and kernel agree.
fn disagreement(story: &Scenario) -> Option<String> {
    let outcome = stage::play(story).unwrap_or_else(|error| panic!("failed to {error}"));
    let Outcome::Played(played) = outcome else {
        return Some(format!("{}: not played", story.name));
    };
    let difference = played.difference?;
    let drawn = |ladder| text::ladder(ladder).to_text(Strokes::Box);
    Some(format!(
        "{}, step {}: expected {}, got {}\nmodel:\n{}\nkernel:\n{}",
        story.name,
        difference.step,
        difference.expected,
        difference.got,
        drawn(&played.model),
        drawn(&played.kernel)
    ))
}

#[test]
fn every_story_agrees_between_the_model_and_the_kernel() {
    require_root();
    let only = std::env::var("LASTACK_STORY").ok();
    let plays = |story: &&Scenario| {
        story.on_kernel == OnKernel::Plays && only.as_deref().is_none_or(|name| name == story.name)
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let stories: Vec<_> = SCENARIOS
            .iter()
            .filter(plays)
            .map(|story| scope.spawn(|| disagreement(story)))
            .collect();
        stories.into_iter().filter_map(|story| story.join().expect("a story")).collect()
    });
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_program_says_which_stories_agree_and_which_a_kernel_cannot_play() {
    require_root();
    let asked = ["check", "stories", "reset-by-abort", "a-listener-connects-itself"];
    let run = program::lastack(&asked);
    assert_eq!((run.code, run.stderr.as_str()), (Some(3), ""), "{run:#?}");
    let headline = "1 story on two ends of this machine's kernel: it agrees with the model.";
    assert!(run.stdout.starts_with(headline), "{run:#?}");
    assert!(run.stdout.contains("a-listener-connects-itself: cannot be played"), "{run:#?}");
    let run = program::lastack(&["check", "stories", "no-such-story"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(run.stderr.contains("there is no story 'no-such-story'"), "{run:#?}");
}
