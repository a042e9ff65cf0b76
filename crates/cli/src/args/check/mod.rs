//! What can be typed after `check`.

mod cells;
mod replay;
mod stories;
mod tables;

pub use cells::CellsArgs;
pub use replay::{Against, ReplayArgs};
pub use stories::StoriesArgs;
pub use tables::TablesArgs;

use clap::{Args, ColorChoice, Subcommand};

/// The arguments of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// What to check; without it, the tables.
    #[command(subcommand)]
    pub what: Option<CheckVerb>,
}

/// What can be checked.
#[derive(Clone, Debug, Subcommand)]
pub enum CheckVerb {
    /// Replay packetdrill scripts against the model of a system, or this machine's kernel.
    ///
    /// Against a model nothing is sent. Against the kernel, each script gets a network namespace of its own, where its
    /// calls are made on real sockets and its segments come and go through a TUN device; no segment leaves it. Commands
    /// and code in a script are never run.
    ///
    /// Compared are the flags, relative numbers and lengths of what is sent, the results of calls, and states. Not
    /// compared are windows, options and the moments of retransmissions. A script that fails and would pass if the
    /// system differed in one or two known ways is said to differ, with their names. One that needs what the model does
    /// not have is skipped, with the reason.
    #[command(after_help = replay::EXIT_CODES)]
    Replay(ReplayArgs),
    /// Hold the model against this machine's kernel in every cell of state, segment and place beside the window.
    ///
    /// Each cell becomes a script: the way to the state, and one segment. The model says what is sent in reply, which
    /// state follows and what the program is told; the kernel is asked the same, in a network namespace for each
    /// cell, which no segment leaves (as root; takes about half a minute). Where they part, the switches of the model
    /// that would explain it are named.
    #[command(after_help = cells::EXIT_CODES)]
    Cells(CellsArgs),
    /// Play the stories of `lastack figure ladder` on two ends of this machine's kernel, beside the model.
    ///
    /// Each story gets two network namespaces of its own. Its calls are made on real sockets, its segments are held back,
    /// lost, doubled or overtaken as it says, its timers are waited for. Compared with the model at every step: the
    /// segments, the states of both ends, and what each program is told. As root; takes about a minute, which is how long
    /// a TIME_WAIT lasts.
    #[command(after_help = stories::EXIT_CODES)]
    Stories(StoriesArgs),
    /// Search every state that two ends can be in, and compare what is found with what the book says.
    ///
    /// Each table is a question: whether every arc of the figure is taken, what stays for ever when a peer vanishes, what
    /// keeps old segments out of the next connection, who must wait and how long. Each row of a table is a setting, and
    /// all states of it are visited: nothing is sampled. Nothing is sent, and no privilege is needed.
    #[command(after_help = tables::EXIT_CODES)]
    Tables(TablesArgs),
}

impl CheckArgs {
    /// When to use colour.
    pub const fn color(&self) -> ColorChoice {
        match &self.what {
            None => ColorChoice::Auto,
            Some(CheckVerb::Replay(args)) => args.output.color,
            Some(CheckVerb::Cells(args)) => args.color,
            Some(CheckVerb::Stories(args)) => args.color,
            Some(CheckVerb::Tables(args)) => args.drawing.color,
        }
    }
}
