//! What taking a change back came to.

use crate::args::TuneArgs;
use crate::commands::tune::undo::Restore;
use crate::commands::tune::{Done, Outcome};
use crate::report::page::{Page, Tone};
use lastack_model::tune::Undo;

/// Writes it.
pub fn write(page: &mut Page, restores: &[Restore], outcome: &Outcome, args: &TuneArgs) {
    let (tone, text) = match outcome.done {
        Done::NothingRecorded => (Tone::Mixed, "Nothing is recorded that could be taken back."),
        Done::Conflict => (Tone::Bad, "Not taken back: it was changed since. Nothing was changed."),
        Done::Shown => (Tone::Mixed, "Would take back the last change; nothing was changed."),
        _ => (Tone::Good, "Taken back, and read back what the kernel has now."),
    };
    page.verdict(tone, text);
    for restore in restores {
        let with_unit =
            |value: &dyn std::fmt::Display| restore.setting.with_unit(&value.to_string());
        let (present, before) = (with_unit(&restore.present), with_unit(&restore.before));
        let text = match restore.undo {
            Undo::AlreadyBack => format!("{}: {before} already", restore.setting.name),
            Undo::Restore | Undo::ChangedSince => {
                format!("{}: {present} -> {before}", restore.setting.name)
            }
        };
        page.item(2, "- ", &text);
    }
    for note in &outcome.notes {
        page.item(2, "! ", note);
    }
    if let Some(file) = &outcome.file {
        page.line(2, &format!("its lines were taken out of {}", file.display()));
    }
    if outcome.done == Done::Conflict {
        page.line(2, "to set the recorded values all the same:");
        page.command(6, &format!("lastack tune --undo{} --force", args.folders()));
    }
}
