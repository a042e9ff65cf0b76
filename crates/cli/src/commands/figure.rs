//! `lastack figure`: the state diagram, the table of pairs, ladders and plots, drawn from the rules themselves.

use crate::args::figure::{
    DiagramArgs, DrawingArgs, FigureArgs, FigureVerb, FileOutArgs, Format, LadderArgs,
};
use crate::choose_color;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::figure as report;
use crate::report::page;
use clap::{ColorChoice, ValueEnum};
use lastack_model::draw::canvas::Strokes;
use lastack_model::facts::{Transport, Unseen};
use lastack_model::figure::pairs::Pairs;
use lastack_model::figure::{self, Arcs, Marks};
use lastack_model::ladder::{self, Ladder, scenario};
use lastack_model::state::State;
use lastack_os::namespace;
use lastack_os::sock_diag::{self, Filter};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::thread;

/// Draws what was asked for.
pub fn run(args: &FigureArgs) -> Result<Exit, Error> {
    match &args.what {
        None => diagram(&args.diagram),
        Some(FigureVerb::Pairs(args)) => pairs(&args.drawing),
        Some(FigureVerb::Matrix(args)) => {
            let write = |paper: &mut report::Paper| report::matrix(paper, args.state);
            deliver(&args.file, &paper(Strokes::Ascii, &args.file, write))
        }
        Some(FigureVerb::Ladder(args)) => draw_ladder(args),
        Some(FigureVerb::Plot(args)) => {
            deliver(&args.file, &ladder::plot::svg(&story(&args.scenario)?))
        }
    }?;
    Ok(Exit::Yes)
}

fn diagram(args: &DiagramArgs) -> Result<(), Error> {
    let (marks, unseen) = if args.live { live(args)? } else { (Marks::default(), Vec::new()) };
    let shown = if args.all { Arcs::All } else { Arcs::Drawn };
    let drawing = match args.drawing.format {
        Format::Text => on_paper(&args.drawing, |paper| report::diagram(paper, shown, &marks)),
        Format::Svg => figure::svg::figure(shown, &marks),
        Format::Dot => figure::graph::dot(shown, &marks),
        Format::Mermaid => figure::graph::mermaid(shown, &marks),
    };
    deliver(&args.drawing.file, &drawing)?;
    for unseen in unseen {
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
fn live(args: &DiagramArgs) -> Result<(Marks, Vec<Unseen>), Error> {
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
    }?;
    Ok((Marks::counts(&dump.folded), dump.unseen))
}

fn pairs(drawing: &DrawingArgs) -> Result<(), Error> {
    only(drawing.format, "the table of pairs", &[Format::Text, Format::Svg])?;
    let pairs = Pairs::explored(thread::available_parallelism().map_or(1, usize::from));
    let text = match drawing.format {
        Format::Svg => pairs.svg(),
        Format::Text | Format::Dot | Format::Mermaid => {
            on_paper(drawing, |paper| report::pairs(paper, &pairs))
        }
    };
    deliver(&drawing.file, &text)
}

fn draw_ladder(args: &LadderArgs) -> Result<(), Error> {
    let drawing = &args.drawing;
    let Some(name) = &args.scenario else {
        return deliver(&drawing.file, &on_paper(drawing, report::scenarios));
    };
    only(drawing.format, "a ladder", &[Format::Text, Format::Svg, Format::Mermaid])?;
    let ladder = story(name)?;
    let text = match drawing.format {
        Format::Svg => ladder::svg::svg(&ladder),
        Format::Mermaid => ladder::sequence::mermaid(&ladder),
        Format::Text | Format::Dot => on_paper(drawing, |paper| report::ladder(paper, &ladder)),
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
    choose_color(if drawing.file.output.is_some() { ColorChoice::Never } else { drawing.color });
    paper(if drawing.ascii { Strokes::Ascii } else { Strokes::Box }, &drawing.file, write)
}

fn paper(strokes: Strokes, to: &FileOutArgs, write: impl FnOnce(&mut report::Paper)) -> String {
    let width = if to.output.is_some() { 80 } else { page::width() };
    let mut paper = report::Paper::new(strokes, width);
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
