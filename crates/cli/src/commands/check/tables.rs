//! `lastack check tables`: every finding of the book searched for again, row by row, and compared. Reads and sends nothing.

use crate::args::TablesArgs;
use crate::args::figure::Format;
use crate::commands::figure;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::check::tables as report;
use crate::report::page::{self, Page};
use lastack_model::findings::{self, Cost, Row, TABLES, Table};
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Instant;

/// Searches what was asked.
pub(super) fn run(args: &TablesArgs) -> Result<Exit, Error> {
    let tables = tables(&args.tables)?;
    let plain = args.drawing.format == Format::Text
        && !args.drawing.ascii
        && args.drawing.file.output.is_none();
    match args.story {
        _ if args.list => list(),
        Some(number) => story(&tables, number, args),
        None if plain => all(&tables, args),
        None => Err(Error::new(
            "only a story can be drawn (--format, --ascii and --output want --story ROW)",
        )),
    }
}

fn tables(names: &[String]) -> Result<Vec<&'static Table>, Error> {
    if names.is_empty() {
        return Ok(TABLES.to_vec());
    }
    let table = |name: &String| {
        findings::find(name).ok_or_else(|| {
            let known = TABLES.map(|table| table.name).join(", ");
            Error::new(format!("no table is called {name:?} (there are: {known})"))
        })
    };
    names.iter().map(table).collect()
}

fn list() -> Result<Exit, Error> {
    let mut page = Page::of_terminal();
    for table in TABLES {
        page.item(0, &format!("{:<14}", table.name), table.question);
    }
    page.print()?;
    Ok(Exit::Yes)
}

fn all(tables: &[&Table], args: &TablesArgs) -> Result<Exit, Error> {
    let mut tally = report::Tally::default();
    for table in tables {
        let mut searched = Vec::new();
        for (at, row) in table.rows.iter().enumerate() {
            if row.cost == Cost::Large && !args.large {
                continue;
            }
            let one = search(table, at, row);
            tally.count(&one);
            if args.json {
                page::print(&report::line(table, &one))?;
            } else {
                searched.push(one);
            }
        }
        if !args.json {
            let mut page = Page::of_terminal();
            report::table(&mut page, table, &searched);
            page.print()?;
        }
    }
    if !args.json {
        let mut page = Page::of_terminal();
        report::verdict(&mut page, &tally);
        page.print()?;
    }
    Ok(if tally.all_hold() { Exit::Yes } else { Exit::No })
}

fn search(table: &Table, at: usize, row: &'static Row) -> report::Searched {
    let shown = io::stderr().is_terminal();
    let mut talk = io::stderr();
    if shown {
        // Somebody who cannot read it is not served by an error.
        let _ = write!(talk, "\r{} {}/{}{ERASE_REST}", table.name, at + 1, table.rows.len());
    }
    let began = Instant::now();
    let found = (row.search)(threads());
    let time = began.elapsed();
    if shown {
        let _ = write!(talk, "\r{ERASE_REST}");
    }
    report::Searched { number: at + 1, row, found, time }
}

fn story(
    tables: &[&'static Table],
    number: NonZeroUsize,
    args: &TablesArgs,
) -> Result<Exit, Error> {
    let [table] = tables else {
        return Err(Error::new("--story draws a row of one table (name a single one)"));
    };
    let at = number.get() - 1;
    let row = table.rows.get(at).ok_or_else(|| {
        let (name, rows) = (table.name, table.rows.len());
        Error::new(format!("the table {name} has no row {number} (it has {rows})"))
    })?;
    let found = search(table, at, row).found;
    let story = found.story.ok_or_else(|| {
        let name = table.name;
        Error::new(format!("row {number} of {name} has no story: what it asks about never happens"))
    })?;
    figure::ladder_as(&story.into_ladder(table, at), &args.drawing)?;
    Ok(Exit::Yes)
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

const ERASE_REST: &str = "\x1b[K";
