//! One module a verb.

pub mod check;
pub mod close;
pub mod connect;
pub mod figure;
pub mod free;
pub mod overview;
pub mod probe;
pub mod rsh;
pub mod tune;
pub mod wait;
pub mod why;

use crate::address::{self, Target};
use crate::args::{GuardArgs, OutputArgs};
use crate::error::Error;
use crate::report::page::Page;
use lastack_model::plan::{Guard, OwnOnly};

/// The addresses that were typed; one that is none is an error before anything else happens.
fn targets(asked: &[String]) -> Result<Vec<Target>, Error> {
    asked.iter().map(|asked| address::parse(asked)).collect::<Result<_, _>>().map_err(Error::new)
}

fn guard(args: &GuardArgs) -> Guard {
    Guard {
        own_only: if args.only_mine { OwnOnly::Yes } else { OwnOnly::No },
        command: args.if_command.clone(),
        unit: args.if_unit.clone(),
    }
}

/// Prints for people what is written; nothing where the answer is JSON.
fn on_paper(output: &OutputArgs, write: impl FnOnce(&mut Page)) -> Result<(), Error> {
    if output.json {
        return Ok(());
    }
    let mut page = Page::of_terminal();
    write(&mut page);
    page.print()
}
