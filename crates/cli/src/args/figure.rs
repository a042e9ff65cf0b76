//! What can be typed after `figure`.

use super::System;
use super::close::state_among;
use clap::{Args, ColorChoice, Subcommand, ValueEnum};
use lastack_model::state::State;
use std::path::PathBuf;

/// The arguments of `figure`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct FigureArgs {
    /// What to draw; without it, the state diagram.
    #[command(subcommand)]
    pub what: Option<FigureVerb>,
    /// The state diagram.
    #[command(flatten)]
    pub diagram: DiagramArgs,
}

/// What can be drawn beside the state diagram.
#[derive(Clone, Debug, Subcommand)]
pub enum FigureVerb {
    /// Who can be where: the pairs of states that both ends can be in at once.
    Pairs(PairsArgs),
    /// What every event does in every state, with the rule that says so.
    Matrix(MatrixArgs),
    /// A story as a ladder: both ends' states and the segments between them.
    Ladder(LadderArgs),
    /// A story as a plot of sequence numbers over time (SVG).
    Plot(PlotArgs),
}

/// The state diagram.
#[derive(Args, Clone, Debug)]
pub struct DiagramArgs {
    /// Also what the RFC tells and does not draw: resets, aborts, timeouts.
    #[arg(long)]
    pub all: bool,
    /// Write the number of this host's sockets on each state.
    #[arg(long)]
    pub live: bool,
    /// In this named network namespace (see `ip netns`).
    #[arg(long, value_name = "NAME", requires = "live")]
    pub netns: Option<String>,
    /// How to draw.
    #[command(flatten, next_help_heading = "Output")]
    pub drawing: DrawingArgs,
}

/// The table of pairs.
#[derive(Args, Clone, Debug)]
pub struct PairsArgs {
    /// How to draw.
    #[command(flatten, next_help_heading = "Output")]
    pub drawing: DrawingArgs,
}

/// The table of events.
#[derive(Args, Clone, Debug)]
pub struct MatrixArgs {
    /// Of this state (close-wait, fin-wait-2 …), each event in a line with its source.
    #[arg(value_name = "STATE", value_parser = parse_state)]
    pub state: Option<State>,
    /// How to draw.
    #[command(flatten, next_help_heading = "Output")]
    pub drawing: DrawingArgs,
}

/// A ladder.
#[derive(Args, Clone, Debug)]
pub struct LadderArgs {
    /// Which story.
    #[arg(value_name = "SCENARIO", required_unless_present_any = ["list", "script"])]
    pub scenario: Option<String>,
    /// List the stories.
    #[arg(long, conflicts_with_all = ["scenario", "script"])]
    pub list: bool,
    /// Replay this packetdrill script, and draw what happens as far as it goes.
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    pub script: Option<PathBuf>,
    /// With --script: the system whose model is meant.
    #[arg(long, value_enum, value_name = "SYSTEM", default_value_t = System::Linux)]
    #[arg(requires = "script", conflicts_with = "scenario")]
    pub against: System,
    /// How to draw.
    #[command(flatten, next_help_heading = "Output")]
    pub drawing: DrawingArgs,
}

/// A plot.
#[derive(Args, Clone, Debug)]
pub struct PlotArgs {
    /// Which story (see `lastack figure ladder --list`).
    #[arg(value_name = "SCENARIO")]
    pub scenario: String,
    /// Where to.
    #[command(flatten, next_help_heading = "Output")]
    pub file: FileOutArgs,
}

/// How to draw.
#[derive(Args, Clone, Debug, Default)]
pub struct DrawingArgs {
    /// In which format.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Draw text with + - | instead of line-drawing characters.
    #[arg(long)]
    pub ascii: bool,
    /// Where to.
    #[command(flatten)]
    pub file: FileOutArgs,
    /// When to use colour.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

/// Where a drawing goes.
#[derive(Args, Clone, Debug, Default)]
pub struct FileOutArgs {
    /// Write to this file, which must not exist yet, instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// A format of drawings.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Characters, 80 columns wide.
    #[default]
    Text,
    /// A picture for browsers.
    Svg,
    /// For Graphviz.
    Dot,
    /// For pages that render Mermaid.
    Mermaid,
    /// For programs: one object on a line.
    Json,
}

fn parse_state(text: &str) -> Result<State, String> {
    state_among(text, &State::ALL)
}

/// What the exit code of `figure` says.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  drawn
  2  the question or the environment is at fault; nothing was written";
