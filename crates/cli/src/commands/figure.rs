//! `lastack figure`: the state diagram, the table of pairs, ladders and plots, drawn from the rules themselves.

use super::check;
use crate::args::System;
use crate::args::figure::{
    DiagramArgs, DrawingArgs, FigureArgs, FigureVerb, FileOutArgs, Format, LadderArgs, MatrixArgs,
};
use crate::choose_color;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::data;
use crate::report::figure as report;
use crate::report::page;
use clap::{ColorChoice, ValueEnum};
use lastack_model::draw::canvas::Strokes;
use lastack_model::facts::Transport;
use lastack_model::figure::pairs::Pairs;
use lastack_model::figure::{self, Arcs, Marks};
use lastack_model::ladder::{self, Ladder, scenario};
use lastack_model::script;
use lastack_model::state::State;
use lastack_os::namespace;
use lastack_os::sock_diag::{self, Dump, Filter};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::thread;

/// Draws what was asked for.
pub fn run(args: &FigureArgs) -> Result<Exit, Error> {
    match &args.what {
        None => diagram(&args.diagram),
        Some(FigureVerb::Pairs(args)) => pairs(&args.drawing),
        Some(FigureVerb::Matrix(args)) => matrix(args),
        Some(FigureVerb::Ladder(args)) => draw_ladder(args),
        Some(FigureVerb::Plot(args)) => {
            deliver(&args.file, &ladder::plot::svg(&story(&args.scenario)?))
        }
    }?;
    Ok(Exit::Yes)
}

fn diagram(args: &DiagramArgs) -> Result<(), Error> {
    let counted = if args.live { Some(live(args)?) } else { None };
    let marks = counted.as_ref().map_or_else(Marks::default, |dump| Marks::counts(&dump.folded));
    let shown = if args.all { Arcs::All } else { Arcs::Drawn };
    let drawing = match args.drawing.format {
        Format::Text => on_paper(&args.drawing, |paper| report::diagram(paper, shown, &marks)),
        Format::Svg => figure::svg::figure(shown, &marks),
        Format::Dot => figure::graph::dot(shown, &marks),
        Format::Mermaid => figure::graph::mermaid(shown, &marks),
        Format::Json => data::diagram(shown, counted.as_ref()),
    };
    deliver(&args.drawing.file, &drawing)?;
    // For programs it is part of the answer.
    let unseen = counted.filter(|_| args.drawing.format != Format::Json).map(|dump| dump.unseen);
    for unseen in unseen.unwrap_or_default() {
        anstream::eprintln!(
            "lastack: not counted: {}: {} ({})",
            unseen.what,
            unseen.why,
            unseen.remedy
        );
    }
    Ok(())
}

/// How many sockets this host has in each state.
fn live(args: &DiagramArgs) -> Result<Dump<BTreeMap<State, u64>>, Error> {
    let count = || {
        sock_diag::fold(
            &Filter::all(Transport::Tcp),
            |counts: &mut BTreeMap<State, u64>, socket| {
                *counts.entry(socket.state).or_default() += 1;
            },
        )
    };
    let dump = match &args.netns {
        Some(name) => namespace::within(&namespace::by_name(name)?, count)?,
        None => count(),
    };
    Ok(dump?)
}

fn matrix(args: &MatrixArgs) -> Result<(), Error> {
    let drawing = &args.drawing;
    only(drawing.format, "the table of events", &[Format::Text, Format::Json])?;
    let text = match drawing.format {
        Format::Json => data::matrix(args.state),
        Format::Text | Format::Svg | Format::Dot | Format::Mermaid => {
            on_paper(drawing, |paper| report::matrix(paper, args.state))
        }
    };
    deliver(&drawing.file, &text)
}

fn pairs(drawing: &DrawingArgs) -> Result<(), Error> {
    only(drawing.format, "the table of pairs", &[Format::Text, Format::Svg, Format::Json])?;
    let pairs = Pairs::explored(thread::available_parallelism().map_or(1, usize::from));
    let text = match drawing.format {
        Format::Svg => pairs.svg(),
        Format::Json => data::pairs(&pairs),
        Format::Text | Format::Dot | Format::Mermaid => {
            on_paper(drawing, |paper| report::pairs(paper, &pairs))
        }
    };
    deliver(&drawing.file, &text)
}

fn draw_ladder(args: &LadderArgs) -> Result<(), Error> {
    let drawing = &args.drawing;
    let ladder = match (&args.scenario, &args.script) {
        (Some(name), _) => story(name),
        (None, Some(file)) => replayed(file, args.against),
        (None, None) => return deliver(&drawing.file, &on_paper(drawing, report::scenarios)),
    }?;
    ladder_as(&ladder, drawing)
}

/// Draws a ladder.
pub(super) fn ladder_as(ladder: &Ladder, drawing: &DrawingArgs) -> Result<(), Error> {
    let formats = [Format::Text, Format::Svg, Format::Mermaid, Format::Json];
    only(drawing.format, "a ladder", &formats)?;
    let text = match drawing.format {
        Format::Svg => ladder::svg::svg(ladder),
        Format::Mermaid => ladder::sequence::mermaid(ladder),
        Format::Json => data::ladder(ladder),
        Format::Text | Format::Dot => on_paper(drawing, |paper| report::ladder(paper, ladder)),
    };
    deliver(&drawing.file, &text)
}

fn story(name: &str) -> Result<Ladder, Error> {
    let found = scenario::find(name).ok_or_else(|| {
        let known: Vec<&str> = scenario::SCENARIOS.iter().map(|known| known.name).collect();
        Error::new(format!("no scenario is called {name:?} (there are: {})", known.join(", ")))
    })?;
    found.ladder().ok_or_else(|| {
        Error::new(format!("the search for {name} found no such story (please report this)"))
    })
}

/// What happens in a script.
fn replayed(file: &Path, against: System) -> Result<Ladder, Error> {
    let dialect = against.dialect();
    let script = script::parse(&check::read(file)?, dialect.defined).map_err(|cause| {
        Error::new(format!("failed to read the script {}: {cause}", file.display()))
    })?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(script::replay::ladder(&script, &dialect, &name))
}

fn only(format: Format, what: &str, formats: &[Format]) -> Result<(), Error> {
    if formats.contains(&format) {
        return Ok(());
    }
    let name = |format: &Format| {
        format.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    };
    let known: Vec<String> = formats.iter().map(name).collect();
    Err(Error::new(format!(
        "{what} cannot be drawn as {} (there are: {})",
        name(&format),
        known.join(", ")
    )))
}

/// Text as wide as the place it goes to; a file gets neither colour nor the width of the terminal.
fn on_paper(drawing: &DrawingArgs, write: impl FnOnce(&mut report::Paper)) -> String {
    let strokes = if drawing.ascii { Strokes::Ascii } else { Strokes::Box };
    let is_file = drawing.file.output.is_some();
    choose_color(if is_file { ColorChoice::Never } else { drawing.color });
    let mut paper = report::Paper::new(strokes, if is_file { 80 } else { page::width() });
    write(&mut paper);
    paper.into_text()
}

fn deliver(to: &FileOutArgs, text: &str) -> Result<(), Error> {
    let Some(path) = &to.output else { return page::print(text) };
    let plain = anstream::adapter::strip_str(text).to_string();
    let mut options = OpenOptions::new();
    options.write(true);
    if to.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(plain.as_bytes()));
    written.map_err(|cause| {
        let remedy = match cause.kind() {
            ErrorKind::AlreadyExists => " (--force replaces it)",
            _ => "",
        };
        Error::new(format!("failed to write {}: {cause}{remedy}", path.display()))
    })
}
