//! `lastack check`: is what everything here rests on true? One module for each way of asking.

mod cells;
mod replay;

pub(super) use replay::read;

use crate::args::{CheckArgs, CheckVerb};
use crate::error::Error;
use crate::exit::Exit;

/// Checks what was asked.
pub fn run(args: &CheckArgs) -> Result<Exit, Error> {
    match &args.what {
        CheckVerb::Replay(args) => replay::run(args),
        CheckVerb::Cells(args) => cells::run(args),
    }
}
