//! How a wait ended: nothing where it ended well, the explanation of `why` where it did not.

use super::page::{self, Page, Tone};
use super::{explanation, json, phrase};
use crate::address::Target;
use crate::args::{Until, WaitArgs};
use crate::commands::wait::exit;
use crate::error::Error;
use crate::waiting::{End, Obstacle, Waited};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Writes it, in the form that was asked for.
pub fn write(waited: &Waited, target: &Target, args: &WaitArgs) -> Result<(), Error> {
    if args.output.json {
        page::print(&json::wait(&target.asked, args.until, waited, exit(&waited.end)))
    } else {
        text(waited, target, args)
    }
}

fn text(waited: &Waited, target: &Target, args: &WaitArgs) -> Result<(), Error> {
    let mut page = Page::of_terminal();
    let asked = &target.asked;
    let time = after(waited.time);
    match &waited.end {
        End::Reached if args.command.is_empty() => {
            // Talk, for those who look on: a script is told by the exit code.
            let mut talk = std::io::stderr();
            if talk.is_terminal() {
                let _ = writeln!(talk, "{asked} {}{time}", reached(args.until));
            }
            return Ok(());
        }
        End::Reached | End::Interrupted => return Ok(()),
        End::Refused(why) => {
            explanation::write(&mut page, why, &args.bind);
            page.heading("Waiting does not change this");
            page.line(2, "--even-if-refused waits until the host's addresses or settings change");
        }
        End::TimedOut(Obstacle::Sockets(why)) => {
            explanation::write(&mut page, why, &args.bind);
        }
        End::TimedOut(Obstacle::NobodyListens) => {
            page.verdict(Tone::Bad, &format!("Nobody listens on {asked}{time}."));
        }
        End::TimedOut(Obstacle::NobodyAnswers(reasons)) => {
            page.verdict(Tone::Bad, &format!("Nobody answers at {asked}{time}."));
            for line in reasons {
                page.line(2, line);
            }
        }
    }
    page.print()
}

/// What was waited, if it is worth a word.
fn after(time: Duration) -> String {
    match time.as_secs() {
        0 => String::new(),
        seconds => format!(" after {}", phrase::duration(seconds * 1000)),
    }
}

const fn reached(until: Until) -> &'static str {
    match until {
        Until::Bindable => "can be bound",
        Until::Listening => "is listened on",
        Until::Connectable => "answers",
    }
}
