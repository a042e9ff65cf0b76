//! `lastack check`: is what everything here rests on true? One module for each way of asking.

mod cells;
mod replay;
mod stories;
mod tables;

pub(super) use replay::read;

use crate::args::{CheckArgs, CheckVerb, TablesArgs};
use crate::error::Error;
use crate::exit::Exit;

/// Checks what was asked.
pub fn run(args: &CheckArgs) -> Result<Exit, Error> {
    match &args.what {
        Some(CheckVerb::Replay(args)) => replay::run(args),
        Some(CheckVerb::Cells(args)) => cells::run(args),
        Some(CheckVerb::Stories(args)) => stories::run(args),
        Some(CheckVerb::Tables(args)) => tables::run(args),
        None => tables::run(&TablesArgs::default()),
    }
}
