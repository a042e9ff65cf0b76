//! `lastack check cells`: the model against this machine's kernel in every cell, or the model's table alone.

use crate::args::CellsArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::check::cells as report;
use crate::report::page::{self, Page};
use lastack_model::script::cells::{self, Agreement, Cell, Prediction};
use lastack_model::script::replay::{Dialect, Observed, Verdict};
use lastack_os::live;

/// Asks what was asked.
pub(super) fn run(args: &CellsArgs) -> Result<Exit, Error> {
    let dialect = args.against.dialect();
    if let Some(name) = &args.script {
        return script(name, &dialect);
    }
    let cells: Vec<Cell> = cells::all().filter(|cell| is_meant(*cell, args)).collect();
    if cells.is_empty() {
        return Err(Error::new(
            "no cell is in this state, of this segment and new: leave out --new".to_owned(),
        ));
    }
    let predicted = cells::predict(&cells, &dialect).map_err(|verdict| lost(&verdict))?;
    let predicted: Vec<_> = predicted.into_iter().map(|prediction| prediction.observed).collect();
    let kernel = if args.model_only { None } else { Some(ask(&cells)?) };
    let agreements =
        kernel.as_ref().map(|kernel| cells::compare(&cells, &predicted, kernel, &dialect));
    let outcome =
        report::Outcome { system: dialect.profile.name, cells, predicted, kernel, agreements };
    let exit = exit(&outcome);
    if args.json {
        page::print(&report::json(&outcome, exit))?;
    } else {
        let mut page = Page::of_terminal();
        report::write(&mut page, &outcome);
        page.print()?;
    }
    Ok(exit)
}

fn script(name: &str, dialect: &Dialect) -> Result<Exit, Error> {
    let Some(cell) = cells::named(name) else {
        return Err(Error::new(format!(
            "there is no cell '{name}': a name is as in closing/fin+ack=all/prev, and --json \
             --model-only lists them all"
        )));
    };
    page::print(&cell.script(dialect).map_err(|verdict| lost(&verdict))?)?;
    Ok(Exit::Yes)
}

fn is_meant(cell: Cell, args: &CellsArgs) -> bool {
    let among = |wanted: &[String], name: &str| {
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)
    };
    among(&args.state, cell.row.name())
        && among(&args.segment, cell.kind.name())
        && (!args.new || cell.is_new())
}

/// What the kernel does. It is led to each state as Linux goes there.
fn ask(cells: &[Cell]) -> Result<Vec<Observed>, Error> {
    let ways = cells::predict(cells, &Dialect::LINUX).map_err(|verdict| lost(&verdict))?;
    let scripts: Vec<_> = ways.iter().map(|Prediction { script, .. }| script).collect();
    let seen = live::observe_all(&scripts)?;
    let taken = |(cell, seen): (&Cell, Result<Observed, Verdict>)| match seen {
        Ok(observed) => Ok(cell.seen(observed)),
        Err(verdict) => {
            Err(Error::new(format!("the kernel does not get to the cell {cell}: {verdict}")))
        }
    };
    cells.iter().zip(seen).map(taken).collect()
}

fn lost(verdict: &Verdict) -> Error {
    Error::new(format!("the model does not get to a state: {verdict}"))
}

fn exit(outcome: &report::Outcome) -> Exit {
    let unexplained = |all: &Vec<Agreement>| all.contains(&Agreement::Unexplained);
    if outcome.agreements.as_ref().is_some_and(unexplained) { Exit::No } else { Exit::Yes }
}
