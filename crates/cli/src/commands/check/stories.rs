//! `lastack check stories`: every story of the book on two ends of this machine's kernel, beside the model. Makes network
//! namespaces that end with their story, and touches nothing else.

use crate::args::StoriesArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::check::stories as report;
use crate::report::figure::{self, Paper};
use crate::report::page::{self, Page};
use lastack_model::draw::canvas::Strokes;
use lastack_model::ladder::scenario::{self, SCENARIOS, Scenario};
use lastack_os::stage::{self, Outcome};
use std::thread;

/// Plays what was asked for.
pub(super) fn run(args: &StoriesArgs) -> Result<Exit, Error> {
    let meant = meant(args)?;
    let (left_out, played): (Vec<&Scenario>, Vec<&Scenario>) =
        meant.into_iter().partition(|story| args.quick && story.takes_a_minute());
    let told = play(&played)?;
    let exit = exit(&told, args);
    if args.json {
        page::print(&told.iter().map(|one| report::json(one, exit)).collect::<String>())?;
        return Ok(exit);
    }
    let mut page = Page::of_terminal();
    report::write(&mut page, &told, &left_out);
    page.print()?;
    if args.ladder {
        for played in told.iter().filter_map(report::Told::played) {
            let mut paper = Paper::new(Strokes::Box, page::width());
            figure::ladder(&mut paper, &played.kernel);
            page::print(&format!("\n{}", paper.into_text()))?;
        }
    }
    Ok(exit)
}

fn meant(args: &StoriesArgs) -> Result<Vec<&'static Scenario>, Error> {
    if args.stories.is_empty() {
        return Ok(SCENARIOS.iter().collect());
    }
    let named = |name: &String| {
        scenario::find(name).ok_or_else(|| {
            Error::new(format!("there is no story '{name}' (lastack figure ladder --list)"))
        })
    };
    args.stories.iter().map(named).collect()
}

/// All at once: most of the time they wait. The first one that cannot begin is the error of all.
fn play(stories: &[&'static Scenario]) -> Result<Vec<report::Told>, Error> {
    thread::scope(|scope| {
        let playing: Vec<_> =
            stories.iter().map(|story| (*story, scope.spawn(|| stage::play(story)))).collect();
        let told = |(story, playing): (&'static Scenario, thread::ScopedJoinHandle<'_, _>)| {
            let outcome: Result<Outcome, lastack_os::Error> =
                playing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok(report::Told { story, outcome: outcome? })
        };
        playing.into_iter().map(told).collect()
    })
}

fn exit(told: &[report::Told], args: &StoriesArgs) -> Exit {
    let differs = |one: &report::Told| one.played().is_some_and(|one| one.difference.is_some());
    let cannot = |one: &report::Told| matches!(one.outcome, Outcome::Cannot(_));
    if told.iter().any(differs) {
        Exit::No
    } else if !args.stories.is_empty() && told.iter().any(cannot) {
        Exit::Partly
    } else {
        Exit::Yes
    }
}
