//! What a change would do, and what came of it.

use crate::args::TuneArgs;
use crate::commands::tune::{Done, Outcome};
use crate::report::page::{Page, Tone};
use lastack_model::tune::{Change, Plan};

/// Whether somebody was asked, and so has seen what the changes do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// Nobody could answer, or nothing had to be asked.
    Nobody,
    /// Somebody at a terminal.
    Somebody,
}

/// Writes the outcome, and what each change does unless somebody has just read it.
pub fn write(
    page: &mut Page,
    plan: &Plan,
    outcome: &Outcome,
    asked: Asked,
    args: &TuneArgs,
    command: &str,
) {
    let (tone, text) = verdict(outcome.done, plan);
    page.verdict(tone, &text);
    if asked == Asked::Nobody {
        effects(page, plan);
    }
    for note in &outcome.notes {
        page.item(2, "! ", note);
    }
    if let Some(file) = &outcome.file {
        page.line(2, &format!("written for the next start: {}", file.display()));
    }
    if let Some(record) = &outcome.record {
        page.line(2, &format!("recorded in {}; to take it back:", record.display()));
        page.command(6, &format!("lastack tune --undo{}", args.folders()));
    }
    match outcome.done {
        Done::Unconfirmed | Done::Shown => {
            page.line(2, "to make the change:");
            page.command(6, command);
        }
        Done::Refused => {
            page.line(2, "to make it all the same:");
            page.command(6, &format!("{} --force --yes", command.trim_end_matches(" --yes")));
        }
        Done::Unchanged
        | Done::Applied
        | Done::NotPersisted
        | Done::Undone
        | Done::Conflict
        | Done::NothingRecorded
        | Done::Failed
        | Done::Halfway => {}
    }
}

/// Writes what each change does.
pub fn effects(page: &mut Page, plan: &Plan) {
    for change in &plan.changes {
        let [now, wanted] = [&change.present, &change.wanted]
            .map(|value| change.setting.with_unit(&value.to_string()));
        if !change.is_needed() {
            page.heading(&format!("{} is {now} already", change.setting.name));
            continue;
        }
        page.heading(&format!("{}: {now} -> {wanted}", change.setting.name));
        for effect in &change.effects {
            page.item(2, "- ", effect);
        }
        for caution in &change.cautions {
            page.item(2, "! ", caution);
        }
        for danger in &change.dangers {
            page.item(2, "! dangerous: ", danger);
        }
    }
}

fn verdict(done: Done, plan: &Plan) -> (Tone, String) {
    let count = plan.changes.iter().filter(|change| change.is_needed()).count();
    let dangerous = |change: &&Change| !change.dangers.is_empty();
    let settings =
        |count: usize| if count == 1 { "1 setting".into() } else { format!("{count} settings") };
    match done {
        Done::Shown => {
            (Tone::Mixed, format!("Would change {}; nothing was changed.", settings(count)))
        }
        Done::Unconfirmed => (
            Tone::Mixed,
            format!("Would change {}; nothing was changed without a yes.", settings(count)),
        ),
        Done::Refused => {
            let n = plan.changes.iter().filter(dangerous).count();
            let text = if n == 1 { "a value is".to_owned() } else { format!("{n} values are") };
            (Tone::Bad, format!("Refused: {text} dangerous here. Nothing was changed."))
        }
        Done::Unchanged => (Tone::Good, "Nothing to change.".into()),
        Done::NotPersisted => {
            (Tone::Mixed, format!("Changed {}, but not for the next start.", settings(count)))
        }
        Done::Failed => (Tone::Bad, "Nothing was changed.".into()),
        Done::Halfway => (
            Tone::Bad,
            "It failed half way: not every value is as it was (lastack tune --undo).".into(),
        ),
        Done::Applied | Done::Undone | Done::Conflict | Done::NothingRecorded => (
            Tone::Good,
            format!("Changed {}, and read back what the kernel has now.", settings(count)),
        ),
    }
}
